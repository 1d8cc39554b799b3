import { afterAll, beforeAll, expect, test } from "vitest";
import type { EventRow } from "../../server/clickhouse/event-columns.ts";
import { definitionLimits } from "../../server/contract/definition-limits.ts";
import type { NodeAddress } from "../../server/contract/nodes.ts";
import { readCorrectionsWithin } from "../../server/corrections/read-corrections.ts";
import { annotations } from "../../server/postgres/schema/annotations.ts";
import { eventCorrections } from "../../server/postgres/schema/corrections.ts";
import { views } from "../../server/postgres/schema/views.ts";
import { askedAbout, createWorld, inside, pastOwner, pastOwnerUntil, type World } from "../support/isolation-world.ts";

import { patienceMs } from "../support/patience.ts";

let world: World;
let partner: string;
let reseller: string;
let organization: string;

beforeAll(async () => {
  world = await createWorld();
  partner = (await world.makeKey(["read", "admin"], "partner:above-9f3c")).key;
  reseller = (await world.makeKey(["read", "admin"], "reseller:asked-about-9f3c")).key;
  organization = (await world.makeKey(["read", "admin"])).key;
});
afterAll(() => world.close());

const make = (key: string, body: object) => world.ask("POST", "/v1/models", { key, body });
const known = async (key: string) =>
  (await world.ask("GET", "/v1/models", { key })).body.models.map((one: { model: string; is_own: boolean }) => [
    one.model,
    one.is_own,
  ]);

test("a model is known at its node and everywhere below it, and is changed from its node or above only", async () => {
  const shared = await make(partner, { model: "law-2", name: "Law" });
  expect([shared.status, shared.body.tier]).toEqual([201, "custom"]);
  const own = await make(organization, { model: "acme-1", name: "Our words", tier: "enhanced" });
  expect(await known(partner)).toEqual([
    ["acme-1", true],
    ["law-2", true],
  ]);
  expect(await known(organization)).toEqual([
    ["acme-1", true],
    ["law-2", false],
  ]);
  const path = `/v1/models/${shared.body.id}`;
  expect((await world.ask("GET", path, { key: reseller })).body).toMatchObject({ name: "Law", is_own: false });
  expect((await world.ask("PATCH", path, { key: reseller, body: { name: "Mine" } })).status).toBe(404);
  expect((await world.ask("DELETE", `/v1/models/${own.body.id}`, { key: reseller })).status).toBe(204);
  expect(await known(organization)).toEqual([["law-2", false]]);
});

test("a node has one model by an id, an edit of what changed meanwhile is refused, and each change is in the audit", async () => {
  const { body, headers } = await make(reseller, { model: "med-1", name: "Medicine" });
  const again = await make(reseller, { model: "med-1", name: "Other" });
  expect([again.status, again.body.field]).toEqual([409, "model"]);
  const edit = (name: string) =>
    world.ask("PATCH", `/v1/models/${body.id}`, {
      key: reseller,
      body: { name },
      headers: { "if-match": headers.get("etag") ?? "" },
    });
  expect((await edit("Clinic")).status).toBe(200);
  expect((await edit("Hospital")).status).toBe(412);
  await world.ask("DELETE", `/v1/models/${body.id}`, { key: reseller });
  const { entries } = (await world.ask("GET", "/v1/audit?limit=10", { key: reseller })).body;
  const actions = entries
    .map((one: { action: string }) => one.action)
    .filter((one: string) => one.startsWith("model."));
  expect(actions.slice(0, 3)).toEqual(["model.removed", "model.changed", "model.created"]);
});

test("a view is seen by who reads at its node and above, its name is there once, and each change is in the audit", async () => {
  const path = "/v1/views";
  const save = (key: string, body: object) => world.ask("POST", path, { key, body });
  const made = await save(reseller, { name: "Weekly", query: "range=7d" });
  expect([made.status, made.body.query]).toEqual([201, "range=7d"]);
  const namesOf = async (key: string, query = "") =>
    (await world.ask("GET", `${path}${query}`, { key })).body.views.map(({ name }: { name: string }) => name);
  expect(await namesOf(reseller)).toEqual(["Weekly"]);
  expect(await namesOf(partner, "?node=reseller:asked-about-9f3c")).toEqual(["Weekly"]);
  expect(await namesOf(organization)).toEqual([]);
  expect((await world.ask("GET", `${path}/${made.body.id}`, { key: organization })).status).toBe(404);
  const twice = await save(reseller, { name: "Weekly", query: "" });
  expect([twice.status, twice.body.field]).toEqual([409, "name"]);
  await save(reseller, { name: "Monthly", query: "range=month" });
  const edit = (body: object, tag: string | null) =>
    world.ask("PATCH", `${path}/${made.body.id}`, { key: reseller, body, headers: { "if-match": tag ?? "" } });
  const renamed = await edit({ name: "Monthly" }, made.headers.get("etag"));
  expect([renamed.status, renamed.body.field]).toEqual([409, "name"]);
  expect((await edit({ query: "range=28d" }, made.headers.get("etag"))).status).toBe(200);
  expect((await edit({ query: "range=90d" }, made.headers.get("etag"))).status).toBe(412);
  expect((await world.ask("DELETE", `${path}/${made.body.id}`, { key: reseller })).status).toBe(204);
  const { entries } = (await world.ask("GET", "/v1/audit?limit=10", { key: reseller })).body;
  const actions = entries
    .map(({ action }: { action: string }) => action)
    .filter((one: string) => one.startsWith("view."));
  expect(actions).toEqual(["view.removed", "view.changed", "view.created", "view.created"]);
});

test("a dashboard keeps its panels in their order and with their widths, and says which one is wrong", async () => {
  const path = "/v1/views";
  const panel = { title: "Minutes by room", query: "by=room", width: "half" };
  const wide = { title: "People", query: "meters=active_participants", width: "full" };
  const made = await world.ask("POST", path, {
    key: reseller,
    body: { name: "Monday", query: "range=7d", panels: [panel, wide] },
  });
  expect([made.status, made.body.panels]).toEqual([201, [panel, wide]]);
  const edit = (panels: unknown, tag = made.headers.get("etag") ?? "") =>
    world.ask("PATCH", `${path}/${made.body.id}`, {
      key: reseller,
      body: { panels },
      headers: { "if-match": tag },
    });
  const wrong = await edit([panel, { ...wide, width: "huge" }]);
  expect([wrong.status, wrong.body.field]).toEqual([400, "panels.1.width"]);
  expect((await edit(Array.from({ length: 25 }, () => panel))).status).toBe(400);
  const turned = await edit([wide, panel]);
  expect([turned.status, turned.body.panels]).toEqual([200, [wide, panel]]);
  expect((await edit([panel])).status).toBe(412);
  expect((await edit([wide, panel], turned.headers.get("etag") ?? "")).headers.get("etag")).toBe(
    turned.headers.get("etag"),
  );
  const single = await world.ask("POST", path, { key: reseller, body: { name: "One question", query: "" } });
  expect(single.body.panels).toBeNull();
});

test("a node has so many views and no more, however many come at once", async () => {
  const { ofNode } = definitionLimits.views;
  const node = "organization:inside-9f3c";
  const held = Array.from({ length: ofNode - 2 }, (_, place) => ({
    id: `v${place}`,
    node,
    name: `${place}`,
    query: "",
  }));
  await world.deps.postgres.db.insert(views).values(held);
  const save = (name: string) => world.ask("POST", "/v1/views", { key: organization, body: { name, query: "" } });
  const answers = await Promise.all(["a", "b", "c", "d"].map(save));
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 409, 409]);
});

test("an annotation is seen by who reads its node, not by people of nodes below or beside, and each change is in the audit", async () => {
  const path = "/v1/annotations";
  const text = "<b>Launch</b> \u202e=1+1 🚀";
  const made = await world.ask("POST", path, { key: reseller, body: { at: "2026-03-01T02:00:00+02:00", text } });
  expect([made.status, made.body]).toEqual([
    201,
    expect.objectContaining({ node: "reseller:asked-about-9f3c", at: "2026-03-01T00:00:00.000Z", text }),
  ]);
  const { author } = made.body;
  expect(author).not.toBe("");
  const textsOf = async (key: string, query = "") => {
    const { status, body } = await world.ask("GET", `${path}${query}`, { key });
    return status === 200 ? body.annotations.map((one: { text: string }) => one.text) : status;
  };
  const ofReseller = "?node=reseller:asked-about-9f3c";
  expect(await textsOf(reseller)).toEqual([text]);
  expect(await textsOf(partner, ofReseller)).toEqual([text]);
  expect(await textsOf(partner), "those of nodes below have to be asked for").toEqual([]);
  expect([await textsOf(organization), await textsOf(organization, ofReseller)]).toEqual([[], 403]);
  const one = `${path}/${made.body.id}`;
  for (const [method, body] of [["GET"], ["PATCH", { text: "x" }], ["DELETE"]] as const)
    expect([method, (await world.ask(method, one, { key: organization, body })).status]).toEqual([method, 404]);

  const edit = (body: object, tag: string | null) =>
    world.ask("PATCH", one, { key: partner, body, headers: { "if-match": tag ?? "" } });
  const moved = await edit({ at: "2026-03-02T00:00:00Z" }, made.headers.get("etag"));
  expect([moved.status, moved.body.at, moved.body.author]).toEqual([200, "2026-03-02T00:00:00.000Z", author]);
  expect((await edit({ text: "Late" }, made.headers.get("etag"))).status).toBe(412);
  expect((await world.ask("DELETE", one, { key: reseller })).status).toBe(204);
  const { entries } = (await world.ask("GET", "/v1/audit?limit=20", { key: reseller })).body;
  const actions = entries.map(({ action }: { action: string }) => action);
  expect(actions.filter((action: string) => action.startsWith("annotation."))).toEqual([
    "annotation.removed",
    "annotation.changed",
    "annotation.created",
  ]);
});

test("annotations are listed by their instants, page by page, and a range has those from its start until before its end", async () => {
  const node = "organization:beside-9f3c";
  const at = (hour: number) => `2026-04-01T0${hour}:00:00.000Z`;
  for (const hour of [1, 3, 2, 2]) {
    const body = { node, at: at(hour), text: "noted" };
    expect((await world.ask("POST", "/v1/annotations", { key: reseller, body })).status).toBe(201);
  }
  const list = async (query: string) => {
    const { body } = await world.ask("GET", `/v1/annotations?node=${node}${query}`, { key: reseller });
    return { ...body, hours: body.annotations.map((one: { at: string }) => Number(one.at.slice(12, 13))) };
  };
  expect((await list("")).hours).toEqual([3, 2, 2, 1]);
  expect((await list(`&from=${at(1)}&to=${at(3)}`)).hours).toEqual([2, 2, 1]);
  const first = await list("&limit=2");
  const second = await list(`&limit=2&cursor=${encodeURIComponent(first.next_cursor)}`);
  expect([first.hours, second.hours, second.next_cursor]).toEqual([[3, 2], [2, 1], null]);
  expect(new Set([...first.annotations, ...second.annotations].map(({ id }: { id: string }) => id)).size).toBe(4);
});

test.each([
  ["text", { text: "" }],
  ["text", { text: " \n\t" }],
  ["text", { text: "a".repeat(501) }],
  ["text", { text: "a\u0000b" }],
  ["text", { text: "\ud800" }],
  ["at", { at: "yesterday" }],
  ["at", { at: "1999-12-31T23:59:59Z" }],
  ["at", { at: "2026-02-30T00:00:00Z" }],
  ["author", { author: "somebody" }],
])("an annotation with a wrong %s is refused by its name: %j", async (field, wrong) => {
  const body = { at: "2026-03-01T00:00:00Z", text: "noted", ...wrong };
  const answer = await world.ask("POST", "/v1/annotations", { key: organization, body });
  expect([answer.status, answer.body.field]).toEqual([400, field]);
});

test("annotations of a node that moved are seen above it by those alone that stood there when they were written, and changed by those that stand there still", async () => {
  const before = new Date(pastOwnerUntil.getTime() - 1);
  const wrote = (id: string, createdAt: Date) => ({ id, node: inside, at: before, text: id, author: "mia", createdAt });
  const { db } = world.deps.postgres;
  await db.insert(annotations).values([wrote("note_1", before), wrote("note_2", pastOwnerUntil)]);
  const listed = async (key: string, limit = 10) => {
    const { status, body } = await world.ask("GET", `/v1/annotations?node=${inside}&limit=${limit}`, { key });
    return status === 200 ? [body.annotations.map(({ id }: { id: string }) => id), body.next_cursor] : status;
  };
  const { key: former } = await world.makeKey(["read", "admin"], pastOwner);
  expect(await listed(reseller, 1)).toEqual([["note_2"], null]);
  for (const key of [partner, organization]) expect(await listed(key)).toEqual([["note_2", "note_1"], null]);
  expect(await listed(former)).toBe(403);
  const statuses = async (method: "GET" | "PATCH", key: string) => {
    const asked = ["note_1", "note_2"].map((id) =>
      world.ask(method, `/v1/annotations/${id}`, { key, ...(method === "PATCH" && { body: { text: id } }) }),
    );
    return (await Promise.all(asked)).map(({ status }) => status);
  };
  expect([await statuses("GET", reseller), await statuses("PATCH", reseller)]).toEqual([
    [404, 200],
    [404, 200],
  ]);
  expect([await statuses("GET", former), await statuses("PATCH", former)]).toEqual([
    [200, 404],
    [403, 404],
  ]);
  expect([await statuses("GET", partner), await statuses("PATCH", organization)]).toEqual([
    [200, 200],
    [200, 200],
  ]);
});

test("a node has so many annotations and no more, however many come at once", async () => {
  const { ofNode } = definitionLimits.annotations;
  const node = "organization:elsewhere-9f3c";
  const at = new Date("2026-03-01T00:00:00Z");
  const held = Array.from({ length: ofNode - 1 }, (_, place) => ({
    id: `n${place}`,
    node,
    at,
    text: "x",
    author: "a",
  }));
  await world.deps.postgres.db.insert(annotations).values(held);
  const { key } = await world.makeKey(["read", "admin"], node);
  const note = () => world.ask("POST", "/v1/annotations", { key, body: { at: at.toISOString(), text: "noted" } });
  const answers = await Promise.all([note(), note(), note()]);
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409]);
});

test("days whose figures changed afterwards say how: by corrections of their events, and by events that came late", async () => {
  const { key } = await world.makeKey(["ingest", "read", "admin"], inside);
  const today = new Date().toISOString().slice(0, 10);
  const dayBefore = (days: number) => new Date(Date.parse(today) - days * 86_400_000).toISOString();
  const events = [3, 3, 0].map((days, place) => ({
    id: `changed-${place}`,
    type: "chat.posted",
    organization: "inside-9f3c",
    time: days === 0 ? new Date().toISOString() : dayBefore(days),
  }));
  expect((await world.ask("POST", "/v1/events?ack=stored", { key, body: events })).status).toBe(200);
  for (const id of ["changed-0", "changed-1"])
    await world.ask("POST", `/v1/events/${id}/void`, { key, body: { organization: "inside-9f3c", reason: "a test" } });
  const ask = (query = "", by = key) =>
    world.ask("GET", `/v1/data-changes?node=${inside}&from=${dayBefore(5)}${query}`, { key: by });
  const day = (days: number) => ({
    start: dayBefore(days).replace(".000", ""),
    end: dayBefore(days - 1).replace(".000", ""),
  });
  await expect
    .poll(async () => (await ask()).body, { timeout: patienceMs })
    .toMatchObject({ corrected: [{ ...day(3), events: 2 }], late: [{ events: 2 }] });
  expect((await ask("", reseller)).body.corrected).toMatchObject([{ events: 2 }]);
  expect((await ask(`&to=${dayBefore(3)}`)).body).toMatchObject({ corrected: [], late: [] });
  const beside = await world.ask("GET", `/v1/data-changes?node=organization:beside-9f3c&from=${dayBefore(5)}`, {
    key: reseller,
  });
  expect(beside.body).toMatchObject({ corrected: [], late: [] });
  const long = await world.ask("GET", `/v1/data-changes?node=${inside}&from=${dayBefore(101)}`, { key });
  expect([long.status, long.body.late, long.body.corrected.length]).toEqual([200, null, 1]);
  const tooLong = await world.ask("GET", "/v1/data-changes?from=1900-01-01", { key });
  expect([tooLong.status, tooLong.body.field]).toEqual([400, "from"]);
});

test("corrections of a node that moved are counted for those alone that stood above it at the events' time", async () => {
  const correction = (id: string, time: Date, replaces: number) => ({
    id,
    organization: "inside-9f3c",
    eventId: id,
    action: "void" as const,
    reason: "",
    actorKind: "key",
    actorId: "",
    actorName: "",
    at: new Date(),
    appliedAt: new Date(),
    replaces,
    before: { organization: "inside-9f3c", time_ms: time.getTime() } as EventRow,
  });
  const { db } = world.deps.postgres;
  await db
    .insert(eventCorrections)
    .values([
      correction("cor_1", new Date(pastOwnerUntil.getTime() - 1), 1),
      correction("cor_2", pastOwnerUntil, 2),
      correction("cor_3", pastOwnerUntil, 3),
    ]);
  const { key: former } = await world.makeKey(["read", "admin"], pastOwner);
  const counted = async (key: string, node = "") => {
    const range = "from=2025-05-30&to=2025-06-03";
    const { body } = await world.ask("GET", `/v1/data-changes?${range}${node && `&node=${node}`}`, { key });
    return body.corrected.map(({ events }: { events: number }) => events);
  };
  expect([await counted(reseller), await counted(former)]).toEqual([[2], [1]]);
  expect([await counted(partner), await counted(organization), await counted(reseller, inside)]).toEqual([
    [1, 2],
    [1, 2],
    [1, 2],
  ]);
  const range = { fromMs: pastOwnerUntil.getTime() - 86_400_000, toMs: pastOwnerUntil.getTime() + 86_400_000 };
  const behind = async (node: NodeAddress) =>
    (await readCorrectionsWithin(db, world.deps.tree, { node, ...range })).length;
  expect([await behind(askedAbout), await behind(pastOwner), await behind("partner:above-9f3c")]).toEqual([2, 1, 3]);
});
