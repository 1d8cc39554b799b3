/** The readings, of a row of them, at which the state of an alert changes. Pure. */
import { type Lifecycle, nextState, notified, type Pacing, type Reading } from "./next-state.ts";

/**
 * Their instants, in order. `lifecycle`: before the first one; the readings are in order of time. What began to hold and did not
 * do so for long enough is left out, and so are the oldest where there are more than `most`, except the one that ends
 * `lifecycle`.
 */
export function crossings(
  readings: readonly Reading[],
  lifecycle: Lifecycle | undefined,
  pacing: (atMs: number) => Pacing,
  most = Number.POSITIVE_INFINITY,
): number[] {
  const found: number[] = [];
  let current = lifecycle;
  /** When an alert began that is still to hold for long enough. */
  let pendingMs: number | undefined;
  let endMs: number | undefined;
  for (const reading of readings) {
    const next = nextState(current, reading, pacing(reading.atMs));
    if (current && !next && found.at(-1) === pendingMs && pendingMs !== undefined) found.pop();
    else if (next?.state !== current?.state) found.push(reading.atMs);
    const isOver = !next || next.state === "resolved";
    if (lifecycle && lifecycle.state !== "resolved" && endMs === undefined && isOver) endMs = reading.atMs;
    pendingMs = !current && next?.state === "pending" ? reading.atMs : isOver ? undefined : pendingMs;
    // What resolved is over: when it holds again, that is another alert.
    current = next?.state === "resolved" ? undefined : next;
  }
  if (found.length <= most) return found;
  const newest = found.slice(-most);
  return endMs === undefined || newest.includes(endMs) ? newest : [endMs, ...newest];
}

/** Given readings in order of time: those at which a rule that fires once until it has resolved reports that it fires. */
export function firings<One extends Reading>(readings: readonly One[], forMs = 0): One[] {
  const pacing: Pacing = { forMs, repeatMs: null, isOncePerPeriod: false, isSilenced: false };
  const found: One[] = [];
  let lifecycle: Lifecycle | undefined;
  for (const reading of readings) {
    lifecycle = nextState(lifecycle, reading, pacing);
    if (lifecycle?.due === "alert.firing") found.push(reading);
    if (lifecycle?.due) lifecycle = notified(lifecycle, reading.atMs);
    if (lifecycle?.state === "resolved") lifecycle = undefined;
  }
  return found;
}
