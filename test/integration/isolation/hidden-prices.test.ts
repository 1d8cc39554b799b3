/** Prices reach nobody who may not see them: by no snapshot, and by no tag or hash that would confirm a guess. */
import { hash } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { canonicalJson, toPlainJson } from "../../../server/audit/canonical-json.ts";
import { readPlan, stateOfPlan } from "../../../server/billing/plans.ts";
import { askedAbout, createWorld, inside, type World } from "../../support/isolation-world.ts";

let world: World;
let key: string;
let plan: string;
const fees = ["1471.13", "2471.26"];
const unitPrice = "0.0471391";

beforeAll(async () => {
  world = await createWorld();
  key = (await world.makeKey(["ingest", "read", "admin"], "all")).key;
  const prices = { organization: { model: "graduated", tiers: [{ up_to: null, unit_price: unitPrice }] } };
  const body = {
    name: "P",
    node: askedAbout,
    currency: "EUR",
    fixed_fee: { organization: fees[0] },
    features: [{ key: "recording", meter: "chat_posts", included: "5", overage: "bill", prices }],
  };
  plan = (await world.ask("POST", "/v1/plans", { key, body })).body.id;
  await change({ terms: { ...termsOf(body), fixed_fee: { organization: fees[1] } } });
});
afterAll(() => world.close());

const termsOf = ({ currency, fixed_fee, features }: { currency: string; fixed_fee: object; features: object[] }) => ({
  currency,
  fixed_fee,
  features,
});
const change = (body: object, headers: Record<string, string> = {}) =>
  world.ask("PATCH", `/v1/plans/${plan}`, { key, body, headers });
const roleOf = (role: string) => world.callers.get(`with the role ${role}`);

test("the audit shows prices to those alone who see prices, in every form, and hashes to those who see all of it", async () => {
  for (const accept of ["application/json", "text/csv", "application/x-ndjson"]) {
    const headers = { accept };
    const seenBy = async (asked: object | undefined) =>
      JSON.stringify((await world.ask("GET", "/v1/audit?action=plan", { ...asked, headers })).body);
    const whole = await seenBy({ key });
    for (const price of [...fees, unitPrice]) expect(whole).toContain(price);
    const admin = await seenBy(roleOf("admin"));
    expect(admin).toContain("plan.changed");
    for (const price of [...fees, unitPrice]) expect(admin).not.toContain(price);
    const hashes = /[0-9a-f]{64}/;
    expect([hashes.test(whole), hashes.test(admin)]).toEqual([true, false]);
  }
  // Who is owner sees what its own level pays and those below it.
  const owner = await world.ask("GET", "/v1/audit?action=plan.created", { ...roleOf("owner") });
  expect(owner.body.entries[0].after.terms.fixed_fee).toEqual({ organization: fees[0] });
});

test("a tag is no hash of what it stands for", async () => {
  const { headers } = await world.ask("GET", `/v1/plans/${plan}`, { ...roleOf("viewer") });
  const record = await readPlan(world.deps.postgres.db, plan);
  if (!record) throw new Error("there is no plan");
  const text = canonicalJson(toPlainJson(stateOfPlan(record)));
  expect(headers.get("etag")).toBe((await world.ask("GET", `/v1/plans/${plan}`, { key })).headers.get("etag"));
  expect(headers.get("etag")).not.toContain(hash("sha256", text, "base64url").slice(0, 22));
});

test("a field with the name of a secret is compared and kept like everything else, and a stale edit of it is refused", async () => {
  const get = (path: string) => world.ask("GET", path, { key });
  const before = await get(`/v1/plans/${plan}`);
  const match = { "if-match": before.headers.get("etag") ?? "" };
  const [version] = before.body.versions;
  const terms = termsOf(version);
  const renamed = { ...terms, features: terms.features.map((feature) => ({ ...feature, key: "translation" })) };
  expect((await change({ terms: renamed }, match)).status).toBe(200);
  expect((await change({ terms }, match)).status).toBe(412);
  const [entry] = (await get(`/v1/audit?subject=${plan}`)).body.entries;
  expect([entry.before, entry.after].map(({ terms }) => terms.features[0].key)).toEqual(["recording", "translation"]);

  const node = `/v1/nodes/${inside}`;
  const edit = (fields: object, headers: Record<string, string> = {}) =>
    world.ask("PATCH", node, { key, body: { fields }, headers });
  await edit({ token: "a", key: "b", password: "c" });
  const tag = { "if-match": (await get(node)).headers.get("etag") ?? "" };
  expect((await edit({ token: "a", key: "changed", password: "c" }, tag)).status).toBe(200);
  expect((await edit({ token: "z", key: "b", password: "c" }, tag)).status).toBe(412);
  const [changed] = (await get(`/v1/audit?subject=${inside}`)).body.entries;
  expect([changed.before.fields.key, changed.after.fields.key]).toEqual(["b", "changed"]);
});

test("a stale edit of a meter, a key and a user is refused", async () => {
  const meter = { meter: "tagged", node: inside, title: "T", events: { types: ["x"], aggregation: "count" } };
  const made = await world.ask("POST", "/v1/meters", { key, body: meter });
  const match = { "if-match": made.headers.get("etag") ?? "" };
  const body = { title: "U", events: { types: ["y"], aggregation: "count" } };
  const ask = (method: string, headers: Record<string, string>) =>
    world.ask(method, "/v1/meters/tagged", { key, headers, ...(method === "PATCH" && { body }) });
  expect([(await ask("PATCH", match)).status, (await ask("PATCH", match)).status]).toEqual([200, 412]);
  expect((await ask("DELETE", match)).status).toBe(412);
  const now = (await ask("GET", {})).headers.get("etag") ?? "";
  expect((await ask("DELETE", { "if-match": now })).status).toBe(200);

  const issued = await world.ask("POST", "/v1/keys", { key, body: { name: "k", node: inside, scopes: ["read"] } });
  const tag = { "if-match": issued.headers.get("etag") ?? "" };
  const path = `/v1/keys/${issued.body.id}`;
  const rotated = await world.ask("POST", `${path}/rotate`, { key, body: { overlap_seconds: 60 }, headers: tag });
  expect(rotated.status).toBe(201);
  expect((await world.ask("DELETE", path, { key, headers: tag })).status).toBe(412);

  const { users } = (await world.ask("GET", "/v1/users", { key })).body;
  const user = `/v1/users/${users.find(({ email }: { email: string }) => email === "viewer@example.com").id}`;
  const seen = { "if-match": (await world.ask("GET", user, { key })).headers.get("etag") ?? "" };
  expect((await world.ask("PATCH", user, { key, headers: seen, body: { name: "Renamed" } })).status).toBe(200);
  expect((await world.ask("DELETE", user, { key, headers: seen })).status).toBe(412);
});

test("an answer is not given again to who has other rights by now", async () => {
  const { postgres } = world.deps;
  const headers = { ...roleOf("finance")?.headers, "idempotency-key": "once" };
  const body = { name: "Q", node: askedAbout, currency: "EUR", fixed_fee: { organization: "3471.39" } };
  const ask = () => world.ask("POST", "/v1/plans", { ...roleOf("finance"), headers, body });
  expect((await ask()).status).toBe(201);
  expect((await ask()).headers.get("idempotency-replayed")).toBe("true");
  const setRole = async (from: string, to: string) => {
    await postgres.pool.query("UPDATE user_roles SET role = $2 WHERE role = $1", [from, to]);
    world.deps.signInSessions.forget();
  };
  await setRole("finance", "viewer");
  const again = await ask();
  expect([again.status, JSON.stringify(again.body)]).toEqual([403, expect.not.stringContaining("3471.39")]);
});

test("a name does not reveal what others have: a meter may be called like theirs", async () => {
  const [mine, theirs] = [
    await world.makeKey(["admin"], askedAbout),
    await world.makeKey(["admin"], "reseller:sibling-9f3c"),
  ];
  const body = { meter: "shared_name", title: "M", events: { types: ["x"], aggregation: "count" } };
  for (const one of [mine, theirs])
    expect((await world.ask("POST", "/v1/meters", { key: one.key, body })).status).toBe(201);
  const ambiguous = await world.ask("GET", "/v1/meters/shared_name", { key });
  expect([ambiguous.status, ambiguous.body.field]).toEqual([400, "node"]);
  const named = await world.ask("GET", `/v1/meters/shared_name?node=${askedAbout}`, { key });
  expect(named.body.node).toBe(askedAbout);
});

test("a field by a name that objects inherit is kept, and one that would be lost is refused by its name", async () => {
  const edit = (fields: string) => world.ask("PATCH", `/v1/nodes/${inside}`, { key, body: `{"fields":${fields}}` });
  const refused = await edit('{"__proto__":"x","a":"b"}');
  expect([refused.status, refused.body.field]).toEqual([400, "fields.__proto__"]);
  const kept = await edit('{"constructor":"a","toString":"b","prototype":true}');
  expect(kept.body.fields).toEqual({ constructor: "a", toString: "b", prototype: true });
  const table = await world.ask("POST", "/v1/nodes/import", {
    key,
    body: "kind,id,fields.__proto__\norganization,proto,x",
    headers: { "content-type": "text/csv" },
  });
  expect([table.status, table.body.errors[0].field]).toEqual([422, "fields.__proto__"]);
  const event = `{"specversion":"1.0","id":"p","source":"/s","type":"chat.posted","subject":"inside-9f3c","__proto__":"x"}`;
  const sent = await world.ask("POST", "/v1/events", {
    key,
    body: event,
    headers: { "content-type": "application/cloudevents+json" },
  });
  expect(sent.body.rejected[0].field).toBe("properties.__proto__");
});
