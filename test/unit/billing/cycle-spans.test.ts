import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cycleSpansOf, cyclesShownIn, zoneOfCycles } from "../../../server/billing/cycle-spans.ts";
import type { NodeAddress } from "../../../server/contract/nodes.ts";
import { comparedRange } from "../../../server/metrics/comparison.ts";
import { cycleIn, windowsInSlices } from "../../../server/metrics/windows.ts";

const dayMs = 86_400_000;
const path: NodeAddress[] = ["organization:o", "reseller:r", "all"];
const beginMs = Date.UTC(2026, 0, 1);
const days = 120;

const subscribed = fc
  .record({
    node: fc.constantFrom(...path),
    anchor: fc.integer({ min: 1, max: 31 }),
    fromDay: fc.integer({ min: 0, max: days }),
    length: fc.integer({ min: 0, max: 60 }),
    tz: fc.constantFrom("UTC", "Europe/Berlin"),
  })
  .map(({ node, anchor, fromDay, length, tz }) => {
    const startsAt = new Date(beginMs + fromDay * dayMs);
    const expiresAt = length === 60 ? null : new Date(startsAt.getTime() + length * dayMs);
    return { node, anchor, tz, startsAt, expiresAt, renews: false, cancelledAt: null };
  });

/** A node has one at a time. */
const subscriptions = fc
  .array(subscribed, { maxLength: 6 })
  .map((all) =>
    all
      .filter((one, index) =>
        all
          .slice(0, index)
          .every(
            (other) =>
              other.node !== one.node ||
              endOf(other) <= one.startsAt.getTime() ||
              endOf(one) <= other.startsAt.getTime(),
          ),
      )
      .map((one, index) => ({ id: `sub_${index}`, ...one })),
  );
const endOf = ({ expiresAt }: { expiresAt: Date | null }) => expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;

const always = { fromMs: Number.NEGATIVE_INFINITY, toMs: Number.POSITIVE_INFINITY };

describe("the cycles of a node", () => {
  it("follow each other without a gap, each as the nearest subscription says that runs, and within it", () => {
    fc.assert(
      fc.property(subscriptions, (all) => {
        const spans = cycleSpansOf([{ ...always, path }], all);
        for (let ms = beginMs; ms < beginMs + days * dayMs; ) {
          const cycle = cycleIn(spans, ms);
          if (ms > beginMs) expect(cycle.fromMs).toBe(ms);
          expect(cycle.toMs).toBeGreaterThan(ms);
          const running = (at: number) =>
            all
              .filter((one) => one.startsAt.getTime() <= at && at < endOf(one))
              .sort((a, b) => path.indexOf(a.node) - path.indexOf(b.node))[0];
          const governing = running(ms);
          expect(cycle.tz).toBe(governing?.tz ?? "UTC");
          expect(running(cycle.fromMs)?.id).toBe(governing?.id);
          expect(running(cycle.toMs - 1)?.id).toBe(governing?.id);
          ms = cycle.toMs;
        }
      }),
      { seed: 20_261_129, numRuns: 200 },
    );
  });

  it("are the last of a subscription that ends too, and then those of the calendar's months", () => {
    const [startsAt, expiresAt] = [new Date("2026-03-15T00:00:00Z"), new Date("2026-05-15T00:00:00Z")];
    const one = {
      id: "sub_1",
      node: path[0] as NodeAddress,
      anchor: 15,
      tz: "UTC",
      startsAt,
      expiresAt,
      renews: false,
    };
    const spans = cycleSpansOf([{ ...always, path }], [{ ...one, cancelledAt: null }]);
    const dates: string[] = [];
    for (let ms = Date.UTC(2026, 2, 1); dates.length < 5; ) {
      const { fromMs, toMs } = cycleIn(spans, ms);
      dates.push(`${new Date(fromMs).toISOString().slice(0, 10)} ${new Date(toMs).toISOString().slice(0, 10)}`);
      ms = toMs;
    }
    expect(dates).toEqual([
      "2026-03-01 2026-03-15",
      "2026-03-15 2026-04-15",
      "2026-04-15 2026-05-15",
      "2026-05-15 2026-06-01",
      "2026-06-01 2026-07-01",
    ]);
  });
});

type Subscription = typeof subscriptions extends fc.Arbitrary<(infer One)[]> ? One : never;

const hourMs = 3_600_000;
const moved: NodeAddress[] = ["organization:o", "reseller:s", "all"];
const calendars = new Map(
  ["UTC", "Europe/Berlin"].map((tz) => [
    tz,
    new Intl.DateTimeFormat("sv-SE", { timeZone: tz, year: "numeric", month: "2-digit", day: "2-digit" }),
  ]),
);

/** Which cycle of which subscription an instant lies in, by reading the calendar of its day. */
function cycleAt(ms: number, at: readonly NodeAddress[], all: readonly Subscription[]): string {
  const governing = at
    .map((node) => all.find((one) => one.node === node && one.startsAt.getTime() <= ms && ms < endOf(one)))
    .find((one) => one !== undefined) ?? { id: "none", anchor: 1, tz: "UTC" };
  const [year = 0, month = 0, day = 0] = (calendars.get(governing.tz)?.format(ms) ?? "").split("-").map(Number);
  const lastDay = new Date(Date.UTC(year, month, 0)).getUTCDate();
  const months = year * 12 + month - (day >= Math.min(governing.anchor, lastDay) ? 0 : 1);
  return `${governing.id} ${months}`;
}

/** Hour by hour: where another cycle is read than in the hour before. */
function cyclesByHour(pathAt: (ms: number) => readonly NodeAddress[], all: readonly Subscription[]): number[] {
  const starts: number[] = [];
  let before = cycleAt(beginMs - hourMs, pathAt(beginMs - hourMs), all);
  for (let ms = beginMs; ms < beginMs + days * dayMs; ms += hourMs) {
    const now = cycleAt(ms, pathAt(ms), all);
    if (now !== before) starts.push(ms);
    before = now;
  }
  return starts;
}

describe("windows of a cycle", () => {
  const histories = fc.record({
    all: subscriptions,
    movedDay: fc.integer({ min: 0, max: days }),
    tz: fc.constantFrom("UTC", "Europe/Berlin"),
  });
  const told = ({ all, movedDay }: { all: Subscription[]; movedDay: number }) => {
    const movedMs = beginMs + movedDay * dayMs;
    // The reseller that the node moves to has no subscription of its own until some are given to it.
    const given = all.map((one, index) =>
      one.node === "reseller:r" && index % 2 === 1 ? { ...one, node: "reseller:s" as NodeAddress } : one,
    );
    const standings = [
      { ...always, toMs: movedMs, path },
      { ...always, fromMs: movedMs, path: moved },
    ];
    return {
      spans: cycleSpansOf(standings, given),
      starts: cyclesByHour((ms) => (ms < movedMs ? path : moved), given),
    };
  };

  it("are the cycles that were, whatever subscriptions began, ended and followed, and whatever the node moved below", async () => {
    await fc.assert(
      fc.asyncProperty(histories, async (history) => {
        const { spans, starts } = told(history);
        const [fromMs, toMs] = [starts[0] ?? beginMs, starts.at(-1) ?? beginMs];
        const range = { fromMs, toMs, window: "cycle" as const, anchor: 1, cycles: spans, tz: history.tz };
        const windows = await windowsInSlices(range);
        expect([...windows.map(({ startMs }) => startMs), toMs]).toEqual(starts.length > 0 ? starts : [toMs]);
        expect(windows.every(({ isPartial }) => !isPartial)).toBe(true);
      }),
      { seed: 20_261_130, numRuns: 150 },
    );
  });

  it("stand beside as many cycles before, each beside the one at its place", () => {
    fc.assert(
      fc.property(histories, fc.nat(), (history, place) => {
        const { spans, starts } = told(history);
        const count = 1 + (place % 2);
        const at = count + (place % Math.max(1, starts.length - 2 * count));
        const asked = starts.slice(at, at + count + 1);
        const before = starts.slice(at - count, at + 1);
        if (asked.length <= count) return;
        // Whole months are compared with whole months.
        const isMonth = (ms: number) =>
          new Date(ms).getUTCDate() === 1 || calendars.get(history.tz)?.format(ms).endsWith("-01");
        if (asked.every(isMonth)) return;
        const range = { fromMs: asked[0] ?? 0, toMs: asked.at(-1) ?? 0, window: "cycle" as const };
        const compared = comparedRange(
          { ...range, anchor: 1, cycles: spans, tz: history.tz },
          { with: "previous", match: "date", partial: "full" },
          Number.MAX_SAFE_INTEGER,
        );
        expect([compared.fromMs, compared.toMs]).toEqual([before[0], before.at(-1)]);
        expect(compared.partners.map((one) => [one?.startMs, one?.endMs])).toEqual(
          before.slice(1).map((endMs, index) => [before[index], endMs]),
        );
      }),
      { seed: 20_261_130, numRuns: 300 },
    );
  });

  it("are told in the zone of the subscription that held at the beginning, else of the next one", () => {
    const of = (tz: string, from: string, to: string) => ({
      fromMs: Date.parse(from),
      toMs: Date.parse(to),
      anchor: 15,
      tz,
      isSubscribed: true,
    });
    const spans = [
      { ...always, toMs: Date.parse("2026-03-01"), anchor: 1, tz: "UTC", isSubscribed: false },
      of("Asia/Kolkata", "2026-03-01", "2026-06-01"),
      of("Europe/Berlin", "2026-06-01", "2026-09-01"),
      { ...always, fromMs: Date.parse("2026-09-01"), anchor: 1, tz: "UTC", isSubscribed: false },
    ];
    const at = (date: string) => zoneOfCycles(spans, () => Date.parse(date));
    expect(["2026-01-01", "2026-05-31", "2026-06-01", "2026-12-01"].map(at)).toEqual([
      "Asia/Kolkata",
      "Asia/Kolkata",
      "Europe/Berlin",
      "Europe/Berlin",
    ]);
    expect(zoneOfCycles([], () => 0)).toBeUndefined();
    expect(cyclesShownIn(spans, "Asia/Tokyo").map(({ tz }) => tz)).toEqual([
      "Asia/Tokyo",
      "Asia/Kolkata",
      "Europe/Berlin",
      "Asia/Tokyo",
    ]);
  });
});
