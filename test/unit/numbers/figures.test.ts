import fc from "fast-check";
import { expect, test } from "vitest";
import { minutesOf, sumDecimals, trimDecimal } from "../../../server/numbers/figures.ts";

test("milliseconds become minutes, rounded once, half up, to 6 decimals", () => {
  expect([0, 60_000, 30_000, 1, 3, 1_737_133_440_000].map(minutesOf)).toEqual([
    "0",
    "1",
    "0.5",
    "0.000017",
    "0.00005",
    "28952224",
  ]);
});

test("sums of decimals are exact to 9 places whatever their order", () => {
  const units = fc.bigInt({ min: -(10n ** 27n), max: 10n ** 27n });
  const asDecimal = (value: bigint) => {
    const digits = String(value < 0n ? -value : value).padStart(10, "0");
    return `${value < 0n ? "-" : ""}${digits.slice(0, -9)}.${digits.slice(-9)}`;
  };
  fc.assert(
    fc.property(fc.array(units), (values) => {
      const sum = values.reduce((total, value) => total + value, 0n);
      expect(sumDecimals(values.map(asDecimal))).toBe(trimDecimal(asDecimal(sum)));
    }),
  );
});

test("zeros that say nothing are left out", () => {
  expect(["1.250", "1.000", "100", "0.0", "-0.50"].map(trimDecimal)).toEqual(["1.25", "1", "100", "0", "-0.5"]);
});
