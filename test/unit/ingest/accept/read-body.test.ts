import { describe, expect, test } from "vitest";
import { bodyFormOf, readBody } from "../../../../server/ingest/accept/read-body.ts";
import { ProblemError } from "../../../../server/problem.ts";

const deep = (levels: number) => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;
const sound = { id: "e1", type: "chat.posted", organization: "acme" };
const soundCloudEvent = { specversion: "1.0", id: "e1", source: "s", type: "chat.posted", subject: "acme" };

function read(contentType: string, body: string | Buffer) {
  const headers = new Headers({ "content-type": contentType });
  return readBody(Buffer.from(body), bodyFormOf(headers), headers);
}

/** Bodies of neighbours around one that no event can be. */
const forms: Record<string, (bad: string) => [type: string, body: string]> = {
  array: (bad) => ["application/json", `[${JSON.stringify(sound)},${bad},${JSON.stringify(sound)}]`],
  lines: (bad) => ["application/x-ndjson", `${JSON.stringify(sound)}\n${bad}\n${JSON.stringify(sound)}`],
  "batch of CloudEvents": (bad) => [
    "application/cloudevents-batch+json",
    `[${JSON.stringify(soundCloudEvent)},${bad},${JSON.stringify(soundCloudEvent)}]`,
  ],
};
const excesses: Record<string, string> = {
  "nests 40 levels": deep(40),
  "nests a million levels": `${"[".repeat(1_000_000)}${"]".repeat(1_000_000)}`,
  "has 600,000 members": `{${Array.from({ length: 600_000 }, (_, at) => `"k${at}":1`).join(",")}}`,
  "has a million empty objects": `{"a":[${"{},".repeat(1_000_000)}{}]}`,
  "has data that nests": `{"specversion":"1.0","id":"e","source":"s","type":"t","data":${deep(5_000)}}`,
};

describe.each(Object.entries(forms))("in a body of the form %s", (_, bodyOf) => {
  test.each(Object.entries(excesses))("an event that %s harms itself alone", (__, bad) => {
    const { events, unreadable, rawOf } = read(...bodyOf(bad));
    expect(events).toHaveLength(3);
    expect([...unreadable.keys()]).toEqual([1]);
    expect(unreadable.get(1)?.code).toBe("too_complex");
    expect(events[0]).toMatchObject({ id: "e1", organization: "acme" });
    expect(events[2]).toMatchObject({ id: "e1", organization: "acme" });
    expect(bad.startsWith(rawOf(1).slice(0, 1_000))).toBe(true);
  });
});

test("a line is judged as it is alone, whatever lines stand before and behind it", () => {
  const flat = (members: number) => `{${Array.from({ length: members }, (_, at) => `"k${at}":1`).join(",")}}`;
  const objects = (count: number) => `{"a":{${Array.from({ length: count - 2 }, (_, at) => `"k${at}":{}`).join(",")}}}`;
  const lines = [
    JSON.stringify(sound),
    deep(31),
    "1",
    deep(32),
    deep(33),
    '"{"',
    "1",
    deep(34),
    flat(4_999),
    flat(5_000),
    flat(5_001),
    objects(32),
    objects(33),
    `{"a":"${"{".repeat(40)}"}`,
    "1",
    "{{{{",
    "}",
    JSON.stringify(sound),
    '"no object"',
  ];
  const alone = lines.map((line) => read("application/x-ndjson", line).unreadable.get(0)?.code);
  expect(new Set(alone)).toEqual(new Set([undefined, "too_complex", "not_json"]));
  for (const all of [lines, lines.toReversed(), [...lines, "[]"], ["[]", ...lines, ...lines]]) {
    const codeOf = (line: string) => (line === "[]" ? undefined : alone[lines.indexOf(line)]);
    const { unreadable } = read("application/x-ndjson", all.join("\n"));
    expect(all.map((_, index) => unreadable.get(index)?.code)).toEqual(all.map(codeOf));
  }
});

test.each([
  ["application/json", "[".repeat(10_000_000)],
  ["application/json", deep(1_000)],
  ["application/cloudevents+json", deep(1_000)],
  ["application/cloudevents-batch+json", deep(1_000)],
  ["application/json", `[${deep(1_000)}`],
])("a body of %s that nests without being an array of events cannot be read", (type, body) => {
  expect(() => read(type, body)).toThrow(ProblemError);
});

test("more events than a request has are refused before any is parsed", () => {
  expect(() => read("application/json", `[${"{},".repeat(3_000_000)}{}]`)).toThrow(/at most 10000 events/);
});

test.each([
  ["six megabytes of data", Buffer.alloc(6_000_000, '"').toString("base64"), /data_base64. has more than/],
  ["six megabytes of nothing that base64 knows", "!".repeat(6_000_000), /data_base64. is not base64/],
  ["data that nests", Buffer.from(deep(10_000)).toString("base64"), /nests/],
  ["padding within", "QQ==QQ==", /is not base64/],
])("a CloudEvent with %s harms itself alone", (_, coded, message) => {
  const batch = [soundCloudEvent, { ...soundCloudEvent, data_base64: coded }, soundCloudEvent];
  const { events, unreadable } = read("application/cloudevents-batch+json", JSON.stringify(batch));
  expect(events).toHaveLength(3);
  expect([...unreadable.keys()]).toEqual([1]);
  expect(unreadable.get(1)?.message).toMatch(message);
});
