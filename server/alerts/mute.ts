/** When nothing is sent: the mute windows of a rule. Pure. */
import { dayMs } from "../contract/durations.ts";
import { type MuteWindow, weekdays } from "../contract/rules.ts";
import { offsetAt } from "../metrics/zone-dates.ts";

const minutesOf = (clock: string) => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3));

/** Whether the instant, ms since 1970 UTC, lies in one of the windows, each by the clock of its own zone. */
export function isMuted(windows: readonly MuteWindow[], ms: number): boolean {
  return windows.some((window) => isWithin(window, ms));
}

function isWithin({ from, to, days, tz }: MuteWindow, ms: number): boolean {
  const [fromMinute, toMinute] = [minutesOf(from), minutesOf(to)];
  const shownMs = ms + offsetAt(ms, tz);
  const day = Math.floor(shownMs / dayMs);
  const minute = Math.floor((shownMs - day * dayMs) / 60_000);
  const muted: readonly string[] = days ?? weekdays;
  // 1970 began on a Thursday, the fourth of them.
  const begins = (ofDay: number) => muted.includes(weekdays[(((ofDay + 3) % 7) + 7) % 7] ?? "mon");
  if (fromMinute < toMinute) return begins(day) && fromMinute <= minute && minute < toMinute;
  return (begins(day) && minute >= fromMinute) || (begins(day - 1) && minute < toMinute);
}
