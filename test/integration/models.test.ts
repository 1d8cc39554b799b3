import { afterAll, beforeAll, expect, test } from "vitest";
import { definitionLimits } from "../../server/contract/definition-limits.ts";
import { views } from "../../server/postgres/schema/views.ts";
import { createWorld, type World } from "../support/isolation-world.ts";

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
