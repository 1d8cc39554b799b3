/** /v1/quarantine: what was not taken is seen by those who may, and can be sent again as often as one likes. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type QuarantinedEvent, quarantineListSchema, replayAnswerSchema } from "../../server/contract/quarantine.ts";
import { allPages } from "../support/all-pages.ts";
import { askedAbout, createWorld, type World } from "../support/isolation-world.ts";

let world: World;
let root: { id: string; key: string };
beforeAll(async () => {
  world = await createWorld();
  root = await world.makeKey(["ingest", "read", "admin"], "all");
});
afterAll(() => world.close());

const organization = "inside-9f3c";
let sent = 0;

/** Sends events, and one that is taken, so that the answer comes when what was refused is stored as well. */
async function send(events: unknown[], key = root.key, own = organization) {
  const taken = { id: `taken-${sent++}`, type: "api.called", organization: own };
  const { status, body } = await world.ask("POST", "/v1/events?ack=stored", { key, body: [...events, taken] });
  expect(status).toBe(200);
  return body;
}

async function list(query: string, key = root.key) {
  const { status, body } = await world.ask("GET", `/v1/quarantine?${query}`, { key });
  expect(status, JSON.stringify(body)).toBe(200);
  return quarantineListSchema.parse(body);
}

async function replay(body: unknown, key = root.key) {
  const answer = await world.ask("POST", "/v1/quarantine/replay", { key, body });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return replayAnswerSchema.parse(answer.body);
}

/** How often the event counts. */
async function stored(id: string): Promise<string[]> {
  await send([]);
  const { body } = await world.ask("GET", `/v1/records?filter[id][eq]=${encodeURIComponent(id)}`, { key: root.key });
  return body.records.map((one: { time: string }) => one.time);
}

const eventIds = (events: readonly QuarantinedEvent[]) => events.map((one) => one.event_id);

test("an event that was not taken is kept as it was sent, with its reason and its key", async () => {
  const event = {
    id: "q'1\t\\",
    type: "chat.posted",
    organization,
    value: "1,5",
    properties: { note: "漢字\n🌊" },
  };
  await send([event]);
  const { events } = await list("filter[id][prefix]=q'1");
  expect(events).toHaveLength(1);
  expect(events[0]).toMatchObject({
    organization,
    event_id: event.id,
    code: "invalid_field",
    field: "value",
    key: root.id,
    status: "waiting",
    replay: null,
  });
  expect(JSON.parse(events[0]?.raw ?? "")).toEqual(event);
});

test("a replayed event is taken once, however often it is sent again, and waits no more", async () => {
  const seller = await world.makeKey(["ingest", "read", "admin"], "reseller:sibling-9f3c");
  const { key } = await world.makeKey(["ingest", "read"], "all");
  const limited = await world.deps.keys.create({
    name: "may not create",
    node: "all",
    scopes: ["ingest"],
    createOrganizations: false,
    seePrices: false,
    expiresAt: null,
    createdBy: "usr_test",
  });
  const before = Date.now();
  const refused = await send([{ id: "late to exist", type: "chat.posted", organization: "newcomer" }], limited.key);
  expect(refused.rejected[0].code).toBe("unknown_organization");
  const after = Date.now();
  const [waiting] = (await list("filter[id]=late to exist")).events;
  expect(waiting).toMatchObject({ organization: null, key: limited.record.id });
  expect((await list("filter[id]=late to exist", seller.key)).events).toEqual([]);
  const ids = [waiting?.id];
  const first = await replay({ ids });
  expect(first).toMatchObject({
    accepted: 1,
    duplicates: 0,
    rejected: 0,
    events: [{ id: waiting?.id, outcome: "accepted" }],
  });
  const second = await replay({ ids: [...ids, ...ids] });
  expect(second).toMatchObject({ accepted: 0, duplicates: 1, events: [{ outcome: "duplicate" }] });
  const times = await stored("late to exist");
  expect(times).toHaveLength(1);
  // It has no time of its own: that of its first receipt counts.
  expect(Date.parse(times[0] ?? "")).toBeGreaterThanOrEqual(before);
  expect(Date.parse(times[0] ?? "")).toBeLessThanOrEqual(after);
  expect((await list("filter[id]=late to exist")).events).toEqual([]);
  const replayed = await list("filter[id]=late to exist&status=replayed");
  expect(replayed.events).toMatchObject([{ status: "replayed", replay: { outcome: "accepted", code: null } }]);
  const again = await world.ask("POST", "/v1/events", {
    key,
    body: { id: "late to exist", type: "chat.posted", organization: "newcomer" },
  });
  expect(again.body).toMatchObject({ accepted: 0, duplicates: 1 });
});

test("an event that is rejected again goes on waiting with its new reason, and its correction is taken in its place", async () => {
  await send([{ id: "fix me", type: "chat.posted", organization, time: "1999-01-01T00:00:00Z" }]);
  const [waiting] = (await list("filter[id]=fix me")).events;
  const path = `/v1/quarantine/${waiting?.id}/replay`;
  const unchanged = await world.ask("POST", path, { key: root.key });
  expect([unchanged.status, unchanged.body.outcome, unchanged.body.code]).toEqual([200, "rejected", "time_too_old"]);
  await send([]);
  const still = (await list("filter[id]=fix me&status=all")).events;
  expect(still).toMatchObject([{ id: waiting?.id, status: "waiting", replay: { outcome: "rejected", field: "time" } }]);
  const wrong = { event: { id: "fix me", type: "chat.posted", organization, colour: "red" } };
  expect((await world.ask("POST", path, { key: root.key, body: wrong })).body).toMatchObject({
    outcome: "rejected",
    code: "unknown_field",
    field: "colour",
  });
  const event = { id: "fix me", type: "chat.posted", organization, time: "2026-01-01T00:00:00Z" };
  expect((await world.ask("POST", path, { key: root.key, body: { event } })).body).toMatchObject({
    outcome: "accepted",
  });
  expect((await world.ask("POST", path, { key: root.key, body: { event } })).body).toMatchObject({
    outcome: "duplicate",
  });
  expect(await stored("fix me")).toEqual(["2026-01-01T00:00:00.000Z"]);
  expect((await list("filter[id]=fix me")).events).toEqual([]);
});

test("events of every form are sent again in theirs: lines that were no JSON, CloudEvents, arrays within lines", async () => {
  const cloudEvent = {
    specversion: "1.0",
    id: "cloud",
    source: "/s",
    type: "chat.posted",
    data: { organization: "cloudy" },
  };
  const limited = await world.makeKey(["ingest"], askedAbout);
  const headers = (type: string) => ({ "content-type": type });
  await world.ask("POST", "/v1/events", {
    key: limited.key,
    headers: headers("application/cloudevents+json"),
    body: { ...cloudEvent, data: { organization: "elsewhere-9f3c" } },
  });
  const inner = { id: "inner", type: "chat.posted", organization };
  await world.ask("POST", "/v1/events", {
    key: limited.key,
    headers: headers("application/x-ndjson"),
    body: `{"broken\n${JSON.stringify([inner])}\n`,
  });
  await send([]);
  const { events } = await list(`filter[key]=${limited.id}`);
  expect(events.map(({ code }) => code).sort()).toEqual(["not_an_object", "not_json", "outside_subtree"]);
  const answer = await replay({ keys: [limited.id] });
  expect(answer.events.map(({ outcome, code }) => [outcome, code])).toEqual([
    ["accepted", null],
    ["rejected", "not_json"],
    ["rejected", "not_an_object"],
  ]);
  expect(await stored("cloud")).toHaveLength(1);
  expect(await stored("inner")).toHaveLength(0);
});

test("all that wait and match are sent again part by part, the rest is left alone", async () => {
  const old = (n: number) => ({
    id: `bulk-${n}`,
    type: "chat.posted",
    organization: "beside-9f3c",
    time: "1999-01-01T00:00:00Z",
  });
  await send(Array.from({ length: 5 }, (_, n) => old(n)));
  await send([{ id: "bulk-other", type: "", organization: "beside-9f3c" }]);
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const part = await replay({ organizations: ["beside-9f3c"], codes: ["time_too_old"], limit: 2, cursor });
    expect(part.events.every(({ outcome }) => outcome === "rejected")).toBe(true);
    seen.push(...part.events.map(({ id }) => id));
    cursor = part.next_cursor ?? undefined;
  } while (cursor);
  expect(new Set(seen).size).toBe(5);
  const { events } = await list("filter[organization]=beside-9f3c");
  expect(events).toHaveLength(6);
  expect(events.filter((one) => one.replay === null).map((one) => one.event_id)).toEqual(["bulk-other"]);
});

test("pages of a list hold every event once, the latest received first", async () => {
  await send(Array.from({ length: 7 }, (_, n) => ({ id: `page-${n}`, type: "", organization })));
  const found = await allPages(list, "filter[id][prefix]=page-&limit=3", ({ events }) => eventIds(events));
  expect(found).toEqual([6, 5, 4, 3, 2, 1, 0].map((n) => `page-${n}`));
});

test("events are seen at and above their organization; those without one by the root and the key that sent them", async () => {
  const sender = await world.makeKey(["ingest", "read"], askedAbout);
  await send(
    [
      { id: "iso-own", type: "", organization },
      { id: "iso-foreign", type: "chat.posted", organization: "elsewhere-9f3c" },
      { id: "iso-nowhere", type: "" },
    ],
    sender.key,
  );
  await send([{ id: "iso-theirs", type: "", organization: "elsewhere-9f3c" }]);
  const seen = async (key: string, query = "") =>
    eventIds((await list(`filter[id][prefix]=iso-${query}`, key)).events).sort();
  const at = async (node: string) => seen((await world.makeKey(["read"], node)).key);
  expect(await seen(sender.key)).toEqual(["iso-foreign", "iso-nowhere", "iso-own"]);
  expect(await seen(sender.key, `&node=organization:${organization}`)).toEqual(["iso-own"]);
  expect(await at(askedAbout)).toEqual(["iso-own"]);
  expect(await at("partner:above-9f3c")).toEqual(["iso-own", "iso-theirs"]);
  expect(await at("organization:elsewhere-9f3c")).toEqual(["iso-theirs"]);
  expect(await at("organization:beside-9f3c")).toEqual([]);
  expect(await at("all")).toEqual(["iso-foreign", "iso-nowhere", "iso-own", "iso-theirs"]);
  const admin = await world.makeKey(["admin"], askedAbout);
  const theirs = (await list("filter[id]=iso-theirs")).events[0]?.id;
  for (const [path, body] of [
    ["/v1/quarantine/replay", { ids: [theirs] }],
    [`/v1/quarantine/${theirs}/replay`, {}],
    ["/v1/quarantine/qtn_1_1_1/replay", {}],
  ] as const)
    expect((await world.ask("POST", path, { key: admin.key, body })).status).toBe(404);
  expect((await replay({ organizations: ["elsewhere-9f3c"] }, admin.key)).events).toEqual([]);
});

test("a question that cannot be answered is refused by the name of its field", async () => {
  for (const [method, path, body, field] of [
    ["GET", "quarantine?status=lost", undefined, "status"],
    ["GET", "quarantine?filter[user]=u", undefined, "filter[user]"],
    ["GET", "quarantine?cursor=x", undefined, "cursor"],
    ["POST", "quarantine/replay", { ids: ["7"] }, "ids.0"],
    ["POST", "quarantine/replay", { ids: [] }, "ids"],
    ["POST", "quarantine/replay", { codes: ["no_such_code"] }, "codes.0"],
    ["POST", "quarantine/replay", { from: "never" }, "from"],
    ["POST", "quarantine/replay", { ids: ["qtn_1_1_1"], codes: ["not_json"] }, "codes"],
    ["POST", "quarantine/replay", { colour: "red" }, "colour"],
    ["POST", "quarantine/seven/replay", {}, "id"],
    ["POST", "quarantine/qtn_1_1_1/replay", { event: "text" }, "event"],
  ] as const) {
    const answer = await world.ask(method, `/v1/${path}`, { key: root.key, body });
    expect([answer.status, answer.body.field], `${path} ${JSON.stringify(body)}`).toEqual([400, field]);
  }
});
