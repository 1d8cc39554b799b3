import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type SubscriptionRecord, segmentsOf } from "../../../server/billing/billing-cycle.ts";
import { afterTrial, type ChargedSegment, chargesOf } from "../../../server/billing/charges.ts";
import { planTermsSchema, priceLevels } from "../../../server/contract/plans.ts";
import { cycleContaining } from "../../../server/metrics/windows.ts";
import { exact, plus, roundHalfEven, zero } from "../../../server/numbers/exact.ts";

const at = (text: string) => Date.parse(text);
const terms = (change: object = {}) =>
  planTermsSchema.parse({
    currency: "EUR",
    fixed_fee: { organization: "49", reseller: "30", partner: "12.5" },
    features: [
      {
        key: "calls",
        meter: "call_minutes",
        included: "500",
        overage: "bill",
        prices: {
          organization: {
            model: "graduated",
            tiers: [
              { up_to: "1000", unit_price: "0.05" },
              { up_to: null, unit_price: "0.04" },
            ],
          },
          reseller: {
            model: "volume",
            tiers: [
              { up_to: "1000", unit_price: "0.03" },
              { up_to: null, unit_price: "0.02" },
            ],
          },
          partner: { model: "package", size: "100", price: "1.111" },
        },
      },
    ],
    ...change,
  });
const calls = (amount: string) => new Map([["calls", { meter: "call_minutes", unit: "minutes", isSum: true, amount }]]);

function subscription(history: [string, string][], tz: string, anchor: number): SubscriptionRecord {
  const startsAt = new Date(history[0]?.[1] ?? 0);
  const dates = { startsAt, trialEndsAt: null, expiresAt: null, cancelledAt: null, createdAt: startsAt, renews: true };
  const since = history.map(([planId, from]) => ({ planId, version: 1, validFrom: new Date(from) }));
  return { id: "sub_1", node: "organization:a", anchor, tz, ...dates, history: since };
}

describe("the charges of a statement, to the cent", () => {
  test("a whole cycle: what each level pays, and what it keeps", () => {
    const cycle = { startMs: at("2026-03-01T00:00:00Z"), endMs: at("2026-04-01T00:00:00Z") };
    const segment: ChargedSegment = {
      fromMs: cycle.startMs,
      toMs: cycle.endMs,
      planId: "p",
      version: 1,
      terms: terms(),
      used: calls("2050.5"),
    };
    const levels = chargesOf([segment], cycle, "UTC", priceLevels);
    expect(
      levels.map(({ level, total, margin, lines }) => [level, total, margin, lines.map(({ amount }) => amount)]),
    ).toEqual([
      ["organization", "121.02", null, ["49.00", "50.00", "22.02"]],
      ["reseller", "61.01", "60.01", ["30.00", "31.01"]],
      ["partner", "30.28", "30.73", ["12.50", "17.78"]],
    ]);
  });

  test("a cycle from the 31st in Berlin with a plan change and a day of 23 hours", () => {
    const tz = "Europe/Berlin";
    const changed = subscription(
      [
        ["small", "2026-01-31T00:00:00+01:00"],
        ["large", "2026-03-10T00:00:00+01:00"],
      ],
      tz,
      31,
    );
    const cycle = cycleContaining(at("2026-03-15T00:00:00Z"), tz, 31);
    const plans = { small: terms(), large: terms({ fixed_fee: { organization: "99" }, features: [] }) };
    const segments = segmentsOf(changed, cycle).map((one) => ({
      ...one,
      terms: plans[one.planId as keyof typeof plans],
      used: one.planId === "small" ? calls("400") : calls("9000"),
    }));
    const [organization] = chargesOf(segments, cycle, tz, priceLevels);
    // 240 of 743 hours under the small plan, with 240/743 of its 500 minutes; 503 hours under the large one.
    expect(
      organization?.lines.map(({ kind, from, to, quantity, amount }) => [kind, from, to, quantity, amount]),
    ).toEqual([
      ["fixed_fee", "2026-02-28T00:00:00+01:00", "2026-03-10T00:00:00+01:00", "0.323014805", "15.83"],
      ["usage", "2026-02-28T00:00:00+01:00", "2026-03-10T00:00:00+01:00", "238.492597577", "11.92"],
      ["fixed_fee", "2026-03-10T00:00:00+01:00", "2026-03-31T00:00:00+02:00", "0.676985195", "67.02"],
    ]);
    expect(organization?.total).toBe("94.77");
  });

  test.each([
    ["JPY", "1234.5", "1234"],
    ["KWD", "1.0005", "1.000"],
    ["EUR", "0.125", "0.12"],
  ])("in %s, whose minor unit rounds %s to %s", (currency, fee, amount) => {
    const cycle = { startMs: 0, endMs: 1000 };
    const made = terms({ currency, fixed_fee: { organization: fee }, features: [] });
    const [level] = chargesOf(
      [{ fromMs: 0, toMs: 1000, planId: "p", version: 1, terms: made, used: new Map() }],
      cycle,
      "UTC",
      priceLevels,
    );
    expect([level?.lines[0]?.amount, level?.total]).toEqual([amount, amount]);
  });

  test("without what lies in a trial", () => {
    const segments = [
      { fromMs: 0, toMs: 500, planId: "a", version: 1 },
      { fromMs: 500, toMs: 1000, planId: "b", version: 1 },
    ];
    expect(afterTrial(segments, new Date(750))).toEqual([{ fromMs: 750, toMs: 1000, planId: "b", version: 1 }]);
    expect(afterTrial(segments, null)).toEqual(segments);
  });
});

test("the lines add up to the total, and each margin is what the level below pays less what is paid", () => {
  const property = fc.property(
    fc.integer({ min: 0, max: 5_000_000 }),
    fc.integer({ min: 1, max: 999 }),
    (used, cut) => {
      const cycle = { startMs: 0, endMs: 1000 };
      const segments = [
        [0, cut],
        [cut, 1000],
      ].map(([fromMs = 0, toMs = 0]) => ({
        fromMs,
        toMs,
        planId: "p",
        version: 1,
        terms: terms(),
        used: calls(String(used / 1000)),
      }));
      const levels = chargesOf(segments, cycle, "UTC", priceLevels);
      for (const [index, { lines, total, margin }] of levels.entries()) {
        expect(
          roundHalfEven(
            lines.reduce((sum, { amount }) => plus(sum, exact(amount)), zero),
            2,
          ),
        ).toBe(total);
        const below = levels[index - 1];
        if (below) expect(roundHalfEven(plus(exact(total), exact(margin ?? "0")), 2)).toBe(below.total);
      }
    },
  );
  fc.assert(property, { numRuns: Number(process.env.PROPERTY_RUNS ?? 100) });
});
