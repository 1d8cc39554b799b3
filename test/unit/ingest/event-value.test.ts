import fc from "fast-check";
import { expect, test } from "vitest";
import { exactDecimal } from "../../../server/ingest/event-value.ts";

test.each([
  [12.5, "12.5"],
  ["12.50", "12.5"],
  ["+12.5", "12.5"],
  ["-0", "0"],
  ["-0.000", "0"],
  [-0, "0"],
  ["007", "7"],
  ["-00.10", "-0.1"],
  ["100", "100"],
  ["0.10", "0.1"],
  [100, "100"],
  [0.1, "0.1"],
  [1e-7, "0.0000001"],
  [-1e-9, "-0.000000001"],
  [9007199254740991, "9007199254740991"],
  ["999999999999999999.999999999", "999999999999999999.999999999"],
  [123456.789012345, "123456.789012345"],
])("%s is kept as %s", (value, expected) => {
  expect(exactDecimal(value)).toBe(expected);
});

test.each([1e-10, 1e30, 123.4567890123, 0.1 + 0.2, 2 ** 53, 1.2345678901234568e17, 1234567890.1234567, -1e21, 5e-324])(
  "the number %s is refused, for a double does not keep its digits",
  (value) => {
    expect(exactDecimal(value)).toBeUndefined();
  },
);

test("every decimal of 15 significant digits is the same amount as a number and as a string", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -(10 ** 15) + 1, max: 10 ** 15 - 1 }),
      fc.integer({ min: 0, max: 9 }),
      (digits, decimals) => {
        const sign = digits < 0 ? "-" : "";
        const padded = String(Math.abs(digits)).padStart(decimals + 1, "0");
        const text =
          decimals === 0 ? `${sign}${padded}` : `${sign}${padded.slice(0, -decimals)}.${padded.slice(-decimals)}`;
        expect(exactDecimal(JSON.parse(text) as number)).toBe(exactDecimal(text));
      },
    ),
  );
});
