import fc from "fast-check";
import { expect, test } from "vitest";
import { brokenBound, elementsOf, type JsonBounds } from "../../../server/json/json-bounds.ts";
import { parseJson } from "../../../server/json/parse-json.ts";

/** By recursion over what a parser made of it. */
function sizeOf(value: unknown): { depth: number; members: number; containers: number } {
  if (typeof value !== "object" || value === null) return { depth: 0, members: 0, containers: 0 };
  const inner = Object.values(value).map(sizeOf);
  return {
    depth: 1 + Math.max(0, ...inner.map(({ depth }) => depth)),
    members: Math.max(inner.length, ...inner.map(({ members }) => members)),
    containers: 1 + inner.reduce((sum, { containers }) => sum + containers, 0),
  };
}

const generous: JsonBounds = { maxDepth: 100, maxMembers: 10_000, maxContainers: 10_000 };
const evaluate = (text: string, bounds: Partial<JsonBounds> = {}) =>
  brokenBound(Buffer.from(text), { ...generous, ...bounds });

test("JSON is refused exactly where it nests deeper, or holds more, than its bounds", () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), (text) => {
      const { depth, members, containers } = sizeOf(parseJson(text));
      // The parser drops repeated names, which count here all the same.
      expect(evaluate(text, { maxDepth: Math.max(depth, 1), maxContainers: Math.max(containers, 1) })).toBeUndefined();
      if (depth > 0) expect(evaluate(text, { maxDepth: depth - 1 })).toMatch(/deep/);
      if (containers > 0) expect(evaluate(text, { maxContainers: containers - 1 })).toMatch(/objects and arrays/);
      if (members > 1) expect(evaluate(text, { maxMembers: members - 1 })).toMatch(/members/);
    }),
  );
});

test("brackets and commas inside of strings are text, also behind escapes", () => {
  expect(evaluate('"[[[[{{{{"', { maxDepth: 0 })).toBeUndefined();
  expect(evaluate('["\\"[[[,,,", "\\\\"]', { maxDepth: 1, maxMembers: 2 })).toBeUndefined();
  expect(evaluate('["\\\\", [[]]]', { maxDepth: 2 })).toMatch(/deep/);
});

test.each(["", "[", '"', "]]]]", '["\\', "{]", "\u0000", "[[[[", ",".repeat(100)])(
  "what is no JSON is evaluated too: %j",
  (text) => {
    expect(() => evaluate(text, { maxDepth: 2 })).not.toThrow();
  },
);

test("the elements of an array are found where a parser finds them", () => {
  fc.assert(
    fc.property(
      fc.array(fc.jsonValue({ maxDepth: 3 }), { minLength: 1 }),
      fc.constantFrom("", " ", "\r\n\t"),
      (values, blank) => {
        const bytes = Buffer.from(
          `${blank}[${values.map((value) => blank + JSON.stringify(value) + blank).join(",")}]${blank}`,
        );
        const elements = elementsOf(bytes, 0, 1_000);
        expect(elements?.map(([from, to]) => parseJson(bytes.toString("utf8", from, to)))).toEqual(
          parseJson(JSON.stringify(values)),
        );
      },
    ),
  );
});

test.each(["{}", "", "[1", "[1] 2", "1,2", '["'])("what is no whole array has no elements: %j", (text) => {
  expect(elementsOf(Buffer.from(text), 0, 10)).toBeUndefined();
});

test("an array is read no further than one element beyond the most", () => {
  expect(elementsOf(Buffer.from(`[${"0,".repeat(100)}0]`), 0, 10)).toHaveLength(11);
});
