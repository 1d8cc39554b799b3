/** Colours and cues of what charts draw. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { meters } from "../../../server/catalog/built-in-meters.ts";
import type { MeterSummary } from "../../../server/contract/meters.ts";
import { looksOf, looksOfKeys } from "../../../web/src/charts/looks.ts";

const builtIn = (meter: string) => ({ meter, node: null }) as MeterSummary;

test("tells meters apart that are more than there are looks, where they are drawn together", () => {
  const many = Array.from({ length: 50 }, (_, place) => `m${place}`);
  const looks = looksOf(["m0", "m40"], many.map(builtIn));
  expect(looks.get("m40")).not.toEqual(looks.get("m0"));
});

test("gives a meter the same look whatever is drawn beside it, and no other meter that look", () => {
  const catalog = meters.map(({ meter }) => meter);
  const all = catalog.map(builtIn);
  const whole = looksOf(catalog, all);
  expect(new Set([...whole.values()].map((look) => JSON.stringify(look))).size).toBe(catalog.length);
  fc.assert(
    fc.property(fc.shuffledSubarray(catalog, { minLength: 1, maxLength: 8 }), (chosen) => {
      for (const [meter, look] of looksOf(chosen, all)) expect(look).toEqual(whole.get(meter));
    }),
  );
});

test("gives up to seven groups a colour each, by what they are and not by their rank", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 7 }), (keys) => {
      const looks = looksOfKeys(keys);
      expect(new Set([...looks.values()].map(({ color }) => color)).size).toBe(keys.length);
      expect(looksOfKeys([...keys].reverse())).toEqual(looks);
    }),
  );
});
