/**
 * Sends quarantined events again, through the very path that every event takes: the same checks, the same identities, so
 * that one that was taken meanwhile is a duplicate and counts once. Each is a request of its own and atomic: one that is
 * rejected again leaves nothing behind but its mark, and goes on waiting.
 */
import { Readable } from "node:stream";
import type { ClickHouse } from "../clickhouse/client.ts";
import type { ReplayedEvent, ReplayResult } from "../contract/quarantine.ts";
import { type AffectedSpan, affectedSpan, type SpanDeps } from "../corrections/affected-span.ts";
import { checkEvents } from "../ingest/accept/accept-events.ts";
import { type AcceptDeps, acceptRequest } from "../ingest/accept/accept-request.ts";
import { bodyFormOf, readBody } from "../ingest/accept/read-body.ts";
import type { RequestEvents } from "../ingest/accept/request-events.ts";
import { rowOfEvent } from "../ingest/accept/row-of-event.ts";
import type { SendingKey } from "../ingest/accept/sending-key.ts";
import { stringifyExact } from "../json/exact-json.ts";
import { parseJson } from "../json/parse-json.ts";
import { ProblemError } from "../problem.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { type FoundQuarantined, markReplayed } from "./read-quarantine.ts";

export interface Replay {
  /** The key in whose name an event is sent. */
  sendingKeyOf: (found: FoundQuarantined) => SendingKey;
  /** Whether the caller may change the figures of a time. */
  mayChange: (span: AffectedSpan) => boolean;
  /** Bodies to be sent instead of the original ones. */
  instead?: Readonly<Record<string, unknown>> | undefined;
}

export interface ReplayDeps extends AcceptDeps, Pick<SpanDeps, "isCarriedOnFor"> {
  clickhouse: ClickHouse;
  tree: AcceptDeps["tree"] & Pick<NodeTree, "pathsBetween">;
}

/** An event in the form in which it is sent again. */
interface Resent {
  headers: Headers;
  bytes: Buffer;
  firstReceivedMs: number;
}

/** The earliest received first. */
export async function replayQuarantined(
  deps: ReplayDeps,
  found: readonly FoundQuarantined[],
  { sendingKeyOf, mayChange, instead }: Replay,
): Promise<ReplayedEvent[]> {
  const ordered = [...found].sort((a, b) => a.key[0] - b.key[0] || a.key[1] - b.key[1] || a.key[2] - b.key[2]);
  const results: { found: FoundQuarantined; result: ReplayResult }[] = [];
  try {
    for (const one of ordered) {
      const text = instead === undefined ? one.event.raw : stringifyExact(instead);
      const type = isCloudEvent(text) ? "application/cloudevents+json" : "application/x-ndjson";
      const resent = {
        headers: new Headers({ "content-type": type }),
        bytes: Buffer.from(text),
        firstReceivedMs: one.key[0],
      };
      const spans = await spansOf(deps, resent);
      const result = spans.every(mayChange) ? await sendAgain(deps, sendingKeyOf(one), resent) : ofAnothersTime;
      results.push({ found: one, result });
    }
  } finally {
    // Accepted events stay marked as accepted, also when the rest is refused for now.
    const news = results.filter(({ found }) => found.event.status === "waiting");
    await markReplayed(
      deps.clickhouse,
      news.map(({ found, result }) => ({ key: found.key, result })),
      deps.now(),
    );
  }
  return results.map(({ found, result }) => ({ id: found.event.id, ...result }));
}

const ofAnothersTime: ReplayResult = {
  outcome: "rejected",
  code: "outside_subtree",
  field: "time",
  message: "the organization belonged to someone else at that time",
};

/** The times that the event would change when it is taken, read as accepting reads it; none where it would not be taken. */
async function spansOf(deps: ReplayDeps, { headers, bytes, firstReceivedMs }: Resent): Promise<AffectedSpan[]> {
  const nowMs = deps.now();
  const events = readable(bytes, headers);
  if (events === undefined) return [];
  const { readable: read } = checkEvents({ ...events, isPlain: false }, nowMs, deps.eventType, firstReceivedMs);
  const nobody = { receivedMs: nowMs, partner: "", reseller: "", key: "" };
  return await Promise.all(read.map((event) => affectedSpan(deps, rowOfEvent(event, nobody), nowMs)));
}

function readable(bytes: Buffer, headers: Headers): RequestEvents | undefined {
  try {
    return readBody(bytes, bodyFormOf(headers), headers);
  } catch (error) {
    if (error instanceof ProblemError) return undefined;
    throw error;
  }
}

/** Throws ProblemError when the service takes nothing now. */
async function sendAgain(
  deps: AcceptDeps,
  sendingKey: SendingKey,
  { headers, bytes, firstReceivedMs }: Resent,
): Promise<ReplayResult> {
  const request = { headers, body: Readable.from([bytes]), sendingKey, isAtomic: true, firstReceivedMs };
  try {
    const { decision } = await acceptRequest(deps, request);
    const [rejection] = decision.rejected;
    if (rejection) {
      const { code, field, message } = rejection;
      return { outcome: "rejected", code, field, message };
    }
    return { ...taken, outcome: decision.duplicates > 0 ? "duplicate" : "accepted" };
  } catch (error) {
    if (!(error instanceof ProblemError) || error.code !== "unreadable_body") throw error;
    return { outcome: "rejected", code: "not_json", field: null, message: error.message };
  }
}

const taken = { code: null, field: null, message: null };

function isCloudEvent(text: string): boolean {
  try {
    const event: unknown = parseJson(text);
    return typeof event === "object" && event !== null && !Array.isArray(event) && "specversion" in event;
  } catch {
    return false;
  }
}
