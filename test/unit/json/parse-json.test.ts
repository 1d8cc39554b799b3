import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseJson, parseWithCodedNames, TooManyNamesError } from "../../../server/json/parse-json.ts";

/** Few characters, so that names share beginnings and one object's name stands where another's did. */
const name = fc.oneof(
  fc.string({
    unit: fc.constantFrom("\\", "\n", '"', "\0", "a", "b", "\x80", "\xfd", "\xc2", "é", "\ud800"),
    maxLength: 3,
  }),
  fc.constantFrom("__proto__", "constructor", "1", "first"),
);
const { value: anything } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(name, fc.integer(), fc.constant(null), fc.boolean()),
    fc.array(tie("value"), { maxLength: 3 }),
    tie("object"),
  ),
  object: fc.array(fc.tuple(name, tie("value")), { maxLength: 5 }).map((entries) => ({ entries })),
}));

/** JSON text of what `anything` makes, written by hand: names as often with an escape as without. */
function write(value: unknown, isEscaping: boolean): string {
  if (Array.isArray(value)) return `[${value.map((one) => write(one, isEscaping)).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const { entries } = value as { entries: [string, unknown][] };
  return `{${entries.map(([key, inner]) => `${writeName(key, isEscaping)} :${write(inner, isEscaping)}`).join(", ")}}`;
}

function writeName(key: string, isEscaping: boolean): string {
  if (!isEscaping) return JSON.stringify(key);
  return `"${[...key].flatMap((one) => [...one].map(escaped)).join("")}"`;
}

function escaped(one: string): string {
  return Array.from({ length: one.length }, (_, at) => `\\u${one.charCodeAt(at).toString(16).padStart(4, "0")}`).join(
    "",
  );
}

/** What the text says, by rules of its own: names in order of their first mention, the last value of each. */
function expected(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(expected);
  if (typeof value !== "object" || value === null) return value;
  const { entries } = value as { entries: [string, unknown][] };
  return new Map(entries.map(([key, inner]) => [key, expected(inner)]));
}

function asMaps(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asMaps);
  if (typeof value !== "object" || value === null) return value;
  return new Map(Reflect.ownKeys(value).map((key) => [key, asMaps(Reflect.get(value, key))]));
}

test("every name is read as it was written, whatever names were read before", () => {
  fc.assert(
    fc.property(anything, fc.boolean(), (value, isEscaping) => {
      const text = write(value, isEscaping);
      expect(asMaps(parseJson(text)), text).toEqual(expected(value));
      expect(asMaps(parseWithCodedNames(text)), text).toEqual(expected(value));
    }),
    { numRuns: 5_000 },
  );
});

test("names keep their order", () => {
  const text = '{"b":0,"\\n":0,"7":0,"\\\\":0,"\\u0061":0,"b":1}';
  expect(Object.entries(parseWithCodedNames(text) as object)).toEqual([
    ["7", 0],
    ["b", 1],
    ["\n", 0],
    ["\\", 0],
    ["a", 0],
  ]);
});

test("what is not JSON is refused with the error that the text itself gives", () => {
  fc.assert(
    fc.property(anything, fc.nat(), fc.constantFrom("", "\\", '"', "}", "\\x", "\n"), (value, where, planted) => {
      const whole = write(value, true);
      const at = where % (whole.length + 1);
      const text = whole.slice(0, at) + planted + whole.slice(at + 1);
      const outcome = (parse: (text: string) => unknown) => {
        try {
          parse(text);
          return "read";
        } catch (error) {
          return error instanceof SyntaxError ? error.message : error;
        }
      };
      expect(outcome(parseWithCodedNames)).toEqual(outcome(JSON.parse));
    }),
  );
});

test("only parse-json.ts gives JSON.parse a text", () => {
  const server = join(import.meta.dirname, "../../../server");
  const files = readdirSync(server, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  const parsing = files.filter((file) => readFileSync(join(server, file), "utf8").includes("JSON.parse("));
  const standalone = parsing.filter((file) => !file.startsWith("emitter/"));
  // A cursor names nothing: it is an array. The process that sets a PDF, and the figures of a shared panel, read what the server wrote.
  expect(standalone.sort()).toEqual([
    "http/routes/shared-views.ts",
    "json/parse-json.ts",
    "lists/cursor.ts",
    "reports/render/pdf.ts",
  ]);
});

test("a text of very many different escaped names is refused, and one of few that come often is read", () => {
  const object = (names: string[]) => `{${names.map((name) => `"\\n${name}":1`).join(",")}}`;
  const many = Array.from({ length: 20_001 }, (_, index) => `${index}`);
  expect(() => parseWithCodedNames(object(many))).toThrow(TooManyNamesError);
  const often = `[${Array.from({ length: 30_000 }, () => object(["a", "b"])).join(",")}]`;
  expect(new Set((parseWithCodedNames(often) as object[]).flatMap(Object.keys))).toEqual(new Set(["\na", "\nb"]));
});
