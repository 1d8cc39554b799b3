/**
 * What became of the events of a request, counted: each event is accepted, a duplicate or rejected, exactly one of them; late,
 * unmatched and warned are counted of the accepted ones as well. The counts travel in the log's record of the request, so that
 * they are as durable as its events and are stored once.
 */
import { eventType } from "../../catalog/catalog.ts";
import { type LatenessReason, latenessBounds } from "../../contract/ingest-health.ts";
import { lineColumns, unescapeColumn } from "./event-row.ts";

export type Outcome = "accepted" | "duplicate" | "rejected" | "late" | "unmatched" | "warned";

/** Whose events they are: an organization and what stands above it at receipt; '' where there is none. */
export interface OutcomeOwner {
  organization: string;
  partner: string;
  reseller: string;
  /** The agent that the key belongs to; '' for other keys, whichever agent an event names. */
  agent: string;
}

export interface OutcomeCount extends OutcomeOwner {
  /** Id of the API key. */
  key: string;
  outcome: Outcome;
  /** The code of a rejection or a warning; how late a late event was at least; else ''. */
  reason: string;
  events: number;
}

/** How late an event came, by the largest bound that it reached; undefined when it came within a minute. */
export function latenessOf(timeMs: number, receivedAtMs: number): LatenessReason | undefined {
  const lateMs = receivedAtMs - timeMs;
  return latenessBounds.findLast(({ fromMs }) => lateMs >= fromMs)?.reason;
}

/** Counts of one request or batch; `minuteMs` is 0 where all are of one request. */
export class OutcomeTally {
  readonly #counts = new Map<string, OutcomeCount & { minuteMs: number }>();

  add(owner: OutcomeOwner, key: string, outcome: Outcome, reason = "", events = 1, minuteMs = 0): void {
    const { organization, partner, reseller, agent } = owner;
    const name = `${minuteMs}\n${organization}\n${partner}\n${reseller}\n${agent}\n${key}\n${outcome}\n${reason}`;
    const count = this.#counts.get(name);
    if (count) count.events += events;
    else this.#counts.set(name, { minuteMs, organization, partner, reseller, agent, key, outcome, reason, events });
  }

  /** Where accepted events of an organization were counted; undefined when none were. */
  ownerOf(organization: string, key: string, minuteMs: number): OutcomeOwner | undefined {
    for (const count of this.#counts.values())
      if (
        count.outcome === "accepted" &&
        count.minuteMs === minuteMs &&
        count.organization === organization &&
        count.key === key
      )
        return count;
    return undefined;
  }

  list(): (OutcomeCount & { minuteMs: number })[] {
    return [...this.#counts.values()];
  }
}

/** The start of the minute, in which a batch counts what was received. */
export function minuteOf(ms: number): number {
  return ms - (ms % 60_000);
}

const keyAt = lineColumns.indexOf("key");

/** An event of the batch that was answered as accepted, as its line in the log, turned out to be something else. */
export function recount(tally: OutcomeTally, line: string, outcome: Outcome, reason = ""): void {
  const columns = line.split("\t");
  const [, organization = "", , , time, received, type = ""] = columns;
  const key = unescapeColumn(columns[keyAt] ?? "");
  const minuteMs = minuteOf(Number(received));
  const owner = tally.ownerOf(unescapeColumn(organization), key, minuteMs);
  if (!owner) return;
  tally.add(owner, key, "accepted", "", -1, minuteMs);
  tally.add(owner, key, outcome, reason, 1, minuteMs);
  const lateness = latenessOf(Number(time), Number(received));
  if (lateness !== undefined) tally.add(owner, key, "late", lateness, -1, minuteMs);
  if (eventType(unescapeColumn(type)) === undefined) tally.add(owner, key, "unmatched", "", -1, minuteMs);
}

type Written = [string, string, string, string, string, Outcome, string, number];

/** As it stands in the header of a record of the log. */
export function writeOutcomes(counts: readonly OutcomeCount[]): Written[] {
  return counts.map(({ key, organization, partner, reseller, agent, outcome, reason, events }) => [
    key,
    organization,
    partner,
    reseller,
    agent,
    outcome,
    reason,
    events,
  ]);
}

export function readOutcomes(written: readonly Written[]): OutcomeCount[] {
  return written.map(([key, organization, partner, reseller, agent, outcome, reason, events]) => ({
    key,
    organization,
    partner,
    reseller,
    agent,
    outcome,
    reason,
    events,
  }));
}
