/** A session resolved in one turn, where a test has few intervals. */
import { type IntervalRecord, type ResolvedSession, resolveSteps } from "../../server/rollups/resolve-session.ts";

export function resolveSession(
  intervals: readonly IntervalRecord[],
  nowMs: number,
  defaultAliveWithinMs: number,
): ResolvedSession {
  return stepped(resolveSteps(intervals, nowMs, defaultAliveWithinMs));
}

/** What steps return at their end. */
export function stepped<Result>(steps: Iterator<unknown, Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
