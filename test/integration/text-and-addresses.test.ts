/** One rule for text at every entry, and an address for everything that exists. */
import { readFile } from "node:fs/promises";
import { eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeCursor } from "../../server/lists/cursor.ts";
import { nodeParents, nodes } from "../../server/postgres/schema/accounts.ts";
import { createWorld, type World } from "../support/isolation-world.ts";

let world: World;
let key: string;
let keyId: string;
beforeAll(async () => {
  world = await createWorld();
  ({ id: keyId, key } = await world.makeKey(["ingest", "read", "admin"], "all"));
  await send([{ id: "known", type: "chat.posted", organization: "acme" }]);
});
afterAll(() => world.close());

async function send(events: object[]) {
  const { status, body } = await world.ask("POST", "/v1/events?ack=stored", { key, body: events });
  expect(status).toBe(200);
  return body;
}

const texts = ["a\0b", "\ud800", "b\udfff"];
const bodies = (text: string): [string, string, object, string][] => [
  ["POST", "/v1/events/known/void", { organization: "acme", reason: text }, "reason"],
  ["POST", "/v1/events/known/void", { organization: text, reason: "r" }, "organization"],
  ["POST", "/v1/events/known/amend", { organization: "acme", reason: "r", changes: { user: text } }, "changes.user"],
  ["POST", "/v1/nodes", { kind: "organization", id: text, name: "n" }, "id"],
  ["POST", "/v1/nodes", { kind: "organization", id: "x", name: text }, "name"],
  ["POST", "/v1/nodes", { kind: "organization", id: "x", fields: { a: text } }, "fields.a"],
  ["POST", "/v1/nodes", { kind: "organization", id: "x", parent: `reseller:${text}` }, "parent"],
  ["PATCH", "/v1/nodes/organization:acme", { name: text }, "name"],
  ["POST", "/v1/keys", { name: text, scopes: ["read"] }, "name"],
  ["PATCH", "/v1/keys/known", { name: text }, "name"],
  ["POST", "/v1/plans", { name: text, currency: "EUR" }, "name"],
  ["POST", "/v1/meters", { meter: "m", title: text, events: { types: ["t"] } }, "title"],
  ["POST", "/v1/meters", { meter: "m", title: "t", events: { types: [text], aggregation: "count" } }, "events.types.0"],
  ["POST", "/v1/models", { model: text, name: "n" }, "model"],
  ["POST", "/v1/users", { email: "a@example.com", name: text, roles: [{ node: "all", role: "viewer" }] }, "name"],
  ["POST", "/v1/quarantine/replay", { organizations: [text] }, "organizations.0"],
];

test("no body brings U+0000 or a lone surrogate in: it is refused by its field, at every route alike", async () => {
  for (const text of texts)
    for (const [method, path, body, field] of bodies(text)) {
      const answer = await world.ask(method, path, { key, body });
      expect([path, answer.status, answer.body.code, answer.body.field]).toEqual([path, 400, "invalid_request", field]);
    }
});

test("nor does a path or a query, nor bytes there that are no UTF-8", async () => {
  for (const bad of ["a%00b", "%FF", "%ED%A0%80"]) {
    for (const [path, field] of [
      [`/v1/events/${bad}?organization=acme`, "id"],
      [`/v1/events/known?organization=${bad}`, "organization"],
      [`/v1/nodes/organization:${bad}`, "node"],
      [`/v1/records?filter[user]=${bad}`, "filter[user]"],
      [`/v1/usage?meter=chat_posts&node=organization:${bad}&from=2026-01-01`, "node"],
      [`/v1/nodes?search=${bad}`, "search"],
    ] as const) {
      const answer = await world.ask("GET", path, { key });
      expect([path, answer.status, answer.body.field]).toEqual([path, 400, field]);
    }
    const answer = await world.ask("POST", `/v1/events/${bad}/void`, {
      key,
      body: { organization: "acme", reason: "r" },
    });
    expect([answer.status, answer.body.field]).toEqual([400, "id"]);
  }
});

test("nor does a cursor", async () => {
  for (const text of texts) {
    const forged = Buffer.from(JSON.stringify(["x", [1, text, text]])).toString("base64url");
    const answer = await world.ask("GET", `/v1/records?cursor=${forged}`, { key });
    expect([answer.status, answer.body.field]).toEqual([400, "cursor"]);
  }
});

/** A list as it is asked for without any parameter, the question behind its cursors, and a key of it made of these. */
interface ForgedList {
  path: string;
  question: object;
  key: (ms: unknown, count: unknown, text: unknown) => unknown;
}
const timed: ForgedList["key"] = (atMs, _, id) => ({ atMs, id });
const node = "all";
const ranged = { node, filters: [], tz: "UTC" };
const asOf = (watermarkMs: unknown, settledBatch: unknown) => ({ watermarkMs, settledBatch });
const organizations = (sort: string, order: string, key: ForgedList["key"]): ForgedList => ({
  path: `/v1/organizations?sort=${sort}`,
  question: { list: "organizations", node, meter: "transcribed_minutes", tz: "UTC", sort, order },
  key,
});
const forgedLists = (keyId: string): ForgedList[] => [
  {
    path: "/v1/records",
    question: { list: "records", ...ranged },
    key: (ms, count, text) => ({ asOf: asOf(ms, count), key: [ms, text, { id: text, source: text }] }),
  },
  {
    path: "/v1/explain?meter=chat_posts&from=2026-01-01",
    question: { list: "explain", meter: "chat_posts", node, filters: [], from: "2026-01-01", to: "now", tz: "UTC" },
    key: (ms, _, text) => [ms, text, { id: text }],
  },
  {
    path: "/v1/jobs",
    question: { list: "jobs", ...ranged },
    key: (ms, count, text) => ({ asOf: asOf(ms, count), key: [ms, text, text] }),
  },
  {
    path: "/v1/sessions",
    question: { list: "sessions", ...ranged },
    key: (ms, _, text) => [ms, text, text],
  },
  {
    path: "/v1/sessions/{organization}/{session}",
    question: { list: "intervals", organization: "x", session: "x" },
    key: (ms, count) => [node, [ms, count]],
  },
  {
    path: "/v1/orphans",
    question: { list: "orphans", node, kinds: ["orphan", "inverted", "timed_out"], filters: [], tz: "UTC" },
    key: (ms, _, text) => [ms, [text, text, text, text, text]],
  },
  {
    path: "/v1/quarantine",
    question: { list: "quarantine", node, filters: [], status: "waiting", tz: "UTC" },
    key: (ms, count) => [ms, count, count],
  },
  { path: "/v1/reconciliations", question: { list: "reconciliations", node, tz: "UTC" }, key: (ms, _, id) => [ms, id] },
  organizations("usage", "desc", (_, __, text) => ({ value: text, node: text })),
  organizations("users", "desc", (_, count, text) => ({ value: count, node: text })),
  organizations("created", "desc", (ms, _, text) => ({ value: ms, node: text })),
  organizations("name", "asc", (_, __, text) => ({ value: text, node: text })),
  { path: "/v1/statements", question: { list: "statements", tz: "UTC" }, key: (toMs, _, id) => ({ toMs, id }) },
  { path: "/v1/alerts", question: { list: "alerts", tz: "UTC" }, key: timed },
  { path: "/v1/annotations", question: { list: "annotations", tz: "UTC", node }, key: timed },
  { path: "/v1/notifications", question: { list: "notifications", of: keyId }, key: timed },
  { path: "/v1/rules", question: { list: "rules" }, key: timed },
  { path: "/v1/schedules", question: { list: "schedules", node }, key: timed },
  { path: "/v1/report-runs", question: { list: "report-runs", node }, key: timed },
  { path: "/v1/reports", question: { list: "reports", node }, key: (_, __, text) => ({ name: text, id: text }) },
  { path: "/v1/channels", question: { list: "channels" }, key: (_, __, text) => [text, text] },
  { path: "/v1/deliveries", question: { list: "deliveries" }, key: (_, count) => count },
  {
    path: "/v1/subscriptions",
    question: { list: "subscriptions" },
    key: (startMs, _, text) => ({ node: text, startMs, id: text }),
  },
  { path: "/v1/keys", question: { list: "keys" }, key: timed },
  { path: "/v1/plans", question: { list: "plans" }, key: timed },
  { path: "/v1/users", question: { list: "users" }, key: (_, __, text) => ({ email: text, id: text }) },
  { path: "/v1/nodes", question: { list: "nodes" }, key: (_, __, text) => text },
];
/** Paged by a number as it stands. */
const pagedByNumber = "/v1/audit";
/** Behind something that has to be there first; its keys are those of other lists. */
const pagedBehindOthers = "/v1/schedules/{id}/slots";

test("no cursor that somebody rewrote is an error of the service: it is answered, or refused by name, by every list", async () => {
  const lists = forgedLists(keyId);
  const { body: api } = await world.ask("GET", "/openapi.json", { key });
  const paths = Object.entries(api.paths as Record<string, { get?: { parameters?: { name: string; in: string }[] } }>);
  const paged = paths.filter(([, { get }]) => get?.parameters?.some(({ name }) => name === "cursor"));
  const walked = new Set(lists.map(({ path }) => path.split("?")[0]));
  expect(paged.map(([path]) => path).sort()).toEqual([...walked, pagedByNumber, pagedBehindOthers].sort());
  const ask = async (path: string, cursor: string) => {
    const url = `${path.replace(/\{\w+\}/g, "x")}${path.includes("?") ? "&" : "?"}cursor=${encodeURIComponent(cursor)}`;
    const { status, body } = await world.ask("GET", url, { key });
    return { status, body };
  };
  const sound = [Date.UTC(2026, 0), 7, "1"] as const;
  const [ms, count, text] = sound;
  const forged = [
    ...[9e15, 253_402_300_800_000, 0.5, "abc"].map((wrong) => [wrong, count, text]),
    ...[1e300, 0.5, -1].map((wrong) => [ms, wrong, text]),
    ...["abc", "1e999999999", 7].map((wrong) => [ms, count, wrong]),
  ];
  for (const { path, question, key } of lists) {
    const taken = await ask(path, writeCursor(question, key(...sound)));
    // What a path of the test does not lead to is missed after the cursor was read.
    expect([path, taken.status, taken.body.field]).toEqual([path, path.includes("{") ? 404 : 200, undefined]);
    const keys = new Map(
      forged.map(([ms, count, text]) => [JSON.stringify(key(ms, count, text)), key(ms, count, text)]),
    );
    keys.delete(JSON.stringify(key(...sound)));
    await Promise.all(
      [...keys].map(async ([about, wrong]) => {
        const { status, body } = await ask(path, writeCursor(question, wrong));
        expect([path, about, status]).toEqual([path, about, expect.toBeOneOf([200, 400, 404])]);
        if (status === 400) expect([path, about, body.field]).toEqual([path, about, "cursor"]);
      }),
    );
  }
  for (const path of [pagedByNumber, pagedBehindOthers])
    for (const cursor of ["9e15", "1e300", "0.5", "-1", "abc", "9223372036854775808"])
      expect([path, cursor, (await ask(path, cursor)).status]).toEqual([
        path,
        cursor,
        expect.toBeOneOf([200, 400, 404]),
      ]);
});

test("text is evaluated before rights: an organization with U+0000 is refused for its text", async () => {
  const { key: inner } = await world.makeKey(["ingest"]);
  const event = { id: "n1", type: "chat.posted", organization: "a\0b" };
  const { body } = await world.ask("POST", "/v1/events", { key: inner, body: [event] });
  expect(body.rejected).toMatchObject([{ code: "invalid_field", field: "organization" }]);
});

test("a first batch that is wholly rejected is in quarantine under its organization, for those above it to see", async () => {
  const { key: reseller } = await world.makeKey(["ingest", "read", "admin"], "reseller:asked-about-9f3c");
  const event = { id: "w1", type: "chat.posted", organization: "first-wrong", value: "many" };
  const { body } = await world.ask("POST", "/v1/events", { key: reseller, body: [event] });
  expect(body.rejected).toMatchObject([{ code: "invalid_field", field: "value" }]);
  await send([{ id: "w2", type: "chat.posted", organization: "acme" }]);
  const seen = await world.ask("GET", "/v1/quarantine?filter[id]=w1", {
    key: (await world.makeKey(["read"], "partner:above-9f3c")).key,
  });
  expect(seen.body.events).toMatchObject([{ organization: "first-wrong", code: "invalid_field" }]);
});

test("names that no URL can hold are refused: nothing is named . or ..", async () => {
  for (const name of [".", ".."]) {
    for (const field of ["id", "organization", "session", "agent"]) {
      const event = { id: "d1", type: "chat.posted", organization: "acme", [field]: name };
      expect((await send([event])).rejected).toMatchObject([{ code: "invalid_field", field }]);
    }
    const made = await world.ask("POST", "/v1/nodes", { key, body: { kind: "organization", id: name } });
    expect([made.status, made.body.field]).toEqual([400, "id"]);
  }
});

test("a number that would be bent is refused by its field where it is not read by its text", async () => {
  const raw = (body: string, path: string) =>
    fetch(`${world.url}${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body,
    });
  const node = await raw('{"kind":"organization","id":"bent","fields":{"crm":1524831183200260097}}', "/v1/nodes");
  expect([node.status, (await node.json()).field]).toEqual([400, "fields.crm"]);
  const plan = await raw(
    '{"name":"p","currency":"EUR","features":[{"key":"calls","meter":"call_minutes","included":100000000.000000001}]}',
    "/v1/plans",
  );
  expect([plan.status, (await plan.json()).field]).toEqual([400, "features.0.included"]);
});

test("nodes of before, whose addresses were not encoded, are found under their address of now", async () => {
  const { db } = world.deps.postgres;
  const parent = "partner:above-9f3c";
  await db.insert(nodes).values({ node: "reseller:old/one%", kind: "reseller", id: "old/one%", name: "Old" });
  await db.insert(nodeParents).values({ node: "reseller:old/one%", parent, validFrom: new Date(0) });
  const migration = await readFile("server/postgres/migrations/0023_node_addresses.sql", "utf8");
  await db.execute(sql.raw(migration));
  await db.execute(sql.raw(migration));
  const rows = await db.select().from(nodes).where(eq(nodes.id, "old/one%"));
  expect(rows.map(({ node, name }) => [node, name])).toEqual([["reseller:old%2Fone%25", "Old"]]);
  const [stood] = await db.select().from(nodeParents).where(eq(nodeParents.node, "reseller:old%2Fone%25"));
  expect(stood?.parent).toBe(parent);
});

const hostile = ["acme/x", "100%", "a%2Fb", "%", "/", "a b", "漢字🌊", "x'y\"z", "{node}", "%25"];

test("everything that exists can be addressed, by the address that answers give", async () => {
  const from = "2026-03-01";
  await send(
    hostile.map((id, index) => ({
      id: `addressed-${index}`,
      type: "call.completed",
      organization: id,
      agent: id,
      time: "2026-03-05T10:00:00Z",
      value: index + 1,
    })),
  );
  const { body: listed } = await world.ask("GET", "/v1/nodes?kind=organization&limit=1000", { key });
  for (const [index, id] of hostile.entries()) {
    const record = listed.nodes.find((one: { id: string }) => one.id === id);
    expect(record?.node).toBe(`organization:${id.replaceAll("%", "%25").replaceAll("/", "%2F")}`);
    const one = await world.ask("GET", `/v1/nodes/${encodeURIComponent(record.node)}`, { key });
    expect([one.status, one.body.id]).toEqual([200, id]);
    const agent = `agent:${record.node.slice("organization:".length)}/${record.node.slice("organization:".length)}`;
    for (const node of [record.node, agent]) {
      const query = new URLSearchParams({ meter: "call_minutes", node, from, to: "2026-04-01" });
      const usage = await world.ask("GET", `/v1/usage?${query}`, { key });
      expect([node, usage.status, usage.body.node, usage.body.meters?.[0].total]).toEqual([
        node,
        200,
        node,
        String(index + 1),
      ]);
    }
  }
});

test("the time of an event to correct is read as the ingest reads it: a leap second is one, and no other :60 is any", async () => {
  const time = "2016-12-31T23:59:60Z";
  await send([{ id: "leap", type: "chat.posted", organization: "acme", time }]);
  const asked = { organization: "acme", reason: "r" };
  const voided = (of: object) => world.ask("POST", "/v1/events/leap/void", { key, body: { ...asked, ...of } });
  for (const wrong of ["2016-12-31T12:59:60Z", "2026-02-30T00:00:00Z"])
    expect(await voided({ time: wrong })).toMatchObject({ status: 400, body: { field: "time" } });
  expect((await world.ask("GET", `/v1/events/leap?organization=acme&time=${time}`, { key })).status).toBe(200);
  expect((await voided({ time })).status).toBe(200);
});

test("an instant that no store or calendar can keep is refused by name, in every question and setting that takes one", async () => {
  const { body: api } = await world.ask("GET", "/openapi.json", { key });
  const paths = Object.entries(api.paths as Record<string, { get?: { parameters?: { name: string; in: string }[] } }>);
  const asked = paths.flatMap(([path, { get }]) =>
    (get?.parameters ?? [])
      .filter(({ name, in: where }) => where === "query" && ["from", "to", "at", "cycle"].includes(name))
      .map(({ name }) => ({ path, name })),
  );
  expect(asked.length).toBeGreaterThan(15);
  let named = 0;
  for (const { path, name } of asked)
    for (const instant of [
      "0000-01-01T00:00:00Z",
      "1899-12-31T23:59:59Z",
      "9999-12-31T00:00:00Z",
      "2026-02-30T00:00:00Z",
      "2026-01-01T24:00:00Z",
    ]) {
      const url = `${path.replace(/\{\w+\}/g, "x")}?${name}=${encodeURIComponent(instant)}`;
      const { status, body } = await world.ask("GET", url, { key });
      // Where nothing has the id of the path, or the question lacks something else, that may be said first.
      expect([url, status]).toEqual([url, expect.toBeOneOf([400, 404])]);
      if (body.field === name) named++;
    }
  expect(named).toBeGreaterThan(50);
  const expiring = { name: "k", node: "all", scopes: ["read"], expires_at: "9999-12-31T23:59:59-12:00" };
  const made = await world.ask("POST", "/v1/keys", { key, body: expiring });
  expect([made.status, made.body.field]).toEqual([400, "expires_at"]);
});

test("the first and the last instants that may be asked for are answered, beside any range, in every zone and window", async () => {
  const ends = [
    ["1900-01-01T00:00:00Z", "1900-01-03T00:00:00Z"],
    ["2199-12-30T00:00:00Z", "2199-12-31T23:59:59.999Z"],
    ["1900-01-01T00:00:00Z", "2199-12-31T23:59:59.999Z"],
  ] as const;
  const questions = ends.flatMap(([from, to], nth) =>
    ["previous", "year", ...ends.map((end) => end.join("/"))].map((compare, index) => {
      const tz = ["Pacific/Kiritimati", "Etc/GMT+12", "Africa/Monrovia"][index % 3] ?? "";
      const window =
        (nth === 2 ? ["quarter", "year", "total"] : ["day", "month", "cycle", "week", "year"])[index] ?? "year";
      return new URLSearchParams({ from, to, window, tz, compare }).toString();
    }),
  );
  for (const question of questions) {
    const answer = await world.ask("GET", `/v1/usage?meter=chat_posts,active_participants&${question}`, {
      key,
    });
    expect([question, answer.status]).toEqual([question, 200]);
  }
  const leap = await world.ask("GET", "/v1/usage?meter=chat_posts&from=2016-12-31T23:59:60Z&to=2017-01-02", { key });
  expect([leap.status, leap.body.from]).toEqual([200, "2017-01-01T00:00:00Z"]);
  const health = await world.ask("GET", "/v1/ingest-health?window=day&from=2199-12-30&to=2199-12-31T23:59:59Z", {
    key,
  });
  expect(health.status).toBe(200);
});
