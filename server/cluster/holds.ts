/** Holds of this node's storing that other nodes ask for, so that what one of them changes sees nothing half stored. */
import type { FlushLoop } from "../ingest/flush/flush-loop.ts";

/** A hold ends by itself when the node that asked for it does not renew it. */
export const holdLastsMs = 15_000;

export interface Holds {
  /** Resolves once nothing is being stored, until `release` or for as long as a hold lasts. The same token renews it. */
  hold(token: string): Promise<void>;
  release(token: string): void;
  releaseAll(): void;
}

export function createHolds(flush: Pick<FlushLoop, "exclusive">): Holds {
  const holds = new Map<string, { end: () => void; timer: NodeJS.Timeout; begun: Promise<void> }>();
  return {
    async hold(token) {
      const known = holds.get(token);
      if (known) {
        known.timer.refresh();
        return await known.begun;
      }
      let end: () => void = () => undefined;
      const held = new Promise<void>((resolve) => {
        end = resolve;
      });
      const timer = setTimeout(() => end(), holdLastsMs);
      const begun = new Promise<void>((resolve, reject) => {
        flush
          .exclusive(async () => {
            resolve();
            await held;
            return { batch: 0, organizations: new Set(), levels: new Set() };
          })
          .catch(reject)
          .finally(() => {
            clearTimeout(timer);
            holds.delete(token);
          });
      });
      holds.set(token, { end, timer, begun });
      await begun;
    },
    release: (token) => holds.get(token)?.end(),
    releaseAll() {
      for (const { end } of holds.values()) end();
    },
  };
}
