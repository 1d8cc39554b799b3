/** The readings, of a row of them, at which the state of an alert changes. Pure. */
import { type Life, nextState, type Pacing, type Reading } from "./next-state.ts";

/** Their instants, in order. `life`: before the first one; the readings are in order of time. */
export function crossings(
  readings: readonly Reading[],
  life: Life | undefined,
  pacing: (atMs: number) => Pacing,
): number[] {
  const found: number[] = [];
  let current = life;
  for (const reading of readings) {
    const next = nextState(current, reading, pacing(reading.atMs));
    if (next?.state !== current?.state) found.push(reading.atMs);
    // What resolved is over: when it holds again, that is another alert.
    current = next?.state === "resolved" ? undefined : next;
  }
  return found;
}
