import fc from "fast-check";
import { expect, test } from "vitest";
import { hourMs, minuteMs } from "../../../server/contract/durations.ts";
import { bucketMs, mergeRanges, partialQuarters, stepsOf } from "../../../server/metrics/merged-ranges.ts";

const baseMs = Date.UTC(2026, 2, 1);
const rangeOf = (fromMs: number, toMs: number, stepMs = toMs - fromMs) => {
  const windows = [];
  for (let startMs = fromMs; startMs < toMs; startMs += stepMs)
    windows.push({ startMs, endMs: Math.min(startMs + stepMs, toMs), isPartial: false });
  return { fromMs, toMs, windows };
};
const instant = fc.oneof(
  fc.integer({ min: 0, max: 48 }).map((hours) => baseMs + hours * hourMs),
  fc.integer({ min: 0, max: 48 * hourMs }).map((ms) => baseMs + ms),
);
const ranges = fc
  .array(fc.tuple(instant, fc.integer({ min: 0, max: 12 * hourMs }), fc.integer({ min: 1, max: 4 })), { maxLength: 6 })
  .map((drawn) => drawn.map(([fromMs, ms, parts]) => rangeOf(fromMs, fromMs + ms, Math.max(1, Math.ceil(ms / parts)))));

test("every instant of every range falls into its own window, and every other one into a gap", () => {
  fc.assert(
    fc.property(ranges, instant, (asked, ms) => {
      const mergedRanges = mergeRanges(asked);
      expect(mergedRanges.flatMap((merged) => merged.ranges).length).toBe(
        asked.filter(({ fromMs, toMs }) => fromMs < toMs).length,
      );
      for (const { ranges: own, bounds, gapStarts } of mergedRanges) {
        expect([...bounds].sort((a, b) => a - b)).toEqual(bounds);
        const bound = bounds.findLast((one) => one <= ms) ?? bounds[0];
        const holding = own.filter(({ fromMs, toMs }) => fromMs <= ms && ms < toMs);
        expect(holding.length).toBeLessThanOrEqual(1);
        if (holding.length === 0) expect(gapStarts).toContain(bound);
        else expect(holding[0]?.windows.findLast(({ startMs }) => startMs <= ms)?.startMs).toBe(bound);
      }
    }),
  );
});

test("whole buckets, partial ones and those of the gap have no instant twice, and miss none of a range", () => {
  const parse = (text: string) => Date.parse(`${text.replace(" ", "T")}Z`);
  fc.assert(
    fc.property(ranges, instant, fc.constantFrom(minuteMs, bucketMs), (asked, ms, stepMs) => {
      for (const merged of mergeRanges(asked)) {
        const { since, until, gap_since, gap_until, partial_buckets } = stepsOf(merged, stepMs);
        expect(partial_buckets.length).toBeLessThanOrEqual(4);
        const step = Math.floor(ms / stepMs) * stepMs;
        const isPartial = partial_buckets.map(parse).includes(step);
        const isInGap = step >= parse(gap_since) && step < parse(gap_until);
        const isWhole = step >= parse(since) && step < parse(until) && !isInGap && !isPartial;
        if (merged.ranges.some(({ fromMs, toMs }) => fromMs <= ms && ms < toMs))
          expect(isWhole || isPartial).toBe(true);
        if (isInGap) expect(isPartial).toBe(false);
      }
    }),
  );
});

test("every quarter of an hour within which a range begins or ends is named once: as the last one, or among the others", () => {
  const parse = (text: string) => Date.parse(`${text.replace(" ", "T")}Z`);
  fc.assert(
    fc.property(ranges, (asked) => {
      for (const merged of mergeRanges(asked)) {
        const { partial_buckets } = stepsOf(merged, bucketMs);
        const { last_to_ms, ...others } = partialQuarters(merged);
        const wholeToMs = Math.floor((merged.ranges.at(-1)?.toMs ?? 0) / bucketMs) * bucketMs;
        const last = last_to_ms > wholeToMs ? [last_to_ms - bucketMs] : [];
        const named = [...Object.values(others).filter((ms) => ms !== 0), ...last];
        expect(named.sort()).toEqual(partial_buckets.map(parse).sort());
      }
    }),
  );
});
