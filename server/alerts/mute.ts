/** When nothing is sent: the mute windows of a rule. Pure. */
import { type MuteWindow, weekdays } from "../contract/rules.ts";
import { dateAt, weekdayOf } from "../metrics/zone-dates.ts";

const minutesOf = (clock: string) => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3));

/** Whether the instant, ms since 1970 UTC, lies in one of the windows, each by the clock of its own zone. */
export function isMuted(windows: readonly MuteWindow[], ms: number): boolean {
  return windows.some((window) => isWithin(window, ms));
}

function isWithin({ from, to, days = [...weekdays], tz }: MuteWindow, ms: number): boolean {
  const [fromMinute, toMinute] = [minutesOf(from), minutesOf(to)];
  const [minute, today] = [minuteAt(ms, tz), weekdayOf(dateAt(ms, tz))];
  const begins = (day: number) => days.includes(weekdays[(day + 7) % 7] ?? "mon");
  if (fromMinute < toMinute) return begins(today) && fromMinute <= minute && minute < toMinute;
  return (begins(today) && minute >= fromMinute) || (begins(today - 1) && minute < toMinute);
}

function minuteAt(ms: number, tz: string): number {
  const parts = new Intl.DateTimeFormat("en-GB", {
    timeZone: tz,
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });
  return minutesOf(parts.format(ms));
}
