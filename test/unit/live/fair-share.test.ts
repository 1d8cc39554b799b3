import fc from "fast-check";
import { expect, test } from "vitest";
import { beyondShare, type Held } from "../../../server/live/fair-share.ts";

const anyHeld = fc
  .array(fc.record({ tenant: fc.constantFrom("a", "b", "c", "d"), held: fc.integer({ min: 1, max: 100 }) }), {
    maxLength: 30,
  })
  .map((all) => all.map((one, index): Held => ({ ...one, organization: `o${index}` })));
const sumOf = (all: readonly Held[]) => all.reduce((sum, { held }) => sum + held, 0);

test("whatever is held, the rest comes to the bound at most, and a tenant with less than an equal share keeps all", () => {
  fc.assert(
    fc.property(anyHeld, fc.integer({ min: 0, max: 1_500 }), (all, most) => {
      const left = beyondShare(all, most);
      expect(sumOf(all.filter(({ organization }) => !left.has(organization)))).toBeLessThanOrEqual(most);
      if (sumOf(all) <= most) expect(left).toEqual(new Set());
      const tenants = new Set(all.map(({ tenant }) => tenant));
      for (const tenant of tenants) {
        const ofTenant = all.filter((one) => one.tenant === tenant);
        if (sumOf(ofTenant) <= most / tenants.size)
          expect(ofTenant.filter(({ organization }) => left.has(organization))).toEqual([]);
      }
    }),
  );
});

test("of a tenant with too much those organizations are left out that have most", () => {
  const all = [60, 10, 30].map((held, index) => ({ organization: `o${index}`, tenant: "large", held }));
  expect(beyondShare([...all, { organization: "other", tenant: "little", held: 20 }], 100)).toEqual(new Set(["o0"]));
});
