/** Where things stand on the bar of a quota. For drawing alone: figures are shown as the server gave them. */
import type { Quota } from "@contract/quotas.ts";

export interface QuotaBar {
  /** In percent of the bar's length, as are all others. */
  used: number;
  limit: number;
  /** Null where there is no projection, or none beyond what is used. */
  projected: { value: number; low: number; high: number } | null;
  thresholds: { percent: number; at: number; reached: boolean }[];
}

/** Beyond this share of the limit the bar stays as long as it is: the limit must not shrink to nothing. */
const longest = 2;

/** Undefined of what has no limit. A limit of 0 stands at the end of the bar. */
export function quotaBar({ used, limit, projected, thresholds }: Quota): QuotaBar | undefined {
  if (limit === null) return undefined;
  const bound = Number(limit);
  const high = Number(projected?.high ?? projected?.value ?? 0);
  const whole = Math.min(Math.max(bound, Number(used), high), bound > 0 ? bound * longest : Number.POSITIVE_INFINITY);
  const at = (figure: number) => (whole > 0 ? Math.min(100, (figure / whole) * 100) : 0);
  const value = Number(projected?.value ?? 0);
  return {
    used: at(Number(used)),
    limit: bound > 0 ? at(bound) : 100,
    projected:
      projected && value > Number(used)
        ? { value: at(value), low: at(Number(projected.low ?? value)), high: at(Number(projected.high ?? value)) }
        : null,
    thresholds: thresholds.map(({ percent, reached }) => ({ percent, at: at((bound * percent) / 100), reached })),
  };
}
