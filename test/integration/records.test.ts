/** GET /v1/records: what was sent comes back, page by page and as a stream, whatever arrives in between. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { UsageEvent } from "../../server/contract/events.ts";
import { recordListSchema, recordSchema, type UsageRecord } from "../../server/contract/records.ts";
import { allPages } from "../support/all-pages.ts";
import { askedAbout, createWorld, type World } from "../support/isolation-world.ts";

let world: World;
let root: { id: string; key: string };
beforeAll(async () => {
  world = await createWorld();
  root = await world.makeKey(["ingest", "read"], "all");
});
afterAll(() => world.close());

const organization = "inside-9f3c";
const minute = (n: number) => new Date(Date.UTC(2026, 2, 1, 9, n)).toISOString();

async function send(events: Partial<UsageEvent>[], key = root.key): Promise<void> {
  const { status, body } = await world.ask("POST", "/v1/events?ack=stored", { key, body: events });
  expect([status, body.rejected]).toEqual([200, []]);
}

async function list(query: string, key = root.key) {
  const { status, body } = await world.ask("GET", `/v1/records?${query}`, { key });
  expect(status, JSON.stringify(body)).toBe(200);
  return recordListSchema.parse(body);
}

const pages = (query: string, between?: () => Promise<void>) => allPages(list, query, (page) => page.records, between);

const names = (records: readonly UsageRecord[]) => records.map(({ id }) => id);

test("an event comes back with every field as it was sent, and with where it was counted", async () => {
  const event = {
    id: "full",
    type: "transcription.completed",
    time: "2026-01-05T12:00:00.25+01:00",
    organization,
    agent: "a1",
    user: "u1",
    session: "s1",
    room: "daily",
    interval: "i1",
    job: "j1",
    started_at: "2026-01-05T10:00:00Z",
    value: "123456789012345678.000000001",
    properties: { language: "en", accuracy: 0.975, final: true, note: 'tab\t "quoted" \\ 漢字 🌊', nothing: "" },
  };
  await send([event, { id: "bare", type: "never.heard.of", organization, time: "2026-01-06T00:00:00Z" }]);
  const { records, node, next_cursor } = await list("from=2026-01-01&to=2026-02-01");
  expect([node, next_cursor]).toEqual(["all", null]);
  const [bare, full] = records;
  const placed = { partner: "above-9f3c", reseller: "asked-about-9f3c", key: root.id };
  expect(full).toEqual({
    ...event,
    time: "2026-01-05T11:00:00.250Z",
    started_at: "2026-01-05T10:00:00.000Z",
    received_at: expect.stringMatching(/Z$/),
    ...placed,
  });
  expect(bare).toEqual({
    id: "bare",
    type: "never.heard.of",
    organization,
    time: "2026-01-06T00:00:00.000Z",
    properties: {},
    received_at: expect.any(String),
    ...placed,
  });
});

const hostile = [
  "a/b",
  "...",
  'it\'s "quoted"',
  "tab\there",
  "back\\slash\\'",
  "漢字🌊",
  "per%25cent&x=1",
  "{node:String}",
  "a,b",
];

test("ids of any characters are found by filters, listed, and paged over", async () => {
  await send(
    hostile.map((name, index) => ({
      id: name,
      type: "chat.posted",
      organization,
      session: name,
      user: name,
      time: minute(index),
    })),
  );
  const range = "from=2026-03-01&to=2026-03-02";
  const newestFirst = [...hostile].reverse();
  expect(names(await pages(`${range}&limit=1`))).toEqual(newestFirst);
  for (const name of hostile) {
    const literal = await list(`${range}&filter[user][eq]=${encodeURIComponent(name)}`);
    expect(names(literal.records)).toEqual([name]);
    const prefix = await list(`${range}&filter[id][prefix]=${encodeURIComponent(name.slice(0, 2))}`);
    expect(names(prefix.records)).toContain(name);
  }
  expect(names((await list(`${range}&filter[session]=...,a/b`)).records)).toEqual(["...", "a/b"]);
  expect((await list(`${range}&filter[session][not]=...,a/b`)).records).toHaveLength(hostile.length - 2);
});

test("events are narrowed down by every field and by their declared dimensions, all of which must hold", async () => {
  const day = "2026-04-01";
  await send([
    {
      id: "f1",
      type: "transcription.completed",
      organization,
      job: "j1",
      time: `${day}T01:00:00Z`,
      properties: { language: "en" },
    },
    {
      id: "f2",
      type: "transcription.completed",
      organization,
      job: "j2",
      time: `${day}T02:00:00Z`,
      properties: { language: "de" },
    },
    {
      id: "f3",
      type: "chat.posted",
      organization,
      room: "r",
      agent: "a",
      time: `${day}T03:00:00Z`,
      properties: { visibility: "public" },
    },
    { id: "f4", type: "participant.joined", organization, interval: "i", time: `${day}T04:00:00Z` },
  ]);
  const found = async (filter: string) => names((await list(`from=${day}&to=2026-04-02&${filter}`)).records);
  expect(await found("filter[language]=en,de&filter[job][not]=j1")).toEqual(["f2"]);
  expect(await found("filter[type][prefix]=transcription.")).toEqual(["f2", "f1"]);
  expect(await found("filter[room]=r")).toEqual(["f3"]);
  expect(await found("filter[agent]=a&filter[visibility]=public")).toEqual(["f3"]);
  expect(await found("filter[interval]=i")).toEqual(["f4"]);
  expect(await found(`filter[key]=${root.id}&filter[organization]=${organization}`)).toHaveLength(4);
  expect(await found("filter[key]=key_other")).toEqual([]);
  expect(await found("filter[language]=")).toEqual(["f4", "f3"]);
});

test("events that arrive between two pages, early or late ones, are in none of the pages and push none out", async () => {
  const at = (n: number) => `2026-05-01T00:00:${String(n).padStart(2, "0")}Z`;
  const event = (n: number, id = `e${n}`) => ({ id, type: "chat.posted", organization, time: at(n) });
  await send(Array.from({ length: 10 }, (_, n) => event(n)));
  const query = "from=2026-05-01&to=2026-05-02&limit=3";
  const found = await pages(query, () =>
    send([
      event(9, "newest"),
      event(8, "on the page before"),
      event(2, "late"),
      event(0, "a late one at the same instant"),
    ]),
  );
  expect(names(found)).toEqual(["e9", "e8", "e7", "e6", "e5", "e4", "e3", "e2", "e1", "e0"]);
  expect(await pages(query)).toHaveLength(14);
});

test("an event that is voided while pages are read keeps its place or leaves, and is listed when voided ones are asked for", async () => {
  const day = "2026-05-05";
  const at = (n: number) => `${day}T00:00:0${n}Z`;
  await send([0, 1, 2, 3].map((n) => ({ id: `v${n}`, type: "chat.posted", organization, time: at(n) })));
  const query = `from=${day}&to=2026-05-06`;
  const voided = await pages(`${query}&limit=1`, () =>
    world.deps.clickhouse
      .command(
        `INSERT INTO usage_events SELECT * REPLACE (-1 AS sign, batch + 1 AS batch, received_at - INTERVAL 1 HOUR AS received_at)
         FROM usage_events WHERE id = 'v1'`,
      )
      .then(() => undefined),
  );
  expect(names(voided)).toEqual(["v3", "v2", "v0"]);
  const all = await list(`${query}&include=voided`);
  expect(all.records.map((one) => [one.id, one.voided])).toEqual([
    ["v3", undefined],
    ["v2", undefined],
    ["v1", true],
    ["v0", undefined],
  ]);
  const csv = await world.ask("GET", `/v1/records?${query}&include=voided`, {
    key: root.key,
    headers: { accept: "text/csv" },
  });
  expect(csv.body.match(/,true\r\n/g)).toHaveLength(1);
});

test("events of one instant are in the order of organization and id, and a page may end between any two", async () => {
  const time = "2026-05-03T00:00:00Z";
  const ids = ["B", "a", "b", "z", "é"];
  for (const own of [organization, "beside-9f3c"])
    await send(ids.map((id) => ({ id, type: "chat.posted", organization: own, time })));
  const found = await pages("from=2026-05-03&to=2026-05-04&limit=1");
  expect(found.map((one) => `${one.organization} ${one.id}`)).toEqual(
    [organization, "beside-9f3c"].flatMap((own) => [...ids].reverse().map((id) => `${own} ${id}`)),
  );
});

test("a list without bounds reaches from the oldest event to those ahead of now, however far apart", async () => {
  const ahead = new Date(Date.now() + 60 * 60_000).toISOString();
  const user = "far apart";
  await send([
    { id: "oldest", type: "chat.posted", organization, user, time: "2000-01-01T00:00:00Z" },
    { id: "middle", type: "chat.posted", organization, user, time: "2014-06-01T00:00:00Z" },
    { id: "ahead", type: "chat.posted", organization, user, time: ahead },
  ]);
  expect(names(await pages("filter[user]=far apart&limit=1"))).toEqual(["ahead", "middle", "oldest"]);
});

test("a stream holds the whole range, as lines and as a table that no spreadsheet runs", async () => {
  const day = "2026-06-01";
  const total = 6_000;
  const bulk = Array.from({ length: total }, (_, n) => ({
    id: `bulk-${n}`,
    type: "credit.given",
    organization,
    user: "=cmd|'/c calc'!A1",
    value: "-1.5",
    time: new Date(Date.parse(day) + n * 1000).toISOString(),
  }));
  await send(bulk);
  const ask = (accept: string, more = "") =>
    world.ask("GET", `/v1/records?from=${day}&to=2026-06-02${more}`, { key: root.key, headers: { accept } });
  const lines = await ask("application/x-ndjson");
  expect(lines.headers.get("content-type")).toBe("application/x-ndjson");
  const records = String(lines.body)
    .trimEnd()
    .split("\n")
    .map((line) => recordSchema.parse(JSON.parse(line)));
  expect(names(records)).toEqual(bulk.map(({ id }) => id).reverse());
  const csv = await ask("text/csv");
  expect(csv.headers.get("content-type")).toBe("text/csv; charset=utf-8");
  const rows = String(csv.body).trimEnd().split("\r\n");
  expect(rows[0]).toMatch(/^time,organization,id,type,/);
  expect(rows).toHaveLength(total + 1);
  expect(rows[1]).toContain(`,'=cmd|'/c calc'!A1,`);
  expect(rows[1]).toContain(",-1.5,{},");
  expect(rows[1]).toMatch(/,false$/);
  const cut = await ask("application/x-ndjson", "&limit=2");
  expect(String(cut.body).trimEnd().split("\n")).toHaveLength(2);
});

test("a caller sees the events below its own node alone, where they stood when they happened", async () => {
  const day = "2026-07-01";
  const event = (id: string, own: string, agent?: string) => ({
    id,
    type: "chat.posted",
    organization: own,
    time: `${day}T00:00:00Z`,
    ...(agent && { agent }),
  });
  await send([event("in", organization, "a1"), event("next", "beside-9f3c"), event("out", "elsewhere-9f3c")]);
  const seen = async (node: string, query = "") => {
    const { key } = await world.makeKey(["read"], node);
    return names((await list(`from=${day}&to=2026-07-02${query}`, key)).records).sort();
  };
  expect(await seen("all")).toEqual(["in", "next", "out"]);
  expect(await seen(askedAbout)).toEqual(["in", "next"]);
  expect(await seen(`organization:${organization}`)).toEqual(["in"]);
  expect(await seen(askedAbout, `&node=agent:${organization}/a1`)).toEqual(["in"]);
  expect(await seen(`agent:${organization}/a2`)).toEqual([]);
  expect(await seen(askedAbout, "&filter[organization]=elsewhere-9f3c")).toEqual([]);
  const { key } = await world.makeKey(["read"], askedAbout);
  const refused = await world.ask("GET", "/v1/records?node=organization:elsewhere-9f3c", { key });
  expect([refused.status, refused.body.field]).toEqual([403, "node"]);
});

test("a question that cannot be answered is refused by the name of its parameter", async () => {
  const { next_cursor: cursor } = await list("from=2026-05-01&to=2026-05-02&limit=1");
  const refused: [string, string][] = [
    ["from=yesterday", "from"],
    ["to=2026-02-30", "to"],
    ["from=2026-01-02&to=2026-01-01", "from"],
    ["tz=Mars/Olympus", "tz"],
    ["limit=0", "limit"],
    ["limit=1001", "limit"],
    ["node=planet:earth", "node"],
    ["cursor=nonsense", "cursor"],
    [`cursor=${cursor}`, "cursor"],
    [`from=2026-05-01&to=2026-05-02&filter[user]=u&cursor=${cursor}`, "cursor"],
    ["filter[colour]=red", "filter[colour]"],
    ["filter[user][like]=a", "filter[user][like]"],
    ["order=up", "order"],
    ["include=everything", "include"],
  ];
  for (const [query, field] of refused) {
    const { status, headers, body } = await world.ask("GET", `/v1/records?${query}`, { key: root.key });
    expect([status, headers.get("content-type"), body.field], query).toEqual([400, "application/problem+json", field]);
  }
});
