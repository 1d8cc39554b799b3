/** Mute windows: by the clock of their own zone, however many of them are looked at. */
import { expect, test, vi } from "vitest";
import { isMuted } from "../../../server/alerts/mute.ts";
import { pacingOf } from "../../../server/alerts/record-evaluation.ts";
import type { RuleRecord } from "../../../server/alerts/rules.ts";
import { type MuteWindow, weekdays } from "../../../server/contract/rules.ts";

const hourMs = 3_600_000;
/** 2026-03-28 is the Saturday before the clocks of Berlin change; those of New York did three weeks before. */
const fromMs = Date.parse("2026-03-27T00:00:00Z");
const instants = Array.from({ length: 4 * 24 * 4 }, (_, n) => fromMs + (n * hourMs) / 4 - 1);

test("a window holds from its first minute to before its last by its zone's clock, on its days, over midnight and clock changes", () => {
  const windows: MuteWindow[] = [
    { from: "01:30", to: "03:15", tz: "Europe/Berlin" },
    { from: "22:00", to: "06:00", days: ["sat"], tz: "America/New_York" },
    { from: "00:00", to: "00:00", days: ["sun"], tz: "Asia/Kathmandu" },
    { from: "12:00", to: "12:01", days: ["mon"], tz: "UTC" },
  ];
  for (const window of windows) {
    const shown = new Intl.DateTimeFormat("en-GB", {
      timeZone: window.tz,
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
    });
    const { from, to, days = weekdays } = window;
    for (const ms of instants) {
      const parts = Object.fromEntries(shown.formatToParts(ms).map(({ type, value }) => [type, value]));
      const clock = `${parts.hour}:${parts.minute}`;
      const day = weekdays.indexOf(parts.weekday?.toLowerCase() as (typeof weekdays)[number]);
      const [today, yesterday] = [day, (day + 6) % 7].map((one) => days.includes(weekdays[one] ?? "mon"));
      const holds =
        from < to ? today && from <= clock && clock < to : (today && clock >= from) || (yesterday && clock < to);
      expect([ms, isMuted([window], ms)]).toEqual([ms, holds]);
    }
  }
});

test("looking at windows again and again makes no formatter of dates, which takes as long as hundreds of looks", () => {
  const windows: MuteWindow[] = ["Europe/Berlin", "America/Lima"].flatMap((tz) =>
    Array.from({ length: 10 }, () => ({ from: "03:00", to: "03:01", tz })),
  );
  for (const ms of instants) isMuted(windows, ms);
  const made = vi.spyOn(Intl, "DateTimeFormat");
  for (const ms of instants) isMuted(windows, ms);
  expect(made).not.toHaveBeenCalled();
  made.mockRestore();
});

test("the windows of a rule are not looked at for a finding that they change nothing for", () => {
  const mute: MuteWindow[] = [{ from: "00:00", to: "00:00", tz: "UTC" }];
  const looked = vi.spyOn(mute, "some");
  const rule = { condition: { kind: "quota" }, repeatHours: null, mute } as unknown as RuleRecord;
  const pacing = pacingOf(rule, { once: null }, undefined, fromMs);
  expect(looked).not.toHaveBeenCalled();
  expect(pacing.isSilenced).toBe(true);
  expect(pacing.isSilenced).toBe(true);
  expect(looked).toHaveBeenCalledTimes(1);
});
