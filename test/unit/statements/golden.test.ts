/** Statements worked out by hand: every pricing model, currency, zone and change, and what later usage changes of them. */
import { describe, expect, test } from "vitest";
import { type SubscriptionRecord, segmentsOf } from "../../../server/billing/billing-cycle.ts";
import { dueParts } from "../../../server/billing/statements/due-parts.ts";
import { adjustmentLines, payingLevels, planCharges } from "../../../server/billing/statements/statement-charges.ts";
import { type Pricing, planTermsSchema } from "../../../server/contract/plans.ts";
import type { StatementLine } from "../../../server/contract/statements.ts";
import { cycleContaining } from "../../../server/metrics/windows.ts";

const path = ["organization:o", "reseller:r", "all"];
const at = (text: string) => Date.parse(text);
const tiers = [
  { up_to: "100", unit_price: "0.10", flat_fee: "2" },
  { up_to: "200", unit_price: "0.075" },
  { up_to: null, unit_price: "0.0333" },
];
const models: Record<string, Pricing> = {
  graduated: { model: "graduated", tiers },
  volume: { model: "volume", tiers },
  package: { model: "package", size: "30", price: "2.505" },
};
const terms = (pricing: Pricing | undefined, currency = "EUR", fee = "20") =>
  planTermsSchema.parse({
    currency,
    fixed_fee: { organization: fee },
    features: [
      {
        key: "calls",
        meter: "call_minutes",
        included: "50",
        overage: "bill",
        prices: pricing ? { organization: pricing } : {},
      },
    ],
  });

/** The lines of a part of March 2026, UTC. */
function linesOf(
  pricing: Pricing | undefined,
  used: string,
  { currency = "EUR", days = 31, isSum = true } = {},
): StatementLine[] {
  const cycle = { startMs: at("2026-03-01T00:00:00Z"), endMs: at("2026-04-01T00:00:00Z") };
  const toMs = cycle.startMs + days * 86_400_000;
  const amounts = new Map([["calls", { meter: "call_minutes", unit: "minutes", isSum, amount: used }]]);
  const segment = {
    fromMs: cycle.startMs,
    toMs,
    planId: "p",
    version: 1,
    terms: terms(pricing, currency),
    used: amounts,
  };
  return planCharges([segment], cycle, "UTC", path, currency)[0]?.lines ?? [];
}
const shortOf = (lines: readonly StatementLine[]) =>
  lines.map((one) => [one.tier, one.quantity, one.flat_fee, one.amount]);

describe("by every model", () => {
  test.each([
    ["flat", undefined, "999", []],
    ["graduated", "graduated", "50", []],
    ["graduated", "graduated", "50.001", [[1, "0.001", "2", "2.00"]]],
    [
      "graduated",
      "graduated",
      "300",
      [
        [1, "100", "2", "12.00"],
        [2, "100", "0", "7.50"],
        [3, "50", "0", "1.66"],
      ],
    ],
    ["volume", "volume", "150", [[1, "100", "2", "12.00"]]],
    ["volume", "volume", "150.5", [[2, "100.5", "0", "7.54"]]],
    ["volume", "volume", "300", [[3, "250", "0", "8.32"]]],
    ["package", "package", "80", [[null, "1", "0", "2.50"]]],
    ["package", "package", "80.0001", [[null, "2", "0", "5.01"]]],
    ["package", "package", "140", [[null, "3", "0", "7.52"]]],
  ] as const)("%s (%s) of %s minutes", (_, model, used, expected) => {
    const [fee, ...usage] = linesOf(model && models[model], used);
    expect([fee?.kind, fee?.amount]).toEqual(["fixed_fee", "20.00"]);
    expect(shortOf(usage)).toEqual(expected);
  });

  test.each([
    ["EUR", "8.32"],
    ["JPY", "8"],
    ["KWD", "8.325"],
  ])("in %s, rounded half to even to its minor unit: %s", (currency, amount) => {
    expect(linesOf(models.volume, "300", { currency })[1]?.amount).toBe(amount);
  });

  test("of a part of a cycle at that part of the fee, of what is included, of bounds and of flat fees", () => {
    // 15.5 of 31 days: half of everything.
    const [fee, ...usage] = linesOf(models.graduated, "100", { days: 15.5 });
    expect(fee?.amount).toBe("10.00");
    expect(shortOf(usage)).toEqual([
      [1, "50", "1", "6.00"],
      [2, "25", "0", "1.88"],
    ]);
    expect(shortOf(linesOf(models.package, "40", { days: 15.5 }).slice(1))).toEqual([[null, "1", "0", "1.25"]]);
  });

  test("a peak has its whole limit at any time, and costs that part of the whole cycle's", () => {
    expect(shortOf(linesOf(models.graduated, "60", { days: 15.5, isSum: false }).slice(1))).toEqual([
      [1, "10", "1", "1.50"],
    ]);
  });
});

describe("adjustments bring what was charged to what is known", () => {
  const change = (model: string, before: string, after: string) =>
    shortOf(adjustmentLines("stm_1", linesOf(models[model], before), linesOf(models[model], after), "EUR"));
  test.each([
    [
      "graduated",
      "60",
      "160",
      [
        [1, "90", "0", "9.00"],
        [2, "10", "0", "0.75"],
      ],
    ],
    [
      "graduated",
      "160",
      "40",
      [
        [1, "-100", "-2", "-12.00"],
        [2, "-10", "0", "-0.75"],
      ],
    ],
    [
      "volume",
      "150",
      "151",
      [
        [1, "-100", "-2", "-12.00"],
        [2, "101", "0", "7.58"],
      ],
    ],
    ["package", "80", "80.5", [[null, "1", "0", "2.51"]]],
    ["package", "81", "109", []],
    ["graduated", "160", "160.0001", []],
  ] as const)("%s from %s to %s minutes", (model, before, after, expected) => {
    expect(change(model, before, after)).toEqual(expected);
  });

  test("and after one was charged, the next is of the difference to both", () => {
    const [first, second, third] = ["60", "160", "170"].map((used) => linesOf(models.graduated, used));
    const charged = [...(first ?? []), ...adjustmentLines("stm_1", first ?? [], second ?? [], "EUR")];
    expect(shortOf(adjustmentLines("stm_1", charged, third ?? [], "EUR"))).toEqual([[2, "10", "0", "0.75"]]);
    expect(adjustmentLines("stm_1", charged, second ?? [], "EUR")).toEqual([]);
  });
});

const subscription = (
  tz: string,
  anchor: number,
  history: [string, string][],
  cancelledAt: string | null = null,
): SubscriptionRecord => {
  const startsAt = new Date(history[0]?.[1] ?? 0);
  return {
    id: "sub_1",
    node: "organization:o",
    anchor,
    tz,
    startsAt,
    renews: true,
    createdAt: startsAt,
    trialEndsAt: null,
    expiresAt: null,
    cancelledAt: cancelledAt === null ? null : new Date(cancelledAt),
    history: history.map(([planId, from]) => ({ planId, version: 1, validFrom: new Date(from) })),
  };
};
const still = (fromMs: number, toMs: number) => [{ fromMs, toMs, path }];
const parts = (one: SubscriptionRecord, due: string, places = still, since?: number) =>
  [...dueParts(one, since, at(due), places)].map(({ fromMs, toMs, segments }) => [
    new Date(fromMs).toISOString().slice(0, 16),
    new Date(toMs).toISOString().slice(0, 16),
    segments.map(({ planId }) => planId).join(),
  ]);

describe("what is due", () => {
  test("of a subscription of centuries no more is made than is asked for", () => {
    let made = 0;
    const counted = (fromMs: number, toMs: number) => {
      made++;
      return still(fromMs, toMs);
    };
    const old = subscription("UTC", 1, [["p", "1900-01-01"]]);
    expect(dueParts(old, undefined, at("2190-01-01"), counted).next().value?.toMs).toBe(at("1900-02-01"));
    expect(made).toBe(1);
  });

  test("from the 31st: the last day where a month has none, in a zone whose clocks change", () => {
    const one = subscription("Europe/Berlin", 31, [["a", "2025-12-31T00:00:00+01:00"]]);
    expect(parts(one, "2026-05-01T00:00:00Z")).toEqual([
      ["2025-12-30T23:00", "2026-01-30T23:00", "a"],
      ["2026-01-30T23:00", "2026-02-27T23:00", "a"],
      ["2026-02-27T23:00", "2026-03-30T22:00", "a"],
      ["2026-03-30T22:00", "2026-04-29T22:00", "a"],
    ]);
    expect(parts(one, "2026-04-29T21:59:59Z", still, at("2026-02-27T23:00:00Z"))).toEqual([
      ["2026-02-27T23:00", "2026-03-30T22:00", "a"],
    ]);
  });

  test("a plan changed at once divides its cycle, with the next cycle it does not; a cancelled one ends early", () => {
    const one = subscription(
      "UTC",
      1,
      [
        ["a", "2026-01-01T00:00:00Z"],
        ["b", "2026-01-11T06:00:00Z"],
        ["c", "2026-02-01T00:00:00Z"],
      ],
      "2026-02-20T12:00:00Z",
    );
    expect(parts(one, "2026-05-01T00:00:00Z")).toEqual([
      ["2026-01-01T00:00", "2026-02-01T00:00", "a,b"],
      ["2026-02-01T00:00", "2026-02-20T12:00", "c"],
    ]);
    const [january] = [segmentsOf(one, cycleContaining(at("2026-01-15T00:00:00Z"), "UTC", 1))];
    expect(january?.map(({ fromMs, toMs }) => (toMs - fromMs) / 3_600_000)).toEqual([246, 498]);
  });

  test("a move ends a part under the old parents, whatever plan was in force", () => {
    const movedMs = at("2026-01-20T00:00:00Z");
    const places = (fromMs: number, toMs: number) =>
      fromMs < movedMs && movedMs < toMs
        ? [
            { fromMs, toMs: movedMs, path },
            { fromMs: movedMs, toMs, path: ["organization:o", "reseller:s", "all"] },
          ]
        : still(fromMs, toMs);
    const one = subscription("UTC", 1, [
      ["a", "2026-01-01T00:00:00Z"],
      ["b", "2026-01-25T00:00:00Z"],
    ]);
    expect(parts(one, "2026-01-31T00:00:00Z", places)).toEqual([["2026-01-01T00:00", "2026-01-20T00:00", "a"]]);
    expect(parts(one, "2026-02-01T00:00:00Z", places).at(-1)).toEqual(["2026-01-20T00:00", "2026-02-01T00:00", "a,b"]);
  });
});

test("levels that a node's place skips pay nothing", () => {
  expect(payingLevels(path).map(({ level }) => level)).toEqual(["organization", "reseller"]);
  expect(payingLevels(["organization:o", "partner:p", "all"])).toEqual([
    { level: "organization", payer: "organization:o" },
    { level: "partner", payer: "partner:p" },
  ]);
  expect(payingLevels(["reseller:r", "all"])).toEqual([{ level: "reseller", payer: "reseller:r" }]);
});
