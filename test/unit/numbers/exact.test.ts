import fc from "fast-check";
import { expect, test } from "vitest";
import {
  compare,
  type Exact,
  exact,
  isZero,
  minus,
  over,
  plus,
  ratio,
  roundHalfAway,
  roundHalfEven,
  times,
  truncate,
  zero,
} from "../../../server/numbers/exact.ts";

const amount = fc.tuple(fc.bigInt({ min: -(10n ** 29n), max: 10n ** 29n }), fc.nat(9)).map(([digits, places]) => {
  const text = String(digits < 0n ? -digits : digits).padStart(places + 1, "0");
  const size = places === 0 ? text : `${text.slice(0, -places)}.${text.slice(-places)}`;
  return digits < 0n ? `-${size}` : size;
});
const same = (a: Exact, b: Exact) => compare(a, b) === 0;

test("sums, products and their inverses are exact, whatever the numbers and however many", () => {
  const property = fc.property(amount, amount, amount, (first, second, third) => {
    const [a, b, c] = [exact(first), exact(second), exact(third)];
    expect(same(minus(plus(a, b), b), a)).toBe(true);
    expect(same(times(a, plus(b, c)), plus(times(a, b), times(a, c)))).toBe(true);
    if (!isZero(b)) expect(same(times(over(a, b), b), a)).toBe(true);
  });
  fc.assert(property);
  const parts = Array.from({ length: 500 }, (_, index) => ratio(1, (index + 1) * (index + 2)));
  expect(same(parts.reduce(plus, zero), ratio(500, 501))).toBe(true);
});

test.each([
  ["0.125", "0.12", "0.13", "0.12"],
  ["0.135", "0.14", "0.14", "0.13"],
  ["-0.125", "-0.12", "-0.13", "-0.12"],
  ["-0.001", "0.00", "0.00", "0.00"],
  ["1e-7", "0.00", "0.00", "0.00"],
  ["1e3", "1000.00", "1000.00", "1000.00"],
])("%s is %s half to even, %s half away from zero, %s cut off", (text, even, away, cut) => {
  const number = exact(text);
  expect([roundHalfEven(number, 2), roundHalfAway(number, 2), truncate(number, 2)]).toEqual([even, away, cut]);
});

test("nothing is divided by zero, and what is no decimal is none", () => {
  expect(() => over(exact("1"), zero)).toThrow(RangeError);
  for (const text of ["", "abc", "1,5", "NaN", "0x1", "--1"]) expect(() => exact(text)).toThrow(/not a decimal/);
});
