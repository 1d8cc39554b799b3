/** What is written of one session: from all that storage has of it, or from what memory holds while it runs. */
import { defaultAliveWithinMs } from "../catalog/levels.ts";
import { inSlices, type Pace } from "../fairness/pace.ts";
import { agentSpansOf } from "./derived-change.ts";
import { changedMinutes, type NodePath } from "./minute-changes.ts";
import { type ResolvedSession, resolveSteps, strayTimes } from "./resolve-session.ts";
import { RunningSession } from "./running-session.ts";
import type { SessionIntervals } from "./session-intervals.ts";
import { endlessMs, type PlacementsWithin, type SessionPart, sessionParts } from "./session-parts.ts";
import { type OpenRow, openRow, type SessionHead, type SessionRow, sessionRow } from "./session-rows.ts";
import { summarize } from "./span-summary.ts";
import type { DerivedPart, StoredSession } from "./stored-sessions.ts";
import type { DerivedRows } from "./write-derivation.ts";

/** From all that storage has of it. Answers its row, where it is in one part, and whether it is open. */
export async function deriveStored(
  { known: session, earlier }: StoredSession,
  placementsWithin: PlacementsWithin,
  nowMs: number,
  rows: DerivedRows,
  pace: Pace,
) {
  const resolved = await inSlices(resolveSteps(session.intervals, nowMs, defaultAliveWithinMs), pace);
  const { organization } = session;
  const agentSpans = agentSpansOf(resolved.spans);
  const parts: SessionRow[] = [];
  for (const [part, before] of withEarlier(partsOf(session, resolved, placementsWithin, nowMs), earlier)) {
    await pace.rest();
    const minutes = changedMinutes(before, { organization, ...part }, part.edges);
    await pace.rest();
    const row = sessionRow(session, resolved, part, before?.days ?? [], rows.version);
    await pace.rest();
    await rows.add(row, agentSpans, minutes, pace);
    parts.push(row);
  }
  const open = openRow(session, summarize(resolved.spans), rows.version, nowMs);
  rows.addOpen(open);
  return { row: parts.length === 1 ? parts[0] : undefined, open };
}

function partsOf(
  session: SessionIntervals,
  resolved: ResolvedSession,
  placementsWithin: PlacementsWithin,
  nowMs: number,
): SessionPart[] {
  let [firstMs, lastMs] = [Number.POSITIVE_INFINITY, 0];
  const widen = (fromMs: number, toMs: number) => {
    firstMs = Math.min(firstMs, fromMs);
    lastMs = Math.max(lastMs, toMs);
  };
  for (const { startMs, endMs = nowMs } of resolved.spans) widen(startMs, Math.max(startMs, endMs));
  for (const atMs of faultTimes(session, resolved)) widen(atMs, atMs);
  const placements = firstMs > lastMs ? undefined : placementsWithin(session.organization, firstMs, lastMs);
  return sessionParts(resolved, placements, session);
}

/** Who had the organization by then has them, and nobody else. */
function* faultTimes({ intervals }: SessionIntervals, { orphans, invertedAt }: ResolvedSession): Generator<number> {
  if (orphans > 0) for (const interval of intervals) yield* strayTimes(interval);
  yield* invertedAt;
}

/** Each part beside what it was before; one that is no more is emptied where it stood. */
function withEarlier(
  parts: readonly SessionPart[],
  earlier: readonly DerivedPart[],
): [SessionPart, DerivedPart | undefined][] {
  const gone = earlier.filter(({ part }) => part >= parts.length);
  const before = new Map(earlier.map((one) => [one.part, one]));
  return [
    ...parts.map((part): [SessionPart, DerivedPart | undefined] => [part, before.get(part.part)]),
    ...gone.map((last): [SessionPart, DerivedPart] => {
      const { part, partner, reseller } = last;
      // It lies after all time, and so has nothing of the session.
      const empty = { parts: 0, sinceMs: endlessMs, untilMs: endlessMs, edges: [], peak: { value: 0, atMs: 0 } };
      return [{ part, partner, reseller, ...empty }, last];
    }),
  ];
}

/** Where a session that memory holds stands; undefined where it is in parts, or stands elsewhere than it was written. */
export function pathOfRunning(
  session: RunningSession,
  placementsWithin: PlacementsWithin,
  nowMs: number,
): NodePath | undefined {
  const { organization } = session.named;
  const within = session.within(nowMs);
  const placements = within && placementsWithin(organization, within.fromMs, within.toMs);
  if (placements && placements.length > 1) return undefined;
  const { partner, reseller } = placements?.[0] ?? session.named;
  const path = { organization, partner, reseller };
  const { derivedAt = path } = session;
  return derivedAt.partner === path.partner && derivedAt.reseller === path.reseller ? path : undefined;
}

/** What events that were folded into it have changed. */
export function deriveRunning(session: RunningSession, path: NodePath, nowMs: number, rows: DerivedRows): void {
  const minutes = session.takeChanges().map(({ level, minute, edges, difference }) => {
    return { level, minute, pathBefore: path, removed: undefined, pathAfter: path, added: difference, edges };
  });
  const { head, lists, agentSpans, summary } = session.row(path, rows.version);
  rows.addRendered(head, lists, agentSpans, minutes);
  const open = openRow(session.named, summary, rows.version, nowMs);
  const listedUntilMs = listedUntil(open);
  if (listedUntilMs !== session.listedUntilMs) rows.addOpen(open);
  Object.assign(session, { derivedAt: path, days: head.days, listedUntilMs });
}

/** To be held in memory, as it was derived from storage just now; undefined where nothing more is expected of it. */
export async function runningAgain(
  intervals: SessionIntervals,
  row: SessionHead,
  open: OpenRow,
  nowMs: number,
  pace: Pace,
) {
  const session = RunningSession.of(intervals);
  await inSlices(session.resolveSteps(nowMs), pace);
  if (!session.isRunning(nowMs)) return undefined;
  session.takeChanges();
  const { organization, partner, reseller, days } = row;
  const derivedAt = { organization, partner, reseller };
  return Object.assign(session, { derivedAt, days, listedUntilMs: listedUntil(open) });
}

const listedUntil = (open: OpenRow) => (open.is_deleted === 1 ? 0 : open.deadline_ms);
