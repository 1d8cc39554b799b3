import fc from "fast-check";
import { expect, test } from "vitest";
import { readDecimal } from "../../../server/numbers/decimal.ts";

test.each([
  ["12.50", "12.5", false],
  ["+1", "1", false],
  ["007", "7", false],
  ["-0", "0", false],
  ["-0.0", "0", false],
  ["0e400", "0", false],
  ["1e3", "1000", false],
  ["1.25e1", "12.5", false],
  ["1E-9", "0.000000001", false],
  ["1e-10", "0", true],
  ["-0.0000000005", "0", true],
  ["0.0000000015", "0.000000002", true],
  ["0.0000000025", "0.000000002", true],
  ["0.00000000250000000000000000001", "0.000000003", true],
  ["1e-400", "0", true],
  ["0.9999999999", "1", true],
  ["100000000.000000001", "100000000.000000001", false],
  ["1524831183200260097", "1524831183200260097", false],
  [`${"9".repeat(29)}.999999999`, `${"9".repeat(29)}.999999999`, false],
  [`1${"0".repeat(400)}e-400`, "1", false],
])("%s is kept as %s", (given, text, isRounded) => {
  expect(readDecimal(given)).toEqual({ text, isRounded });
});

test.each([
  "1e29",
  "1e400",
  "1e99999999999999999999",
  `${"9".repeat(29)}.9999999999`,
  "",
  ".5",
  "5.",
  "1e",
  " 1",
  "0x10",
  "１",
  "NaN",
  "Infinity",
  "1_000",
  "--1",
])("%s is no decimal that storage holds", (given) => {
  expect(readDecimal(given)).toBeUndefined();
});

const number = fc
  .record({
    sign: fc.constantFrom("", "-"),
    whole: fc.stringMatching(/^(0|[1-9]\d{0,33})$/),
    fraction: fc.stringMatching(/^\d{0,24}$/),
    exponent: fc.option(fc.integer({ min: -40, max: 40 })),
  })
  .map(({ sign, whole, fraction, exponent }) => ({
    text: `${sign}${whole}${fraction === "" ? "" : `.${fraction}`}${exponent === null ? "" : `e${exponent}`}`,
    // The oracle: the number as a fraction of whole numbers.
    top: BigInt(`${sign}${whole}${fraction}`) * 10n ** BigInt(Math.max(0, exponent ?? 0)),
    bottom: 10n ** BigInt(fraction.length + Math.max(0, -(exponent ?? 0))),
  }));

/** Nearest whole number of billionths, half to even. */
function billionths(top: bigint, bottom: bigint): bigint {
  const size = (top < 0n ? -top : top) * 10n ** 9n;
  const [whole, rest] = [size / bottom, size % bottom];
  const isUp = 2n * rest > bottom || (2n * rest === bottom && whole % 2n === 1n);
  const units = isUp ? whole + 1n : whole;
  return top < 0n ? -units : units;
}

test("every number is the nearest decimal of nine places, half to even, as whole-number arithmetic has it, or too large", () => {
  fc.assert(
    fc.property(number, ({ text, top, bottom }) => {
      const units = billionths(top, bottom);
      const read = readDecimal(text);
      const isTooLarge = units >= 10n ** 38n || units <= -(10n ** 38n);
      expect(read === undefined).toBe(isTooLarge);
      if (read === undefined) return;
      const [whole = "", decimals = ""] = read.text.split(".");
      expect(BigInt(whole + decimals.padEnd(9, "0"))).toBe(units);
      expect(read.isRounded).toBe((top * 10n ** 9n) % bottom !== 0n);
      expect(read.text).toMatch(/^(0|-?(0|[1-9]\d*)(\.\d{0,8}[1-9])?)$/);
    }),
    { numRuns: 5_000 },
  );
});
