import fc from "fast-check";
import { expect, test } from "vitest";
import {
  ExactNumber,
  mayBendNumbers,
  parseEveryDigit,
  parseExactJson,
  stringifyExact,
} from "../../../server/json/exact-json.ts";
import { parseJson } from "../../../server/json/parse-json.ts";

const parse = (json: string) => parseExactJson(Buffer.from(json));

test.each([
  "1524831183200260097",
  "-1524831183200260096",
  "100000000.000000001",
  "0.30000000000000004",
  "123456789012345678901234567890.5e-3",
  "1e-400",
  "-1.5E-400",
])("the number %s keeps its digits wherever it stands", (text) => {
  for (const json of [text, ` ${text}\n`, `[1,${text}]`, `[ ${text} ]`, `{"a": ${text},"b":[{"c":${text}}]}`])
    expect(stringifyExact(parse(json)).replaceAll(/\s/g, "")).toBe(json.replaceAll(/\s/g, ""));
});

test.each([
  "12.5",
  "1e3",
  "123456789012345",
  "0.1",
  "1e30",
  "-0",
  "true",
  '"1524831183200260097"',
  '{"1524831183200260097":1}',
])("a body with %s is read as any other", (json) => {
  expect(mayBendNumbers(Buffer.from(json))).toBe(false);
  expect(parse(json)).toEqual(parseJson(json));
});

test("a text that looks like a number stays text", () => {
  const json = '{"a":"x: 1524831183200260097","b":"\\"c\\":1524831183200260097,","d":1524831183200260097}';
  expect(parse(json)).toEqual({
    a: "x: 1524831183200260097",
    b: '"c":1524831183200260097,',
    d: new ExactNumber("1524831183200260097"),
  });
});

test.each([
  "01524831183200260097",
  "1524831183200260097.",
  "15248311832002600.97e",
  "[1524831183200260097",
  "1524831183200260097-1",
])("%s is as little JSON as without its many digits", (json) => {
  expect(() => parse(json)).toThrow(SyntaxError);
});

test("plain JSON.stringify writes such a number as a text of its digits, never as another number", () => {
  expect(JSON.stringify({ a: parse("1524831183200260097") })).toBe('{"a":"1524831183200260097"}');
});

test("ten megabytes of digits, spaces or nesting are read in one pass", () => {
  const digits = "7".repeat(10 * 1024 * 1024);
  expect(parse(`[${digits}]`)).toEqual([new ExactNumber(digits)]);
  expect(parse(`"${digits}"`)).toBe(digits);
  expect(parse(`[${" ".repeat(5_000_000)}1]`)).toEqual([1]);
});

const digits = fc.stringMatching(/^-?(0|[1-9]\d{0,25})(\.\d{1,20})?([eE][-+]?\d{1,3})?$/);
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: "small" },
    digits,
    fc.string({ unit: "binary" }).map((text) => JSON.stringify(text)),
    fc.constantFrom("true", "null", '"-1524831183200260097"'),
    fc.array(tie("any") as fc.Arbitrary<string>, { maxLength: 4 }).map((items) => `[${items.join(" , ")}]`),
    fc
      // A name that comes twice loses its first value, and with it maybe the only number for which digits are kept.
      .uniqueArray(fc.tuple(fc.string(), tie("any") as fc.Arbitrary<string>), {
        maxLength: 4,
        selector: ([name]) => name,
      })
      .map((entries) => `{${entries.map(([name, item]) => `${JSON.stringify(name)}: ${item}`).join(",\n")}}`),
  ),
}));

test("JSON in is JSON out, to the last digit of every number that a double would bend", () => {
  const same = (a: unknown, b: unknown): boolean => {
    if (a instanceof ExactNumber) return Number(a.text) === b;
    if (typeof a !== "object" || a === null) return Object.is(a, b);
    const keys = Object.keys(a);
    return (
      keys.length === Object.keys(b as object).length &&
      keys.every((key) => same((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]))
    );
  };
  fc.assert(
    fc.property(value.any as fc.Arbitrary<string>, (json) => {
      const parsed = parse(json);
      expect(same(parsed, parseJson(json))).toBe(true);
      const again = parse(stringifyExact(parsed));
      fc.pre(!/[eE][-+]?\d{3}/.test(json));
      expect(stringifyExact(again)).toBe(stringifyExact(parsed));
    }),
    { numRuns: 3_000 },
  );
});

test("a number that stands as a name is refused, however long it is", () => {
  for (const name of ["12345678901234567", "-12345678901234567.5", "1e-400"])
    for (const text of [
      `{"a":1,${name}:1}`,
      `{"a":1, ${name} : 1}`,
      `{${name}:1}`,
      `[{"a":0.12345678901234567,${name}\n:1}]`,
    ]) {
      expect(() => parseExactJson(Buffer.from(text)), text).toThrow(SyntaxError);
      expect(() => parseEveryDigit(Buffer.from(text)), text).toThrow(SyntaxError);
    }
});
