/**
 * Whether anybody queries or watches. While nobody does, events are batched for longer; the first query then waits for the batch, so
 * that callers never see the difference.
 */

/** After a question the next one is expected within this. */
const askedForMs = 5_000;
/** The first question after a while sees at least what was taken this long before. */
const seenAfterMs = 1_000;
/** Nobody waits for longer, so that a question that shows no events is answered within a second too. */
const longestWaitMs = 500;

export interface QueryDemandDeps {
  /** How many watch; absent where others may watch that this process does not know of. */
  watchers: (() => number) | undefined;
  /** The age of the oldest event that cannot be queried yet, in ms; 0: all can. */
  lagMs: () => number;
  /** Whether events are left to become more. Where they wait for anything else, waiting for them brings nothing. */
  isGathering: () => boolean;
  /** Resolves when all that was taken until now can be queried. */
  allStored: () => Promise<void>;
}

export interface QueryDemand {
  isWatched(): boolean;
  /** Somebody asks. Resolves when what was taken a second before can be queried, after half a second at the latest. */
  asked(): Promise<void>;
}

export function createQueryDemand({ watchers, lagMs, isGathering, allStored }: QueryDemandDeps): QueryDemand {
  let askedAtMs = Number.NEGATIVE_INFINITY;
  /** While what gathered is being stored: those who ask meanwhile wait with the first. */
  let catchingUp: Promise<void> | undefined;
  const isWatched = () => !watchers || watchers() > 0 || performance.now() - askedAtMs < askedForMs;
  return {
    isWatched,
    async asked() {
      const hasGathered = !isWatched() && isGathering() && lagMs() > seenAfterMs;
      askedAtMs = performance.now();
      if (hasGathered) {
        const caughtUp = endedWithin(allStored(), longestWaitMs).then(() => {
          if (catchingUp === caughtUp) catchingUp = undefined;
        });
        catchingUp = caughtUp;
      }
      await catchingUp;
    },
  };
}

/** Resolves when `work` has ended, however it does, or has taken so long. */
function endedWithin(work: Promise<unknown>, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    const end = () => {
      clearTimeout(timer);
      resolve();
    };
    work.then(end, end);
  });
}
