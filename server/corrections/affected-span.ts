/** The time whose figures an event can change, by coming late or by being corrected, and with it those whose figures they are. */
import { z } from "zod";
import { isTypeCarriedOn, isTypeOfJobs } from "../catalog/carried-on.ts";
import { defaultAliveWithinMs } from "../catalog/levels.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import type { EventRow } from "../clickhouse/event-columns.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { limits } from "../contract/events.ts";
import { nodeAddress } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { amountOf } from "../ingest/accept/amount-unit.ts";
import { isMadeUp } from "../ingest/accept/span-name.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { ownersWithin } from "../tree/past-owners.ts";

const sessionSpan = defineQuery(
  "session_span",
  z.object({
    organization: z.string(),
    session: z.string(),
    level: z.string(),
    interval: z.string(),
    takes_end: z.number(),
    alive_within_ms: z.number(),
  }),
  z.object({ first_ms: numberColumn, last_ms: numberColumn, alive_until_ms: numberColumn }),
);
const jobSpan = defineQuery(
  "job_span",
  z.object({ organization: z.string(), job: z.string() }),
  z.object({ first_ms: numberColumn, last_ms: numberColumn }),
);

/** A range of an organization's time: ms since 1970, UTC, both ends included. It ends now where it changes what is still to come. */
export interface AffectedSpan {
  organization: string;
  fromMs: number;
  toMs: number;
}

export interface SpanDeps {
  clickhouse: ClickHouse;
  tree: Pick<NodeTree, "pathsBetween">;
  /** Whether a meter that users of one of the nodes made carries on what events of the type say. */
  isCarriedOnFor?: ((type: string, nodes: readonly NodeAddress[]) => boolean) | undefined;
}

/**
 * What raises or lowers a level by value concerns all time since. An event that begins, keeps alive or ends something concerns
 * the whole session, up to now where something in it may be open: without its end an interval ends at its last sign of life,
 * which may lie long before. An event of a job concerns the job from its first event to its last.
 */
export async function affectedSpan(deps: SpanDeps, row: EventRow, nowMs: number): Promise<AffectedSpan> {
  const { organization, time_ms, started_ms } = row;
  const own = [time_ms, ...(started_ms === 0 ? [] : [started_ms, endOfSpan(row, nowMs)])];
  const carriedOn = isCarriedOn(deps, row, nowMs) ? [nowMs] : [];
  const instants = [
    own,
    carriedOn,
    ...(await Promise.all([instantsOfSession(deps, row, nowMs), instantsOfJob(deps, row)])),
  ];
  return { organization, fromMs: Math.min(...instants.flat()), toMs: Math.max(...instants.flat()) };
}

function isCarriedOn({ tree, isCarriedOnFor }: SpanDeps, { type, organization }: EventRow, nowMs: number): boolean {
  if (isTypeCarriedOn(type)) return true;
  if (!isCarriedOnFor) return false;
  const ever = { organization, fromMs: Date.parse(limits.oldestTime), toMs: nowMs };
  return isCarriedOnFor(type, ownersOf(tree, ever));
}

async function instantsOfSession({ clickhouse }: SpanDeps, row: EventRow, nowMs: number): Promise<number[]> {
  const { organization, session, level, interval, level_action, time_ms, alive_within_ms } = row;
  if (level === "" || (session === "" && interval === "") || isMadeUp(row)) return [];
  const takes_end = level_action === "start" || level_action === "alive" ? 0 : 1;
  const asked = { organization, session, level, interval, takes_end, alive_within_ms: defaultAliveWithinMs };
  const [known] = await sessionSpan(clickhouse, asked);
  const isKnown = known !== undefined && known.last_ms !== 0;
  const aliveUntilMs = isKnown ? known.alive_until_ms : time_ms + Math.max(alive_within_ms, defaultAliveWithinMs);
  return [...(isKnown ? [known.first_ms, known.last_ms] : []), ...(aliveUntilMs >= nowMs ? [nowMs] : [])];
}

async function instantsOfJob({ clickhouse }: SpanDeps, { organization, job, type }: EventRow): Promise<number[]> {
  if (job === "" || !isTypeOfJobs(type)) return [];
  const [known] = await jobSpan(clickhouse, { organization, job });
  return known === undefined || known.last_ms === 0 ? [] : [known.first_ms, known.last_ms];
}

/** A span lasts as long as its amount says; what is still to come is nobody's past. */
function endOfSpan({ level_action, started_ms, time_ms, value, dims }: EventRow, nowMs: number): number {
  if (level_action !== "span" || value === null) return time_ms;
  const lengthMs = Number(value) * (amountOf(value, dims).seconds === undefined ? 60_000 : 1_000);
  return Math.min(started_ms + lengthMs, Math.max(nowMs, time_ms));
}

/** All that the organization was, or stood below, in the span. */
export function ownersOf(tree: Pick<NodeTree, "pathsBetween">, span: AffectedSpan): NodeAddress[] {
  return ownersWithin(tree, nodeAddress("organization", span.organization), span.fromMs, span.toMs);
}
