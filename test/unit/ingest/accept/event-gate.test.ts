import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { type UsageEvent, usageEventSchema } from "../../../../server/contract/events.ts";
import { explainForm, hasEventForm } from "../../../../server/ingest/accept/event-gate.ts";
import { parseJson } from "../../../../server/json/parse-json.ts";

const text = fc.oneof(
  { weight: 5, arbitrary: fc.string({ minLength: 1, maxLength: 12 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "",
      "\ud800",
      "a\0b",
      ".",
      "..",
      "a\udc00b",
      "é",
      "😀".repeat(128),
      "😀".repeat(129),
      "😀".repeat(256),
      "😀".repeat(257),
      `${"x".repeat(255)}é`,
      "x".repeat(256),
      "x".repeat(257),
      "__proto__",
    ),
  },
);
const instant = fc.oneof(
  fc.date({ noInvalidDate: true, min: new Date(0), max: new Date("9999-01-01") }).map((date) => date.toISOString()),
  fc.constantFrom(
    "2026-02-30T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-01-01 00:00:00.123456789+05:30",
    "2026-01-01t23:59:60z",
    "2026-01-01T00:00:00",
    "2026-01-01T00:00:00.1234567890Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T00:00:00Z\n",
    "",
  ),
);
const value = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.constantFrom(
    "1",
    "-1.5",
    "+0.000000001",
    "1.0000000001",
    "1e5",
    "",
    ".5",
    "5.",
    "1".repeat(29),
    "1".repeat(30),
    " 1",
    "NaN",
  ),
);
const oddity = fc.oneof(fc.constant(null), fc.boolean(), fc.double(), fc.constant([]), fc.constant({}), fc.string());
const either = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 30, arbitrary }, { weight: 1, arbitrary: oddity as fc.Arbitrary<unknown> });
const properties = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.dictionary(
      text,
      either(fc.oneof(text, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean())),
      { maxKeys: 6 },
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .integer({ min: 60, max: 70 })
      .map((count) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, index]))),
  },
);
const fields = {
  id: either(text),
  type: either(text),
  organization: either(text),
  time: either(instant),
  agent: either(text),
  user: either(text),
  session: either(text),
  room: either(text),
  interval: either(text),
  job: either(text),
  started_at: either(instant),
  value: either(value),
  seconds: either(value),
  properties: either(properties),
} satisfies Record<keyof UsageEvent, fc.Arbitrary<unknown>>;
const event = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ ...fields, extra: oddity }, { requiredKeys: ["id", "type", "organization"] }),
  },
  { weight: 3, arbitrary: fc.record({ id: text, type: text, organization: text, value, time: instant, properties }) },
  { weight: 1, arbitrary: fc.jsonValue() },
);

/** As it arrives: parsed from JSON, so that own `__proto__` keys exist and nothing inherits. */
function throughJson(given: unknown): unknown {
  return parseJson(JSON.stringify(given) ?? "null");
}

function hasProtoProperty(given: unknown): boolean {
  const container = (given as { properties?: unknown } | null)?.properties;
  return typeof container === "object" && container !== null && Object.hasOwn(container, "__proto__");
}

test("every field of the contract is among the events that the gate is tried with", () => {
  expect(Object.keys(fields).sort()).toEqual(Object.keys(usageEventSchema.shape).sort());
});

test("the gate lets through exactly what the contract allows, and every refusal is explained", () => {
  let passed = 0;
  fc.assert(
    fc.property(event, fc.boolean(), (given, drop) => {
      const sent = throughJson(given) as Record<string, unknown>;
      if (drop && sent && typeof sent === "object") delete sent.extra;
      // zod leaves out an own `__proto__` without a word; here it is refused, for it could not be read back.
      const allowed = usageEventSchema.safeParse(sent).success && !hasProtoProperty(sent);
      expect(hasEventForm(sent)).toBe(allowed);
      if (allowed) passed++;
      else expect(explainForm(sent).message).not.toBe("");
    }),
    { numRuns: 6_000 },
  );
  expect(passed).toBeGreaterThan(300);
});

const base = { id: "e1", type: "chat.posted", organization: "acme" };

test.each([
  ["a text", "x", "not_an_object", null],
  ["an array", [], "not_an_object", null],
  ["no id", { type: "t", organization: "o" }, "missing_field", "id"],
  ["no organization, and an unknown field", { id: "i", type: "t", foo: 1 }, "missing_field", "organization"],
  ["an unknown field", { ...base, tenant: "x" }, "unknown_field", "tenant"],
  [
    "__proto__ as a field",
    JSON.parse('{"id":"i","type":"t","organization":"o","__proto__":{}}'),
    "unknown_field",
    "__proto__",
  ],
  [
    "__proto__ as a property",
    { ...base, properties: JSON.parse('{"__proto__":{"a":1}}') },
    "invalid_field",
    "properties.__proto__",
  ],
  ["an empty user", { ...base, user: "" }, "invalid_field", "user"],
  ["a null id", { ...base, id: null }, "invalid_field", "id"],
  ["a long room", { ...base, room: "r".repeat(257) }, "invalid_field", "room"],
  ["a lone surrogate", { ...base, user: "\ud83d" }, "invalid_field", "user"],
  ["a time without an offset", { ...base, time: "2026-01-01T00:00:00" }, "invalid_field", "time"],
  ["a time that is a number", { ...base, time: 1_700_000_000 }, "invalid_field", "time"],
  ["U+0000 in an id", { ...base, id: "a\0b" }, "invalid_field", "id"],
  ["U+0000 in a property", { ...base, properties: { a: "\0" } }, "invalid_field", "properties.a"],
  ["U+0000 in the name of a property", { ...base, properties: { "a\0": 1 } }, "invalid_field", "properties.a\ufffd"],
  ["an organization named .", { ...base, organization: "." }, "invalid_field", "organization"],
  ["an event named ..", { ...base, id: ".." }, "invalid_field", "id"],
  ["a session named ..", { ...base, session: ".." }, "invalid_field", "session"],
  ["an agent named .", { ...base, agent: "." }, "invalid_field", "agent"],
  ["an exponent in a text", { ...base, value: "1e3" }, "invalid_field", "value"],
  ["a full-width digit", { ...base, value: "１" }, "invalid_field", "value"],
  ["a space before a number", { ...base, value: " 1" }, "invalid_field", "value"],
  ["a value of a thousand digits", { ...base, value: `0.${"1".repeat(1_000)}` }, "invalid_field", "value"],
  ["an infinite value", { ...base, value: JSON.parse("1e999") }, "invalid_field", "value"],
  ["a nested property", { ...base, properties: { a: { b: 1 } } }, "invalid_field", "properties.a"],
  ["a null property", { ...base, properties: { a: null } }, "invalid_field", "properties.a"],
  ["properties as an array", { ...base, properties: ["a"] }, "invalid_field", "properties"],
  [
    "65 properties",
    { ...base, properties: Object.fromEntries(Array.from({ length: 65 }, (_, n) => [n, n])) },
    "invalid_field",
    "properties",
  ],
])("%s is refused with the field at fault", (_, given, code, field) => {
  expect(hasEventForm(given)).toBe(false);
  expect(explainForm(given)).toMatchObject({ code, field });
});

test("an answer repeats no more than 100 characters of what an emitter sent", () => {
  const fault = explainForm({ ...base, [`\ud800${"k".repeat(10_000)}`]: 1 });
  expect(fault.field?.length).toBeLessThan(110);
  expect(fault.message.length).toBeLessThan(250);
  expect(fault.message.isWellFormed()).toBe(true);
});

test("an event made of countless faults is refused without an issue for each", () => {
  const parse = vi.spyOn(usageEventSchema, "safeParse");
  const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`p${index}`, null]));
  expect(explainForm({ ...base, properties: many })).toMatchObject({ code: "invalid_field", field: "properties" });
  expect(explainForm({ ...base, ...many })).toMatchObject({ code: "unknown_field", field: "p0" });
  expect(parse).not.toHaveBeenCalled();
  parse.mockRestore();
});
