import fc from "fast-check";
import { expect, test } from "vitest";
import { sortSteps } from "../../../server/fairness/sort-steps.ts";

function sorted(items: { key: number; place: number }[]) {
  const steps = sortSteps([...items], (a, b) => a.key - b.key);
  for (let taken = 0; ; taken++) {
    const step = steps.next();
    if (step.done) return { items: step.value, steps: taken };
  }
}

test("what is sorted in steps comes in the order of `sort`, equal ones as they came", () => {
  fc.assert(
    fc.property(fc.nat({ max: 20_000 }), fc.integer({ min: 1, max: 50_000 }), fc.integer(), (length, keys, seed) => {
      const items = Array.from({ length }, (_, place) => ({ key: Math.abs((place * 7919 + seed) % keys), place }));
      expect(sorted(items).items).toEqual([...items].sort((a, b) => a.key - b.key));
    }),
    { numRuns: 20 },
  );
});

test("many are sorted in steps, and a few at once", () => {
  const items = Array.from({ length: 100_000 }, (_, place) => ({ key: place % 1_000, place }));
  expect(sorted(items).steps).toBeGreaterThan(100);
  expect(sorted(items.slice(0, 1_000)).steps).toBe(0);
});
