import { fromAbsolute } from "@internationalized/date";
import { describe, expect, it } from "vitest";
import { formatInstant } from "../../../server/metrics/windows.ts";
import {
  type DueSlot,
  dueSlots,
  lastSlotsDue,
  nextSlots,
  periodBefore,
  type Timing,
} from "../../../server/reports/due.ts";

const dayMs = 86_400_000;
/** Until the statement of a cycle may close. */
const openMs = dayMs;
const base: Timing = {
  every: "day",
  atMinutes: 8 * 60,
  tz: "UTC",
  weekday: 1,
  day: 1,
  fiscalStartMonth: 1,
  cycles: [],
  openMs,
};
const endless = { fromMs: Number.NEGATIVE_INFINITY, toMs: Number.POSITIVE_INFINITY };

/** 26 months with 30 December 2011, which Apia skipped, and with two or more clock changes in each zone. */
const fromMs = Date.UTC(2011, 0, 1);
const untilMs = Date.UTC(2013, 2, 1);
/** Each with a time of day that its clocks skip or repeat. */
const places = [
  { tz: "Europe/Berlin", at: 2 * 60 + 30 },
  { tz: "America/New_York", at: 1 * 60 + 30 },
  { tz: "America/Sao_Paulo", at: 0 },
  { tz: "Australia/Lord_Howe", at: 2 * 60 + 15 },
  { tz: "Pacific/Apia", at: 3 * 60 + 30 },
];
const timings = places.flatMap(({ tz, at }): Timing[] => [
  { ...base, tz, atMinutes: at, every: "day" },
  { ...base, tz, atMinutes: at, every: "week", weekday: 7 },
  ...[29, 30, 31].map((day): Timing => ({ ...base, tz, atMinutes: at, every: "month", day })),
  { ...base, tz, atMinutes: at, every: "quarter", day: 31, fiscalStartMonth: 2 },
  { ...base, tz, atMinutes: at, every: "cycle", cycles: [{ ...endless, anchor: 31, tz }] },
]);
const nameOf = ({ every, tz, day }: Timing) => `${every}${every === "month" ? ` ${day}` : ""} ${tz}`;
const at = (ms: number, tz: string) => formatInstant(ms, tz);

/** By a calendar that is not the service's: the dates that each zone had. */
function datesOf(tz: string): string[] {
  const dates = new Set<string>();
  for (let ms = fromMs - 2 * dayMs; ms < untilMs; ms += 1_800_000)
    dates.add(fromAbsolute(ms, tz).toString().slice(0, 10));
  return [...dates];
}

describe("the slots of a schedule", () => {
  it.each(places)("are one for each date that $tz had, none for one it skipped", ({ tz, at: atMinutes }) => {
    const slots = dueSlots({ ...base, tz, atMinutes }, fromMs, untilMs);
    const covered = slots.map((slot) => at(slot.fromMs, tz).slice(0, 10));
    expect(new Set(covered).size).toBe(covered.length);
    const dates = datesOf(tz);
    const [first, last] = [covered[0] ?? "", covered.at(-1) ?? ""];
    expect(covered).toEqual(dates.filter((date) => date >= first && date <= last));
    expect(covered.length).toBeGreaterThan(785);
  });

  it("are sent at the first instant after a skipped time, and at the first of a repeated one", () => {
    const berlin = dueSlots(
      { ...base, tz: "Europe/Berlin", atMinutes: 150 },
      Date.UTC(2026, 2, 28),
      Date.UTC(2026, 9, 26),
    );
    const sent = berlin.map(({ atMs }) => new Date(atMs).toISOString());
    expect(sent).toContain("2026-03-29T01:00:00.000Z");
    expect(sent).toContain("2026-10-25T00:30:00.000Z");
    expect(sent.filter((one) => one.startsWith("2026-10-25"))).toHaveLength(1);
    expect(at(berlin.find(({ atMs }) => atMs === Date.UTC(2026, 2, 29, 1))?.atMs ?? 0, "Europe/Berlin")).toBe(
      "2026-03-29T03:00:00+02:00",
    );
  });

  it("of the day before one that Apia skipped is sent when the clocks go on", () => {
    const apia = dueSlots({ ...base, tz: "Pacific/Apia" }, Date.UTC(2011, 11, 28), Date.UTC(2012, 0, 1));
    expect(apia.map((slot) => [at(slot.fromMs, "Pacific/Apia"), at(slot.atMs, "Pacific/Apia")])).toEqual([
      ["2011-12-27T00:00:00-10:00", "2011-12-28T08:00:00-10:00"],
      ["2011-12-28T00:00:00-10:00", "2011-12-29T08:00:00-10:00"],
      ["2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00"],
      ["2011-12-31T00:00:00+14:00", "2012-01-01T08:00:00+14:00"],
    ]);
  });

  it.each([29, 30, 31])("on day %i of a shorter month are sent on its last, about the month before", (day) => {
    const slots = dueSlots({ ...base, every: "month", day }, Date.UTC(2026, 0, 1), Date.UTC(2026, 6, 1));
    const dates = slots.map((slot) =>
      [slot.fromMs, slot.toMs, slot.atMs].map((ms) => new Date(ms).toISOString().slice(0, 10)),
    );
    expect(dates.slice(0, 3)).toEqual([
      ["2025-12-01", "2026-01-01", `2026-01-${day}`],
      ["2026-01-01", "2026-02-01", "2026-02-28"],
      ["2026-02-01", "2026-03-01", `2026-03-${day}`],
    ]);
  });

  it("that were due last are the end of all that were due by then, as many as are asked for", () => {
    const nowMs = Date.UTC(2013, 1, 11, 12);
    for (const timing of timings) {
      const all = dueSlots(timing, Date.UTC(2009, 0, 1), nowMs);
      for (const count of [1, 3, 12]) expect(lastSlotsDue(timing, nowMs, count)).toEqual(all.slice(-count));
    }
  });

  it("of a quarter follow the fiscal year", () => {
    const slots = nextSlots({ ...base, every: "quarter", fiscalStartMonth: 2 }, Date.UTC(2026, 0, 15), 3);
    expect(slots.map((slot) => [slot.fromMs, slot.toMs].map((ms) => new Date(ms).toISOString().slice(0, 10)))).toEqual([
      ["2025-11-01", "2026-02-01"],
      ["2026-02-01", "2026-05-01"],
      ["2026-05-01", "2026-08-01"],
    ]);
  });

  it("of a week cover Monday to Sunday, whichever day they are sent on", () => {
    const [slot] = nextSlots({ ...base, every: "week", weekday: 3 }, Date.UTC(2026, 10, 29), 1) as [DueSlot];
    expect(new Date(slot.atMs).toISOString()).toBe("2026-12-02T08:00:00.000Z");
    expect(new Date(slot.fromMs).toISOString()).toBe("2026-11-23T00:00:00.000Z");
    expect(new Date(slot.toMs).toISOString()).toBe("2026-11-30T00:00:00.000Z");
  });

  it("of a billing cycle are sent after its statement may close, at the time of day", () => {
    const slots = nextSlots(
      { ...base, every: "cycle", cycles: [{ ...endless, anchor: 31, tz: "UTC" }] },
      Date.UTC(2026, 1, 1),
      2,
    );
    expect(
      slots.map((slot) => [slot.fromMs, slot.toMs, slot.atMs].map((ms) => new Date(ms).toISOString().slice(0, 13))),
    ).toEqual([
      ["2025-12-31T00", "2026-01-31T00", "2026-02-01T08"],
      ["2026-01-31T00", "2026-02-28T00", "2026-03-01T08"],
    ]);
  });

  it("of a billing cycle of which nothing stays open are sent at the first time of day at or after its end", () => {
    const firstOf = (tz: string, atMinutes: number, cycleTz = tz) => {
      const cycles = [{ ...endless, anchor: 1, tz: cycleTz }];
      const [slot] = nextSlots(
        { ...base, every: "cycle", openMs: 0, tz, atMinutes, cycles },
        Date.UTC(2026, 0, 31, 23),
        1,
      );
      return [slot?.toMs, slot?.atMs].map((ms) => at(ms ?? 0, tz));
    };
    expect(firstOf("UTC", 8 * 60)).toEqual(["2026-02-01T00:00:00Z", "2026-02-01T08:00:00Z"]);
    expect(firstOf("UTC", 0)).toEqual(["2026-02-01T00:00:00Z", "2026-02-01T00:00:00Z"]);
    expect(firstOf("Europe/Berlin", 0, "UTC")).toEqual(["2026-02-01T01:00:00+01:00", "2026-02-02T00:00:00+01:00"]);
  });

  it("of a subscription that ends have its last cycle, cut where it ended, and what follows it", () => {
    const [changeMs, toMs] = [Date.UTC(2026, 4, 3, 7), Number.POSITIVE_INFINITY];
    const cycles = [
      { ...endless, toMs: changeMs, anchor: 15, tz: "UTC" },
      { fromMs: changeMs, toMs, anchor: 1, tz: "UTC" },
    ];
    const timing: Timing = { ...base, every: "cycle", cycles };
    const slots = dueSlots(timing, Date.UTC(2026, 3, 1), Date.UTC(2026, 6, 1));
    expect(
      slots.map((slot) => [slot.fromMs, slot.toMs, slot.atMs].map((ms) => new Date(ms).toISOString().slice(0, 13))),
    ).toEqual([
      ["2026-03-15T00", "2026-04-15T00", "2026-04-16T08"],
      ["2026-04-15T00", "2026-05-03T07", "2026-05-04T08"],
      ["2026-05-03T07", "2026-06-01T00", "2026-06-02T08"],
    ]);
    for (const { fromMs: from, toMs: to, atMs } of slots)
      expect(dueSlots(timing, atMs - 1, atMs)).toMatchObject([{ fromMs: from, toMs: to }]);
  });

  it.each(timings.map((timing) => [nameOf(timing), timing] as const))(
    "cover %s without a gap or an overlap, each after its period",
    (_name, timing) => {
      const slots = dueSlots(timing, fromMs, untilMs);
      for (const [index, slot] of slots.entries()) {
        expect(slot.toMs).toBeGreaterThan(slot.fromMs);
        expect(slot.atMs).toBeGreaterThanOrEqual(slot.toMs);
        const before = slots[index - 1];
        if (before) expect(slot.fromMs).toBe(before.toMs);
        if (before) expect(slot.atMs).toBeGreaterThan(before.atMs);
        expect(periodBefore(timing, slot.toMs)).toMatchObject({ fromMs: slot.fromMs, toMs: slot.toMs });
      }
    },
  );

  it.each(timings.map((timing) => [nameOf(timing), timing] as const))(
    "of %s are the same whenever one looks, one by one or at once",
    (_name, timing) => {
      const whole = dueSlots(timing, fromMs, untilMs);
      const random = randomFrom(7);
      const found: DueSlot[] = [];
      for (let ms = fromMs; ms < untilMs; ) {
        const nextMs = Math.min(untilMs, ms + Math.ceil(random() * 9 * dayMs));
        found.push(...dueSlots(timing, ms, nextMs));
        ms = nextMs;
      }
      expect(found).toEqual(whole);
      const [next] = nextSlots(timing, fromMs, 1);
      expect(next).toEqual(whole[0]);
    },
  );

  it("are those of the golden file", async () => {
    await expect(`${golden().join("\n")}\n`).toMatchFileSnapshot("slots.golden.txt");
  });
});

/** Only the days and weeks around a change of the clocks. */
function golden(): string[] {
  return timings.flatMap((timing) => {
    const slots = dueSlots(timing, fromMs, untilMs);
    const usualMs = { day: dayMs, week: 7 * dayMs, month: 0, quarter: 0, cycle: 0 }[timing.every];
    const isPlain = ({ fromMs: from, toMs, atMs }: DueSlot, index: number) =>
      toMs - from === usualMs && atMs - (slots[index - 1]?.atMs ?? atMs - usualMs) === usualMs;
    const shown = slots.filter((slot, index) => !isPlain(slot, index));
    const { tz } = timing;
    return [
      `# ${nameOf(timing)}, ${slots.length} slots`,
      ...shown.map((slot) => `${at(slot.fromMs, tz)} ${at(slot.toMs, tz)} sent ${at(slot.atMs, tz)}`),
    ];
  });
}

function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}
