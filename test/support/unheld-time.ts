/** Times of what has to happen in time, on a machine that is busy with something else. */

const everyMs = 20;

/**
 * How long `work` takes, in ms, without the time for which this process did not get to run: its timers that come late tell
 * how much that was. Rejects as `work` does.
 */
export async function unheldMs(work: () => Promise<unknown>): Promise<number> {
  const fromMs = performance.now();
  let heldMs = 0;
  let lastMs = fromMs;
  const timer = setInterval(() => {
    const nowMs = performance.now();
    heldMs += Math.max(0, nowMs - lastMs - everyMs);
    lastMs = nowMs;
  }, everyMs);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return performance.now() - fromMs - heldMs;
}
