import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { includedIn, type PartOfCycle, priceUsage, roundMoney } from "../../../server/billing/pricing.ts";
import { type Pricing, pricingSchema } from "../../../server/contract/plans.ts";
import { compare, exact, minus, plus, ratio, roundHalfEven, times, zero } from "../../../server/numbers/exact.ts";

const runs = Number(process.env.PROPERTY_RUNS ?? 200);
const tiers = [
  { up_to: "1000", unit_price: "0.05" },
  { up_to: "5000", unit_price: "0.04" },
  { up_to: null, unit_price: "0.025" },
];
const graduated: Pricing = { model: "graduated", tiers };
const volume: Pricing = { model: "volume", tiers };
const packages: Pricing = { model: "package", size: "100", price: "4.5" };
const withFees: Pricing = { model: "graduated", tiers: tiers.map((tier) => ({ ...tier, flat_fee: "10" })) };

function cost(used: string, included: string, pricing: Pricing, part?: PartOfCycle): string {
  const total = priceUsage(exact(used), exact(included), pricing, part).reduce(
    (sum, { amount }) => plus(sum, amount),
    zero,
  );
  return roundHalfEven(total, 9).replace(/\.?0+$/, "");
}

describe("an amount costs what its model says, at every edge", () => {
  test.each([
    ["graduated", graduated, "0", "0"],
    ["graduated", graduated, "0.000000001", "0"],
    ["graduated", graduated, "999.999999", "49.99999995"],
    ["graduated", graduated, "1000", "50"],
    ["graduated", graduated, "1000.000001", "50.00000004"],
    ["graduated", graduated, "5000", "210"],
    ["graduated", graduated, "5001", "210.025"],
    ["volume", volume, "0", "0"],
    ["volume", volume, "1000", "50"],
    ["volume", volume, "1000.000001", "40.00000004"],
    ["volume", volume, "5000", "200"],
    ["volume", volume, "5001", "125.025"],
    ["package", packages, "0", "0"],
    ["package", packages, "0.000001", "4.5"],
    ["package", packages, "100", "4.5"],
    ["package", packages, "100.000001", "9"],
    ["graduated with flat fees", withFees, "0", "0"],
    ["graduated with flat fees", withFees, "1000", "60"],
    ["graduated with flat fees", withFees, "1000.01", "70.0004"],
  ])("%s: %#", (_, pricing, used, expected) => {
    expect(cost(used, "0", pricing)).toBe(expected.replace(/^0\.0+$/, "0"));
  });

  test("only what lies beyond the included amount is charged, and tiers count from there", () => {
    expect(cost("200", "200", graduated)).toBe("0");
    expect(cost("1200", "200", graduated)).toBe("50");
    expect(cost("1201", "200", graduated)).toBe("50.04");
    expect(cost("301", "200", packages)).toBe("9");
  });

  test("no precision is lost in amounts that a float would round", () => {
    const price: Pricing = { model: "graduated", tiers: [{ up_to: null, unit_price: "0.000000000001" }] };
    expect(cost("123456789012345678.123456789", "0", price)).toBe("123456.789012346");
    expect(cost("0.3", "0", { model: "graduated", tiers: [{ up_to: null, unit_price: "0.1" }] })).toBe("0.03");
  });
});

describe("a part of a cycle", () => {
  const third = { share: ratio(1, 3), isSum: true };

  test("has that part of what is included, of the bounds of tiers and of their flat fees", () => {
    expect(cost("100", "300", graduated, third)).toBe("0");
    expect(cost("433.333333333", "300", graduated, third)).toBe("16.666666667");
    expect(cost("3", "0", withFees, third)).toBe("3.483333333");
  });

  test("of what is no sum over time costs that part of the whole cycle's", () => {
    const peak = { share: ratio(1, 4), isSum: false };
    expect(cost("60", "50", { model: "graduated", tiers: [{ up_to: null, unit_price: "2" }] }, peak)).toBe("5");
    expect(includedIn(exact("50"), peak)).toEqual(exact("50"));
    expect(compare(includedIn(exact("50"), { share: ratio(1, 4), isSum: true }), exact("12.5"))).toBe(0);
  });
});

describe("money is rounded once, half to even, to the minor unit", () => {
  test.each([
    ["0.005", "EUR", "0.00"],
    ["0.015", "EUR", "0.02"],
    ["0.025", "EUR", "0.02"],
    ["0.0250000001", "EUR", "0.03"],
    ["-0.015", "EUR", "-0.02"],
    ["-0.004", "EUR", "0.00"],
    ["0.5", "JPY", "0"],
    ["1.5", "JPY", "2"],
    ["2.5", "JPY", "2"],
    ["1.2345", "KWD", "1.234"],
    ["1.2355", "KWD", "1.236"],
    ["1.00005", "CLF", "1.0000"],
  ])("%s %s is %s", (amount, currency, expected) => {
    expect(roundMoney(exact(amount), currency)).toBe(expected);
  });
});

const bounds = fc.uniqueArray(fc.integer({ min: 1, max: 100_000 }), { minLength: 0, maxLength: 6 });
const tiersOf = (isFalling: boolean) =>
  fc
    .tuple(bounds, fc.array(fc.integer({ min: 0, max: 1_000_000 }), { minLength: 7, maxLength: 7 }))
    .map(([ends, prices]) => {
      const sorted = [...ends].sort((a, b) => a - b);
      const ordered = isFalling ? [...prices].sort((a, b) => b - a) : prices;
      return [...sorted.map(String), null].map((up_to, index) => ({
        up_to,
        unit_price: roundHalfEven(ratio(ordered[index] ?? 0, 10_000), 4),
      }));
    });

test("graduated prices never fall as the amount grows, and do not jump at the edges of tiers", () => {
  const property = fc.property(
    tiersOf(false),
    fc.integer({ min: 0, max: 200_000 }),
    fc.integer({ min: 1, max: 1_000 }),
    (made, at, step) => {
      const pricing = pricingSchema.parse({ model: "graduated", tiers: made });
      const total = (amount: number) =>
        priceUsage(exact(amount), zero, pricing).reduce((sum, part) => plus(sum, part.amount), zero);
      expect(compare(total(at + step), total(at))).toBeGreaterThanOrEqual(0);
      const dearest = made.map(({ unit_price }) => exact(unit_price)).reduce((a, b) => (compare(a, b) > 0 ? a : b));
      for (const { up_to } of made) {
        if (up_to === null) continue;
        const edge = Number(up_to);
        const jump = minus(
          priceOfExact(plus(exact(edge), exact("0.000000001")), pricing),
          priceOfExact(exact(edge), pricing),
        );
        expect(compare(jump, times(dearest, exact("0.000000001")))).toBeLessThanOrEqual(0);
      }
    },
  );
  fc.assert(property, { numRuns: runs });
});

const priceOfExact = (amount: ReturnType<typeof exact>, pricing: Pricing) =>
  priceUsage(amount, zero, pricing).reduce((sum, part) => plus(sum, part.amount), zero);

test("a cycle cut anywhere costs, at an even pace, what the whole one does", () => {
  const property = fc.property(
    tiersOf(true),
    fc.integer({ min: 1, max: 99 }),
    fc.integer({ min: 0, max: 100_000 }),
    (made, percent, used) => {
      const pricing = pricingSchema.parse({ model: "graduated", tiers: made });
      const included = exact(500);
      const part = (share: number) => {
        const [of, amount] = [ratio(share, 100), times(exact(used), ratio(share, 100))];
        return priceUsage(amount, included, pricing, { share: of, isSum: true }).reduce(
          (sum, p) => plus(sum, p.amount),
          zero,
        );
      };
      const whole = priceUsage(exact(used), included, pricing).reduce((sum, p) => plus(sum, p.amount), zero);
      expect(compare(plus(part(percent), part(100 - percent)), whole)).toBe(0);
    },
  );
  fc.assert(property, { numRuns: runs });
});

test("tiers that do not rise, or do not end, are refused", () => {
  const parse = (ends: (string | null)[]) =>
    pricingSchema.safeParse({ model: "volume", tiers: ends.map((up_to) => ({ up_to, unit_price: "1" })) }).success;
  expect(parse(["1", "1.5", null])).toBe(true);
  expect(parse(["2", "10", null])).toBe(true);
  for (const ends of [["1"], [null, "1"], ["1", "1", null], ["10", "9", null], ["0", null]])
    expect(parse(ends)).toBe(false);
});
