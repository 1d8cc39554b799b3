/** A session resolved in one turn, where a test has few intervals. */
import { type IntervalRecord, type ResolvedSession, resolveSteps } from "../../server/rollups/resolve-session.ts";

export function resolveSession(
  intervals: readonly IntervalRecord[],
  nowMs: number,
  defaultAliveWithinMs: number,
): ResolvedSession {
  const steps = resolveSteps(intervals, nowMs, defaultAliveWithinMs);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}
