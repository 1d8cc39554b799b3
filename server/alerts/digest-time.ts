/** When the daily digest of a person is due. Pure. */
import { dayMs } from "../contract/durations.ts";
import { ZoneClock } from "../metrics/zone-clock.ts";

/** The first time after `afterMs` (ms since 1970, UTC) at which the clock of `tz` shows `at`, `HH:MM`, once a day. */
export function nextDigestMs({ at, tz }: { at: string; tz: string }, afterMs: number): number {
  const clock = new ZoneClock(tz);
  const minutes = Number(at.slice(0, 2)) * 60 + Number(at.slice(3));
  const midnight = clock.midnightBefore(afterMs);
  for (let day = 0; ; day++) {
    const ms = clock.firstInstantOf(midnight + day * dayMs + minutes * 60_000);
    if (ms > afterMs) return ms;
  }
}
