/** What an emitter writes as a number is what is logged, hashed, answered and quarantined, to the last digit. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { acceptRequest } from "../../../server/ingest/accept/accept-request.ts";
import { eventOfLine } from "../../../server/ingest/accept/event-row.ts";
import { propertiesOf } from "../../../server/ingest/accept/event-value.ts";
import { stringifyExact } from "../../../server/json/exact-json.ts";
import { type Accepting, rootKey, startAccepting } from "../../support/accepting.ts";

let accepting: Accepting;
beforeAll(async () => {
  accepting = await startAccepting({ now: () => Date.UTC(2026, 10, 21, 9) });
});
afterAll(() => accepting.close());

let made = 0;
const nextId = () => `n${++made}`;
const eventText = (id: string, fields: string) =>
  `{"id":"${id}","type":"chat.posted","organization":"acme","time":"2026-11-21T08:59:00Z",${fields}}`;

async function post(body: string, headers: Record<string, string> = {}) {
  const bytes = Buffer.from(body);
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
  const request = { headers: new Headers({ "content-type": "application/json", ...headers }), body: stream };
  return (await acceptRequest(accepting, { ...request, sendingKey: rootKey, isAtomic: false })).decision;
}

const logged = async (id: string) => (await accepting.loggedEvents()).find((line) => line.id === id);

const ways: [string, (event: string) => [string, Record<string, string>?]][] = [
  ["one event", (event) => [event]],
  ["an array", (event) => [`[${event}]`]],
  ["lines", (event) => [`\n${event}\n`, { "content-type": "application/x-ndjson" }]],
];
const cloudEvent = (id: string, fields: string) =>
  `{"specversion":"1.0","id":"${id}","source":"/s","type":"chat.posted","time":"2026-11-21T08:59:00Z","data":{"organization":"acme",${fields}}}`;

test.each(ways)("every digit of a number arrives in %s", async (_, asBody) => {
  const id = nextId();
  const fields = '"value":100000000.000000001,"properties":{"call":1524831183200260097,"rate":0.1}';
  expect(await post(...asBody(eventText(id, fields)))).toMatchObject({ accepted: 1, warnings: [] });
  const line = await logged(id);
  expect(line?.value).toBe("100000000.000000001");
  expect(line?.properties).toBe('{"call":{"decimal":"1524831183200260097"},"rate":0.1}');
});

test("every digit of a number arrives in CloudEvents, structured, in a batch, binary and in base64", async () => {
  const fields = '"value":100000000.000000001,"properties":{"call":1524831183200260097}';
  const data = `{"organization":"acme",${fields}}`;
  const coded = Buffer.from(data).toString("base64");
  const [a, b, c, d] = [nextId(), nextId(), nextId(), nextId()];
  const binary = { "ce-specversion": "1.0", "ce-id": c, "ce-source": "/s", "ce-type": "chat.posted" };
  await post(cloudEvent(a, fields), { "content-type": "application/cloudevents+json" });
  await post(`[${cloudEvent(b, fields)}]`, { "content-type": "application/cloudevents-batch+json" });
  await post(data, binary);
  await post(cloudEvent(d, fields).replace(/"data":.*/, `"data_base64":"${coded}"}`), {
    "content-type": "application/cloudevents+json",
  });
  for (const id of [a, b, c, d]) {
    const line = await logged(`${id}\0/s`);
    expect(line?.value).toBe("100000000.000000001");
    expect(line?.properties).toContain('"call":{"decimal":"1524831183200260097"}');
  }
});

test("two numbers that a double cannot tell apart are two bodies; two ways to write a number are one", async () => {
  const id = nextId();
  const withCall = (number: string) => eventText(id, `"properties":{"call":${number}}`);
  expect(await post(withCall("1524831183200260097"))).toMatchObject({ accepted: 1 });
  expect(await post(withCall("1524831183200260096"))).toMatchObject({ rejected: [{ code: "id_conflict" }] });
  expect(await post(withCall("1524831183200260097.0"))).toMatchObject({ duplicates: 1 });
  const other = nextId();
  expect(await post(eventText(other, '"value":1.0,"properties":{"a":1.0}'))).toMatchObject({ accepted: 1 });
  expect(await post(eventText(other, '"value":"1","properties":{"a":1e0}'))).toMatchObject({ duplicates: 1 });
  expect(await post(eventText(other, '"value":1,"properties":{"a":"1"}'))).toMatchObject({
    rejected: [{ code: "id_conflict" }],
  });
});

test.each([
  ["0.30000000000000004", "0.3"],
  ["1e-400", "0"],
  ["-0.0000000005", "0"],
  ["0.0000000015", "0.000000002"],
  ["20.33333333333333333", "20.333333333"],
])("%s is rounded half to even, with a warning for each field", async (number, expected) => {
  const id = nextId();
  const decision = await post(eventText(id, `"value":${number},"properties":{"a":${number},"b":1}`));
  expect(decision.accepted).toBe(1);
  expect(decision.warnings).toMatchObject([
    { index: 0, id, code: "rounded", field: "value" },
    { index: 0, id, code: "rounded", field: "properties.a" },
  ]);
  const line = await logged(id);
  expect(line?.value).toBe(expected);
  expect(stringifyExact(propertiesOf(line?.properties ?? ""))).toBe(`{"a":${expected},"b":1}`);
});

test("a value given as a text is rounded as the number is", async () => {
  const id = nextId();
  expect(await post(eventText(id, '"value":"1.0000000005"'))).toMatchObject({
    accepted: 1,
    warnings: [{ code: "rounded", field: "value" }],
  });
  expect((await logged(id))?.value).toBe("1");
});

test.each([
  ["value", '"value":1e400'],
  ["value", '"value":1e29'],
  ["value", '"value":-100000000000000000000000000000'],
  ["value", '"value":"99999999999999999999999999999.9999999995"'],
  ["properties.a", '"properties":{"a":1e30}'],
  ["properties.a", '"properties":{"a":1e400}'],
  ["properties.a", '"properties":{"a":-100000000000000000000000000000}'],
])("what does not fit is refused by its field %s and quarantined as it was sent: %s", async (field, fields) => {
  const sent = eventText(nextId(), fields);
  expect(await post(`[${eventText(nextId(), '"value":1')},\n  ${sent}]`)).toMatchObject({
    accepted: 1,
    rejected: [{ index: 1, code: "invalid_field", field }],
  });
  expect((await accepting.loggedQuarantine()).at(-1)?.raw).toBe(sent);
});

test("an event of the log keeps all its digits", () => {
  const columns = "1\tacme\te1\t7\t1763712000000\t1763712000000\tchat.posted\t\t\t\t\t\t\t\t\t0\t1.5";
  const { event } = eventOfLine(`${columns}\t{"call":{"decimal":"1524831183200260097"}}\t{}\t\t\t0\tkey_1`);
  expect(stringifyExact(event.properties)).toBe('{"call":1524831183200260097}');
});
