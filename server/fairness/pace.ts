/** Work that may take long and is done in this process, in slices: between two of them everybody else has a turn. */
import { setImmediate as nextTurn } from "node:timers/promises";

export interface Pace {
  /** Await it between small pieces of work: it gives way when the slice is used up. */
  rest(): Promise<void> | undefined;
}

/** Short beside what a person notices, long beside what giving way costs. */
const sliceMs = 15;

/** `signal`: `rest` rejects with its reason once it is aborted, which ends the work of who no longer waits for it. */
export function createPace(signal?: AbortSignal): Pace {
  let sliceEndsAtMs = performance.now() + sliceMs;
  async function giveWay(): Promise<void> {
    await nextTurn();
    signal?.throwIfAborted();
    sliceEndsAtMs = performance.now() + sliceMs;
  }
  return { rest: () => (performance.now() < sliceEndsAtMs ? undefined : giveWay()) };
}

/** Takes steps to their end and answers what they return; everybody else has a turn between slices of them. */
export async function inSlices<Result>(steps: Iterator<unknown, Result>, pace = createPace()): Promise<Result> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    const resting = pace.rest();
    if (resting) await resting;
  }
}
