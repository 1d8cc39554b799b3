/** CloudEvents, structured, in batches and in binary mode, as events with a source. */
import { expect, test } from "vitest";
import { posting } from "../../../support/posting.ts";

const nowMs = Date.UTC(2026, 10, 21, 9);
const world = posting(nowMs);
const { event, post, refusal } = world;

let made = 0;
const cloudEvent = (fields: Record<string, unknown> = {}) => ({
  specversion: "1.0",
  id: `c${++made}`,
  source: "/rooms/7",
  type: "chat.posted",
  time: "2026-11-21T08:00:00Z",
  data: { organization: "acme", user: "u1", properties: { visibility: "public" } },
  ...fields,
});
const structured = { headers: { "content-type": "application/cloudevents+json; charset=utf-8" } };
const batch = { headers: { "content-type": "application/cloudevents-batch+json" } };

test("a CloudEvent is the event of its data, with its source and flat extensions as properties", async () => {
  await post(
    cloudEvent({
      subject: "other",
      region: "eu",
      attempt: 2,
      nested: {},
      data: { organization: "acme", user: "u1", value: 3, properties: { region: "us" } },
    }),
    structured,
  );
  await post(cloudEvent({ subject: "globex", time: null, data: undefined }), structured);
  const [first, second] = await world.accepting.loggedEvents();
  expect(first).toMatchObject({
    organization: "acme",
    user: "u1",
    value: "3",
    time_ms: String(Date.UTC(2026, 10, 21, 8)),
  });
  expect(JSON.parse(first?.properties ?? "")).toEqual({
    attempt: 2,
    region: "us",
    source: "/rooms/7",
    subject: "other",
  });
  expect(second).toMatchObject({ organization: "globex", time_ms: String(nowMs), properties: '{"source":"/rooms/7"}' });
});

test("each CloudEvent of a batch has its own verdict", async () => {
  const decision = await post(
    [
      cloudEvent(),
      cloudEvent({ specversion: "0.3" }),
      cloudEvent({ id: "" }),
      cloudEvent({ source: undefined }),
      cloudEvent({ data: "text" }),
      cloudEvent({ data: { organization: "acme", foo: 1, nothing: null } }),
      cloudEvent({ data: {} }),
      7,
      cloudEvent({ data: { organization: "acme", properties: [] } }),
      cloudEvent({ data_base64: "e30=" }),
      cloudEvent({ data: { organization: "acme", foo: { nested: 1 } } }),
      cloudEvent({ source: "/".repeat(257) }),
      cloudEvent({ source: "/a\0b" }),
    ],
    batch,
  );
  expect(decision.accepted).toBe(2);
  expect(decision.rejected.map(({ index, code, field }) => [index, code, field])).toEqual([
    [1, "invalid_cloudevent", "specversion"],
    [2, "invalid_cloudevent", "id"],
    [3, "invalid_cloudevent", "source"],
    [4, "invalid_cloudevent", "data"],
    [6, "missing_field", "organization"],
    [7, "not_an_object", null],
    [8, "invalid_field", "properties"],
    [9, "invalid_cloudevent", "data_base64"],
    [10, "invalid_field", "properties.foo"],
    [11, "invalid_cloudevent", "source"],
    [12, "invalid_cloudevent", "source"],
  ]);
  expect((await world.accepting.loggedEvents()).map(({ properties }) => JSON.parse(properties))).toEqual([
    expect.anything(),
    { foo: 1, source: "/rooms/7" },
  ]);
});

test("a CloudEvent in binary mode is read from its headers, percent-decoded, with the body as data", async () => {
  const headers = {
    "content-type": "application/json",
    "ce-specversion": "1.0",
    "ce-id": "b1",
    "ce-type": "chat.posted",
    "ce-source": "/r%C3%B6%20m%22%09",
    "ce-time": "2026-11-21T08:00:00Z",
    "ce-subject": "acme",
    "ce-region": '"e\\"u"',
  };
  expect(await post({ user: "u1" }, { headers })).toMatchObject({ accepted: 1 });
  expect(await post("", { headers: { ...headers, "ce-id": "b2", "content-type": "text/plain" } })).toMatchObject({
    accepted: 1,
  });
  const [first] = await world.accepting.loggedEvents();
  expect(first).toMatchObject({ id: 'b1\0/rö m"\t', organization: "acme", user: "u1" });
  expect(JSON.parse(first?.properties ?? "")).toEqual({ region: 'e"u', source: '/rö m"\t' });
  expect(await post({}, { headers: { ...headers, "ce-specversion": "2.0" } })).toMatchObject({
    rejected: [{ code: "invalid_cloudevent", field: "specversion" }],
  });
  expect(await refusal("{", { headers })).toMatchObject({ code: "unreadable_body" });
});

test("one id from two sources is two events, each of which is counted once", async () => {
  const of = (source: string | undefined, user: string) =>
    source === undefined
      ? post({ ...event(), id: "same", user }, {})
      : post([cloudEvent({ id: "same", source, data: { organization: "acme", user } })], batch);
  for (const source of ["/a", "/b", undefined])
    expect(await of(source, "u1"), source).toMatchObject({ accepted: 1, duplicates: 0, rejected: [] });
  expect(await of("/a", "u1")).toMatchObject({ duplicates: 1 });
  expect(await of("/b", "u2")).toMatchObject({ rejected: [{ id: "same", code: "id_conflict" }] });
});

test("a CloudEvent that an earlier version stored by its id alone is known when it is sent again", async () => {
  const sent = cloudEvent({ id: "old", data: { organization: "acme" } });
  const asStored = { ...event(), id: "old", type: sent.type, time: sent.time, properties: { source: sent.source } };
  expect(await post({ ...asStored, user: undefined })).toMatchObject({ accepted: 1 });
  expect(await post([sent], batch)).toMatchObject({ accepted: 0, duplicates: 1 });
  expect(await post([{ ...sent, source: "/another" }], batch)).toMatchObject({ accepted: 1 });
});
