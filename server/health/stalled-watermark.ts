/** An alarm for a watermark that stands still: what was acknowledged then does not come to be seen. */
import type { Logger } from "pino";

/** Longer than a batch, a lease and a restart take together. */
const stallsAfterMs = 15_000;
const lookEveryMs = 500;
const sayAgainMs = 60_000;

export interface StalledWatermark {
  /** For how long it has not moved, in ms; 0 while it moves. */
  stalledMs(): number;
  /** Whether that is too long. */
  readonly isStalled: boolean;
  stop(): void;
}

export interface Alarm {
  log: Pick<Logger, "error" | "info">;
  /** Why it stands, where that is known. */
  explain: () => string | undefined;
}

/** With an `alarm` it says once a minute that it stands still. */
export function watchWatermark(
  watermark: () => Date,
  { alarm, now = performance.now.bind(performance) }: { alarm?: Alarm; now?: () => number } = {},
): StalledWatermark {
  let newestMs = Number.NEGATIVE_INFINITY;
  let movedAtMs = now();
  let saidAtMs: number | undefined;
  const look = () => {
    const currentMs = watermark().getTime();
    const nowMs = now();
    if (currentMs > newestMs) {
      newestMs = currentMs;
      movedAtMs = nowMs;
      if (saidAtMs !== undefined) alarm?.log.info("the watermark moves again");
      saidAtMs = undefined;
    } else if (nowMs - movedAtMs > stallsAfterMs && nowMs - (saidAtMs ?? Number.NEGATIVE_INFINITY) > sayAgainMs) {
      saidAtMs = nowMs;
      const why = alarm?.explain();
      const watermarkAt = new Date(newestMs).toISOString();
      alarm?.log.error(
        { watermarkAt, ...(why && { why }) },
        "the watermark stands still: queries do not show events accepted since then",
      );
    }
  };
  look();
  const timer = setInterval(look, lookEveryMs);
  timer.unref();
  const stalledMs = () => {
    look();
    return now() - movedAtMs > 2 * lookEveryMs ? now() - movedAtMs : 0;
  };
  return {
    stalledMs,
    get isStalled() {
      return stalledMs() > stallsAfterMs;
    },
    stop: () => clearInterval(timer),
  };
}
