import fc from "fast-check";
import { expect, test } from "vitest";
import type { LevelEvent } from "../../../server/rollups/level-events.ts";
import { foldEvent, intervalOfEvent } from "../../../server/rollups/session-intervals.ts";

const event = (given: Partial<LevelEvent>): LevelEvent => ({
  organization: "acme",
  session: "s",
  room: "",
  partner: "",
  reseller: "",
  agent: "",
  user: "u",
  level: "participants",
  action: "alive",
  interval: "i",
  timeMs: 0,
  startedMs: 0,
  aliveWithinMs: 0,
  dims: "",
  ...given,
});

function folded(events: readonly LevelEvent[]) {
  const known = intervalOfEvent(event({}));
  for (const one of events) foldEvent(known, one);
  return known;
}

const mobile = '{"device":"mobile"}';
const tablet = '{"device":"tablet"}';

test("what begins with dimensions keeps them, whatever its end says", () => {
  const [joined, left] = [
    event({ action: "start", timeMs: 10, dims: mobile }),
    event({ action: "end", timeMs: 20, dims: tablet }),
  ];
  expect([folded([joined, left]).dims, folded([left, joined]).dims]).toEqual([mobile, mobile]);
});

test("what begins without dimensions has the first that are given", () => {
  const events = [
    event({ action: "start", timeMs: 10 }),
    event({ timeMs: 30, dims: mobile }),
    event({ timeMs: 20, dims: tablet }),
  ];
  expect(folded(events).dims).toBe(tablet);
});

test("the dimensions of a named interval are those of the earliest event that gave any, of one instant the largest, in whatever order and however often events come", () => {
  const said = fc.record({
    timeMs: fc.integer({ min: 1, max: 5 }),
    dims: fc.constantFrom("", mobile, tablet, '{"device":"\u{1f4f1}"}', '{"device":"\uffee"}'),
  });
  const deliveries = fc
    .array(said, { minLength: 1, maxLength: 8 })
    .chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray([...all, ...all], { minLength: 2 * all.length })));
  fc.assert(
    fc.property(deliveries, ([all, delivered]) => {
      const given = all.filter(({ dims }) => dims !== "");
      const firstMs = Math.min(...given.map(({ timeMs }) => timeMs));
      const texts = given.filter(({ timeMs }) => timeMs === firstMs).map(({ dims }) => Buffer.from(dims));
      const largest = texts.sort(Buffer.compare).at(-1)?.toString() ?? "";
      expect(folded(delivered.map(event)).dims).toBe(largest);
    }),
  );
});
