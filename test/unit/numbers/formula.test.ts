import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  combineFigures,
  type Formula,
  InvalidFormulaError,
  metersIn,
  parseFormula,
} from "../../../server/numbers/formula.ts";

const figures = new Map([
  ["a", "7"],
  ["b", "2.5"],
  ["zero", "0"],
]);
const of = (text: string) => combineFigures(parseFormula(text), figures);

describe("a formula", () => {
  test.each([
    ["a + b * 2", "12"],
    ["(a + b) * 2", "19"],
    ["a - b - 1", "3.5"],
    ["a / b / 2", "1.4"],
    ["1 / 3", "0.333333333"],
    ["2 / 3", "0.666666667"],
    ["unknown + 1", "1"],
    [" 0.1+0.2 ", "0.3"],
  ])("%s is %s", (text, expected) => {
    expect(of(text)).toBe(expected);
  });
  test("that divides by nothing has no figure", () => {
    expect(of("a / zero")).toBeUndefined();
    expect(of("1 + b / (a - 7)")).toBeUndefined();
  });
  test("names its meters, each once", () => {
    expect(metersIn(parseFormula("a / (b + a) - 3"))).toEqual(["a", "b"]);
  });
  test("of thousands of meters names them by one look at each", () => {
    let formula: Formula = { kind: "meter", name: "m0" };
    for (let number = 1; number < 4_000; number++)
      formula = { kind: "operation", operator: "+", left: formula, right: { kind: "meter", name: `m${number}` } };
    const startedAt = process.cpuUsage();
    expect(metersIn(formula)).toHaveLength(4_000);
    const { user, system } = process.cpuUsage(startedAt);
    expect((user + system) / 1_000).toBeLessThan(150);
  });
  test.each(["", "a +", "(a", "a b", "a ** b", "1e5", "A", "a)", "a % b", "process.exit()", `${"(".repeat(99)}a`])(
    "%j is refused",
    (text) => {
      expect(() => parseFormula(text)).toThrow(InvalidFormulaError);
    },
  );
  test("whatever is written is read or refused, never run and never a crash", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseFormula(text);
        } catch (error) {
          expect((error as Error).name).toBe("InvalidFormulaError");
        }
      }),
    );
  });
});
