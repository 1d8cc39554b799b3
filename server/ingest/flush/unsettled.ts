/** What of a log is not settled: since when, and who waits for it. */
import { comparePositions, type LogPosition, type WriteAheadLog } from "../log/write-ahead-log.ts";

/**
 * When the groups of the log that are not settled were synced, which is before their requests were answered. Groups
 * within `mergeMs` are remembered as one, so that a backlog of hours stays small.
 */
export function createPendingGroups(log: WriteAheadLog, leftSinceMs: number | undefined, now: () => number) {
  const mergeMs = 20;
  let groups: { end: LogPosition; atMs: number }[] = [];
  if (leftSinceMs !== undefined) groups.push({ end: log.syncedEnd, atMs: leftSinceMs });
  const stop = log.onSynced((end) => {
    const last = groups.at(-1);
    const atMs = now();
    if (last && atMs - last.atMs < mergeMs) last.end = end;
    else groups.push({ end, atMs });
  });
  return {
    oldestAtMs: () => groups[0]?.atMs,
    settledThrough(position: LogPosition) {
      groups = groups.filter((group) => comparePositions(group.end, position) > 0);
    },
    close: stop,
  };
}

export function createSettledWaiters() {
  let waiters: { position: LogPosition; resolve: () => void; reject: (error: Error) => void }[] = [];
  return {
    isEmpty: () => waiters.length === 0,
    /** Resolves when the log is settled through `position`. */
    wait: (position: LogPosition) =>
      new Promise<void>((resolve, reject) => {
        waiters.push({ position, resolve, reject });
      }),
    settledThrough(position: LogPosition) {
      const due = waiters.filter((waiter) => comparePositions(waiter.position, position) <= 0);
      waiters = waiters.filter((waiter) => comparePositions(waiter.position, position) > 0);
      for (const waiter of due) waiter.resolve();
    },
    rejectAll(error: Error) {
      for (const waiter of waiters) waiter.reject(error);
    },
  };
}
