import fc from "fast-check";
import { expect, test } from "vitest";
import type { ChargedSegment } from "../../../../server/billing/charges.ts";
import { planCharges } from "../../../../server/billing/statements/statement-charges.ts";
import { claimantOf, ownTotal, type Summed, summarize } from "../../../../server/billing/statements/summarize.ts";
import { decimalsOf } from "../../../../server/contract/currencies.ts";
import { type PriceLevel, planTermsSchema } from "../../../../server/contract/plans.ts";
import { exact, minus, plus, roundHalfEven, zero } from "../../../../server/numbers/exact.ts";

const reseller = ["reseller:r", "partner:p", "all"];
const partner = ["partner:p", "all"];
const cycle = { startMs: 0, endMs: 1_000 };
const instants = { from: "1970-01-01T00:00:00Z", to: "1970-01-01T00:00:01Z" };

const tiers = fc
  .tuple(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 0, max: 99_999 }), fc.integer({ min: 0, max: 99_999 }))
  .map(([end, first, second]) => [
    { up_to: String(end), unit_price: String(first / 10_000), flat_fee: String(second / 1_000) },
    { up_to: null, unit_price: String(second / 10_000) },
  ]);
const pricing = fc.oneof(
  tiers.map((made) => ({ model: "graduated", tiers: made })),
  tiers.map((made) => ({ model: "volume", tiers: made })),
  fc.integer({ min: 1, max: 99_999 }).map((price) => ({ model: "package", size: "7.5", price: String(price / 1_000) })),
);
const byLevel = <T>(value: fc.Arbitrary<T>) =>
  fc.record({ organization: value, reseller: value, partner: value }, { requiredKeys: [] });
const fees = byLevel(fc.integer({ min: 0, max: 999_999 }).map((fee) => String(fee / 10_000)));

/** A statement of a node of some kind, of a plan with any prices, cut anywhere. */
const statement = (path: string[], currency: string) =>
  fc
    .record({
      prices: byLevel(pricing),
      fixed_fee: fees,
      used: fc.integer({ min: 0, max: 1_000_000 }),
      cut: fc.integer({ min: 1, max: 999 }),
    })
    .map(({ prices, fixed_fee, used, cut }, index = 0): Summed => {
      const features = [{ key: "calls", meter: "call_minutes", included: "100", overage: "bill", prices }];
      const terms = planTermsSchema.parse({ currency, fixed_fee, features });
      const amount = new Map([
        ["calls", { meter: "call_minutes", unit: "minutes", isSum: true, amount: String(used / 1_000) }],
      ]);
      const segments = [
        [0, cut],
        [cut, 1_000],
      ].map(
        ([fromMs = 0, toMs = 0]): ChargedSegment => ({ fromMs, toMs, planId: "p", version: 1, terms, used: amount }),
      );
      const charges = planCharges(segments, cycle, "UTC", path, currency);
      const [node = ""] = path;
      return {
        id: `stm_${index}`,
        kind: "subscription",
        node,
        total: ownTotal(charges, node, currency),
        charges,
        ...instants,
      };
    });

const currencies = fc.constantFrom("EUR", "JPY", "KWD");
const sum = (amounts: string[], currency: string) =>
  roundHalfEven(
    amounts.reduce((total, amount) => plus(total, exact(amount)), zero),
    decimalsOf(currency),
  );
const at = (one: Pick<Summed, "charges">, level: PriceLevel) =>
  one.charges.find((charges) => charges.level === level)?.total ?? "0";

test("children sum to parents to the last minor unit, over two levels of the tree, whatever the plans", () => {
  const world = currencies.chain((currency) =>
    fc.record({
      currency: fc.constant(currency),
      organizations: fc.array(statement(["organization:o", ...reseller], currency), { minLength: 1, maxLength: 8 }),
      own: fc.array(statement(reseller, currency), { maxLength: 2 }),
      direct: fc.array(statement(["organization:d", ...partner], currency), { maxLength: 4 }),
    }),
  );
  const property = fc.property(world, ({ currency, organizations, own, direct }) => {
    const summary = summarize([...organizations, ...own], reseller, currency);
    const all = [...organizations, ...own];
    expect(summary.incomeTotal).toBe(
      sum(
        organizations.map(({ total }) => total),
        currency,
      ),
    );
    for (const level of ["reseller", "partner"] as const)
      expect(sum([at(summary, level)], currency)).toBe(
        sum(
          all.map((one) => at(one, level)),
          currency,
        ),
      );
    expect(summary.total).toBe(
      sum(
        all.map((one) => at(one, "reseller")),
        currency,
      ),
    );
    const margin = summary.charges.find(({ level }) => level === "reseller")?.margin;
    const kept = roundHalfEven(minus(exact(summary.incomeTotal ?? "0"), exact(summary.total)), decimalsOf(currency));
    if (margin !== undefined) expect(margin).toBe(kept);
    const summed: Summed = { id: "stm_r", kind: "summary", node: "reseller:r", ...instants, ...summary };
    const whole = summarize([summed, ...direct], partner, currency);
    expect(whole.incomeTotal).toBe(sum([summary.total, ...direct.map(({ total }) => total)], currency));
    expect(whole.total).toBe(
      sum(
        [...all, ...direct].map((one) => at(one, "partner")),
        currency,
      ),
    );
  });
  fc.assert(property, { numRuns: Number(process.env.PROPERTY_RUNS ?? 100) });
});

test.each([
  ["subscription", ["organization:o", "reseller:r", "all"], "reseller:r"],
  ["correction", ["organization:o", "partner:p", "all"], "partner:p"],
  ["subscription", ["organization:o", "all"], null],
  ["subscription", ["reseller:r", "partner:p", "all"], "reseller:r"],
  ["summary", ["reseller:r", "partner:p", "all"], "partner:p"],
  ["summary", ["reseller:r", "all"], null],
] as const)("a %s of %j is summed up by %s", (kind, path, claimant) => {
  expect(claimantOf(kind, path)).toBe(claimant);
});
