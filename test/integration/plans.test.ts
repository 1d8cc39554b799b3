/** /v1/plans and /v1/subscriptions. */
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readCustomers } from "../../server/alerts/read-customer-events.ts";
import { definitionLimits } from "../../server/contract/definition-limits.ts";
import { type AccountState, AccountStates } from "../../server/overview/account-state.ts";
import { planVersions } from "../../server/postgres/schema/plans.ts";
import type { Asked } from "../support/accounts.ts";
import { createWorld, type World } from "../support/isolation-world.ts";
import { rowsReadBy } from "../support/rows-read.ts";

let world: World;
let partner: string;
let reseller: string;
let organization: string;
const reads: Asked = {};
const acme = "organization:inside-9f3c";
const seller = "reseller:asked-about-9f3c";

beforeAll(async () => {
  world = await createWorld();
  partner = (await world.makeKey(["read", "admin"], "partner:above-9f3c")).key;
  reseller = (await world.makeKey(["read", "admin"], seller)).key;
  organization = (await world.makeKey(["read", "admin"], acme)).key;
  reads.key = (await world.makeKey(["read"], seller)).key;
});
afterAll(() => world.close());

const tiers = [
  { up_to: 1000, unit_price: "0.05" },
  { up_to: null, unit_price: "0.04" },
];
const terms = {
  currency: "EUR",
  fixed_fee: { organization: "49", reseller: "30" },
  features: [
    {
      key: "calls",
      meter: "call_minutes",
      included: 500,
      overage: "bill",
      prices: { organization: { model: "graduated", tiers }, reseller: { model: "package", size: 10, price: "0.2" } },
    },
    { key: "sso", enabled: false },
  ],
};

async function published(body: object, key = reseller): Promise<string> {
  const made = await world.ask("POST", "/v1/plans", { key, body: { name: "Plan", ...terms, ...body } });
  expect(made.status).toBe(201);
  expect((await world.ask("POST", `/v1/plans/${made.body.id}/publish`, { key })).status).toBe(200);
  return made.body.id;
}

let made = 0;
async function newOrganization(): Promise<string> {
  made++;
  await world.deps.tree.ensureOrganizations([`made-${made}`], seller);
  return `organization:made-${made}`;
}

test("a published version never changes: edits begin a draft, and history keeps both", async () => {
  const id = await published({});
  const edit = { ...terms, fixed_fee: { organization: "59" } };
  const edited = await world.ask("PATCH", `/v1/plans/${id}`, { key: reseller, body: { terms: edit } });
  expect(edited.status).toBe(200);
  expect(edited.body.versions.map((one: { version: number; status: string }) => [one.version, one.status])).toEqual([
    [2, "draft"],
    [1, "published"],
  ]);
  expect(edited.body.versions[1].fixed_fee).toEqual({ organization: "49", reseller: "30" });
  expect(edited.body.versions[1].features[0]).toMatchObject({ included: "500", thresholds: [50, 75, 90, 100] });
  await world.ask("PATCH", `/v1/plans/${id}`, { key: reseller, body: { terms: { ...edit, currency: "USD" } } });
  const again = await world.ask("POST", `/v1/plans/${id}/publish`, { key: reseller });
  expect(again.body.versions.map((one: { version: number; currency: string }) => [one.version, one.currency])).toEqual([
    [2, "USD"],
    [1, "EUR"],
  ]);
  const none = await world.ask("POST", `/v1/plans/${id}/publish`, { key: reseller });
  expect([none.status, none.body.code]).toEqual([409, "conflict"]);
});

test("an edit of what changed meanwhile is refused", async () => {
  const id = await published({});
  const { headers } = await world.ask("GET", `/v1/plans/${id}`, { key: reseller });
  const match = { "if-match": headers.get("etag") ?? "" };
  const edit = (name: string) =>
    world.ask("PATCH", `/v1/plans/${id}`, { key: reseller, body: { name }, headers: match });
  expect((await edit("One")).status).toBe(200);
  expect((await edit("Two")).status).toBe(412);
});

test("each level sees the prices of its own and below, and only with the right to see prices", async () => {
  const offered = await published({ offered: true }, partner);
  const versionSeenBy = async (asked: Asked) =>
    (await world.ask("GET", `/v1/plans/${offered}`, asked)).body.versions[0];
  expect(Object.keys((await versionSeenBy({ key: partner })).fixed_fee).sort()).toEqual(["organization", "reseller"]);
  expect(Object.keys((await versionSeenBy({ key: reseller })).features[0].prices).sort()).toEqual([
    "organization",
    "reseller",
  ]);
  expect(Object.keys((await versionSeenBy({ key: organization })).fixed_fee)).toEqual(["organization"]);
  expect((await versionSeenBy(reads)).fixed_fee).toEqual({});
  expect((await versionSeenBy(reads)).features[0].prices).toEqual({});
  const hidden = await published({}, partner);
  expect((await world.ask("GET", `/v1/plans/${hidden}`, { key: reseller })).status).toBe(404);
});

test.each([
  ["a meter that does not exist", { features: [{ key: "x", meter: "nothing" }] }, "features.0.meter"],
  ["a price that those above would pay", { fixed_fee: { partner: "1" } }, "fixed_fee.partner"],
  [
    "tiers that do not rise",
    {
      features: [
        {
          key: "x",
          meter: "emails",
          overage: "bill",
          prices: { organization: { model: "volume", tiers: [tiers[1], tiers[0]] } },
        },
      ],
    },
    "features.0.prices.organization.tiers",
  ],
  [
    "prices that would never be charged",
    {
      features: [{ key: "x", meter: "emails", overage: "block", prices: { organization: { model: "volume", tiers } } }],
    },
    "features.0.prices",
  ],
  ["a negative amount", { features: [{ key: "x", meter: "emails", included: "-1" }] }, "features.0.included"],
  ["the same key twice", { features: [{ key: "x" }, { key: "x" }] }, "features"],
  ["no currency", { currency: "euro" }, "currency"],
])("a plan with %s is refused, naming the field", async (_, change, field) => {
  const { status, body } = await world.ask("POST", "/v1/plans", {
    key: reseller,
    body: { name: "Bad", ...terms, ...change },
  });
  expect([status, body.field]).toEqual([400, field]);
});

test("a node has one subscription at a time, made from above it and for what is published", async () => {
  const node = await newOrganization();
  const plan = await published({});
  const body = { node, plan, starts_at: "2026-01-31T12:00:00Z", tz: "Europe/Berlin" };
  const first = await world.ask("POST", "/v1/subscriptions", { key: reseller, body });
  expect(first.status).toBe(201);
  expect(first.body).toMatchObject({
    node,
    anchor: 31,
    status: "active",
    plan,
    version: 1,
    starts_at: "2026-01-31T00:00:00+01:00",
  });
  expect((await world.ask("POST", "/v1/subscriptions", { key: reseller, body })).status).toBe(409);
  const own = (await world.makeKey(["read", "admin"], node)).key;
  expect((await world.ask("POST", "/v1/subscriptions", { key: own, body })).status).toBe(403);
  expect(
    (await world.ask("PATCH", `/v1/subscriptions/${first.body.id}`, { key: own, body: { cancel: true } })).status,
  ).toBe(403);
  const draft = await world.ask("POST", "/v1/plans", { key: reseller, body: { name: "Draft", ...terms } });
  const refused = await world.ask("POST", "/v1/subscriptions", {
    key: reseller,
    body: { ...body, plan: draft.body.id },
  });
  expect([refused.status, refused.body.field]).toEqual([400, "plan"]);
  for (const [field, value] of Object.entries({ tz: "Mars/Base", version: 9, expires_at: "2025-01-01T00:00:00Z" })) {
    const bad = await world.ask("POST", "/v1/subscriptions", { key: reseller, body: { ...body, [field]: value } });
    expect([bad.status, bad.body.field]).toEqual([400, field]);
  }
});

test("a change takes effect at once or with the next cycle, and what was in force before is kept", async () => {
  const node = await newOrganization();
  const [basic, large] = [await published({ name: "Basic" }), await published({ name: "Large" })];
  const body = { node, plan: basic, starts_at: "2026-01-01T00:00:00Z" };
  const { id } = (await world.ask("POST", "/v1/subscriptions", { key: reseller, body })).body;
  const change = async (wanted: object) =>
    (await world.ask("PATCH", `/v1/subscriptions/${id}`, { key: reseller, body: wanted })).body;
  const later = await change({ plan: large, at: "next_cycle" });
  expect(later.plan).toBe(basic);
  expect(later.next_cycle_at).toBe(later.history[1].valid_from);
  const next = Date.parse(later.history[1].valid_from);
  expect(next).toBeGreaterThan(Date.now());
  expect(new Date(next).toISOString()).toMatch(/-01T00:00:00.000Z$/);
  const atOnce = await change({ plan: large });
  expect([atOnce.plan, atOnce.plan_name]).toEqual([large, "Large"]);
  expect(atOnce.history.map((one: { plan: string }) => one.plan)).toEqual([basic, large]);
  expect(Date.parse(atOnce.history[1].valid_from)).toBeLessThanOrEqual(Date.now());
  expect((await change({ plan: large })).history).toHaveLength(2);
  const under = async (plan: string) =>
    (await world.ask("GET", `/v1/subscriptions?node=${node}&plan=${plan}`, { key: reseller })).body.subscriptions
      .length;
  expect([await under(basic), await under(large)]).toEqual([0, 1]);
  const cancelled = await change({ cancel: true });
  expect(cancelled.status).toBe("cancelled");
  expect((await change({ plan: basic })).code).toBe("conflict");
  const again = await world.ask("POST", "/v1/subscriptions", { key: reseller, body: { node, plan: basic } });
  expect(again.status).toBe(201);
  const list = await world.ask("GET", `/v1/subscriptions?node=${node}`, { key: reseller });
  expect(list.body.subscriptions.map((one: { status: string }) => one.status)).toEqual(["cancelled", "active"]);
});

const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();
const subscribe = (body: object) => world.ask("POST", "/v1/subscriptions", { key: reseller, body });
const changeSubscription = (id: string, body: object) =>
  world.ask("PATCH", `/v1/subscriptions/${id}`, { key: reseller, body });

test("a subscription cancelled before it began holds for no time: it is over at once, and leaves its time to another", async () => {
  const node = await newOrganization();
  const plan = await published({});
  const create = (dates: object) => subscribe({ node, plan, ...dates });
  const first = await create({ starts_at: inDays(20) });
  expect(first.body.status).toBe("scheduled");
  const cancelled = await changeSubscription(first.body.id, { cancel: true });
  expect(cancelled.body).toMatchObject({ status: "cancelled", next_cycle_at: null });
  expect((await changeSubscription(first.body.id, { plan })).body.code).toBe("conflict");
  expect((await create({ starts_at: inDays(10) })).status).toBe(201);
  expect((await create({ starts_at: inDays(30) })).status).toBe(409);
  const list = await world.ask("GET", `/v1/subscriptions?node=${node}`, { key: reseller });
  expect(list.body.subscriptions.map((one: { status: string }) => one.status)).toEqual(["scheduled", "cancelled"]);
});

test("no edit of a subscription reaches into the time of the one that follows it", async () => {
  const node = await newOrganization();
  const plan = await published({});
  const create = (dates: object) => subscribe({ node, plan, ...dates });
  const first = await create({ expires_at: inDays(10), renews: false });
  expect((await create({ starts_at: inDays(15) })).status).toBe(201);
  const change = (wanted: object) => changeSubscription(first.body.id, wanted);
  expect(await change({ renews: true })).toMatchObject({ status: 409, body: { field: "renews" } });
  expect(await change({ expires_at: inDays(30) })).toMatchObject({ status: 409, body: { field: "expires_at" } });
  expect(await change({ expires_at: null })).toMatchObject({ status: 409, body: { field: "expires_at" } });
  expect((await change({ expires_at: inDays(12) })).status).toBe(200);
});

test("subscriptions are paged by their place, whatever begins or ends meanwhile, and no other text is a cursor of theirs", async () => {
  const node = await newOrganization();
  const plan = await published({});
  const ids: string[] = [];
  for (const days of [10, 20, 30]) {
    const dates = { starts_at: inDays(days), expires_at: inDays(days + 5), renews: false };
    ids.push((await subscribe({ node, plan, ...dates })).body.id);
  }
  const list = (query: string) =>
    world.ask("GET", `/v1/subscriptions?node=${node}&limit=1&${query}`, { key: reseller });
  const first = (await list("status=scheduled")).body;
  expect(first.subscriptions.map((one: { id: string }) => one.id)).toEqual(ids.slice(0, 1));
  await changeSubscription(ids[0] ?? "", { cancel: true });
  const second = (await list(`status=scheduled&cursor=${first.next_cursor}`)).body;
  expect(second.subscriptions.map((one: { id: string }) => one.id)).toEqual(ids.slice(1, 2));
  const third = (await list(`status=scheduled&cursor=${second.next_cursor}`)).body;
  expect([third.subscriptions[0].id, third.next_cursor]).toEqual([ids[2], null]);
  for (const wrong of [
    "cursor=nonsense",
    `cursor=${ids[0]}`,
    `cursor=${first.next_cursor}`,
    `status=active&cursor=${first.next_cursor}`,
  ])
    expect(await list(wrong)).toMatchObject({ status: 400, body: { field: "cursor" } });
});

test("a subscriber reads the limits of all times, even of a plan kept from them, but no price", async () => {
  const node = await newOrganization();
  const plan = await published({});
  const { id } = (await world.ask("POST", "/v1/subscriptions", { key: reseller, body: { node, plan } })).body;
  const higher = { ...terms, features: [{ ...terms.features[0], included: 800 }] };
  await world.ask("PATCH", `/v1/plans/${plan}`, { key: reseller, body: { terms: higher } });
  await world.ask("POST", `/v1/plans/${plan}/publish`, { key: reseller });
  await world.ask("PATCH", `/v1/subscriptions/${id}`, { key: reseller, body: { plan, at: "next_cycle" } });
  const own = (await world.makeKey(["read", "admin"], node)).key;
  expect((await world.ask("GET", `/v1/plans/${plan}`, { key: own })).status).toBe(404);
  const { body } = await world.ask("GET", `/v1/subscriptions/${id}`, { key: own });
  const calls = { key: "calls", enabled: true, meter: "call_minutes", overage: "bill" };
  expect(body.history.map(({ features }: { features: object[] }) => features[0])).toEqual([
    { ...calls, included: "500" },
    { ...calls, included: "800" },
  ]);
});

test("every change of plans and subscriptions is in the audit", async () => {
  const { body } = await world.ask("GET", "/v1/audit?limit=1000", { key: reseller });
  const actions = new Set(body.entries.map(({ action }: { action: string }) => action));
  for (const action of [
    "plan.created",
    "plan.changed",
    "plan.published",
    "subscription.created",
    "subscription.changed",
  ])
    expect(actions).toContain(action);
});

test("what changed is read again alone, and comes to what reading everything would", async () => {
  const { postgres, tree } = world.deps;
  const states = new AccountStates(postgres);
  await states.read();
  const plan = await published({});
  const node = await newOrganization();
  const subscribed = await world.ask("POST", "/v1/subscriptions", { key: reseller, body: { node, plan } });
  const model = await world.ask("POST", "/v1/models", { key: reseller, body: { model: "held-1", name: "Held" } });
  const invited = await world.ask("POST", "/v1/users", {
    key: reseller,
    body: { email: "held@example.com", roles: [{ node, role: "viewer" }] },
  });
  expect([subscribed.status, model.status, invited.status]).toEqual([201, 201, 201]);
  const bySubscription = (one: { id: string }, other: { id: string }) => (one.id < other.id ? -1 : 1);
  const sorted = ({ subscriptions, models, ...rest }: AccountState) => ({
    ...rest,
    subscriptions: [...subscriptions].sort(bySubscription),
    models: [...models].sort(bySubscription),
  });
  const checkAll = async () =>
    expect(sorted(await states.read())).toEqual(sorted(await new AccountStates(postgres).read()));
  await checkAll();
  const steps: [method: "PATCH" | "POST" | "DELETE", path: string, body?: object][] = [
    ["PATCH", `/v1/plans/${plan}`, { name: "Renamed", terms: { ...terms, fixed_fee: { organization: "61" } } }],
    ["PATCH", `/v1/plans/${plan}`, { terms: { ...terms, fixed_fee: { organization: "62" } } }],
    ["POST", `/v1/plans/${plan}/publish`],
    ["PATCH", `/v1/subscriptions/${subscribed.body.id}`, { plan }],
    ["PATCH", `/v1/models/${model.body.id}`, { name: "Other" }],
    ["DELETE", `/v1/models/${model.body.id}`],
    ["PATCH", `/v1/users/${invited.body.id}`, { roles: [{ node: seller, role: "viewer" }] }],
    ["DELETE", `/v1/users/${invited.body.id}`],
  ];
  for (const [method, path, body] of steps) {
    const { status, body: answer } = await world.ask(method, path, { key: reseller, ...(body && { body }) });
    expect(status, `${path} ${JSON.stringify(answer)}`).toBeLessThan(300);
    await checkAll();
  }
  await world.ask("PATCH", `/v1/plans/${plan}`, { key: reseller, body: { terms } });
  const ofPlans = await rowsReadBy(() => states.read());
  const ofTerms = ofPlans.filter((row) => row.includes('"fixed_fee"'));
  expect(ofTerms.length).toBeGreaterThan(0);
  expect(ofTerms.length).toBeLessThan(3);
  await tree.ensureOrganizations(["unlike-plans"], seller);
  const ofOthers = await rowsReadBy(() => states.read());
  expect(ofOthers.length).toBeGreaterThan(0);
  expect(ofOthers.filter((row) => /fixed_fee|"(?:plan|sub|mdl|usr)_/.test(row))).toEqual([]);
  expect((await states.read()).sequence).toBeGreaterThan(0);
});

test("terms that take too much, and versions beyond what a plan may have, are refused by their field", async () => {
  const many = Array.from({ length: 50 }, (_, n) => ({
    up_to: n === 49 ? null : `${n + 1}.123456789`,
    unit_price: "0.123456789012",
  }));
  const prices = { organization: { model: "graduated", tiers: many } };
  const feature = { meter: "call_minutes", overage: "bill", prices };
  const wide = Array.from({ length: 100 }, (_, n) => ({ key: `f${n}`, ...feature }));
  const body = { name: "Wide", currency: "EUR", features: wide };
  const made = await world.ask("POST", "/v1/plans", { key: reseller, body });
  expect([made.status, made.body.field]).toEqual([400, "features"]);
  const id = await published({});
  const changed = await world.ask("PATCH", `/v1/plans/${id}`, {
    key: reseller,
    body: { terms: { ...terms, features: wide } },
  });
  expect([changed.status, changed.body.field]).toEqual([400, "terms.features"]);
  const { db } = world.deps.postgres;
  const publishedAt = new Date();
  const [first] = await db.select().from(planVersions).where(eq(planVersions.planId, id));
  if (!first) throw new Error("no version");
  const { versions } = definitionLimits.plans;
  await db
    .insert(planVersions)
    .values(Array.from({ length: versions - 1 }, (_, n) => ({ ...first, version: n + 2, publishedAt })));
  const full = await world.ask("PATCH", `/v1/plans/${id}`, { key: reseller, body: { terms } });
  expect([full.status, full.body.code, full.body.field]).toEqual([409, "conflict", "terms"]);
  const { body: limits } = await world.ask("GET", "/v1/limits", { key: reseller });
  expect(limits.definitions).toMatchObject({ plans: { max_versions: versions }, rules: { max_of_node: 200 } });
});

test("a rule about customers or bills reads nothing of what stands beside its node", async () => {
  const { postgres, tree } = world.deps;
  const node = await newOrganization();
  const plan = await published({});
  expect((await world.ask("POST", "/v1/subscriptions", { key: reseller, body: { node, plan } })).status).toBe(201);
  const state = await new AccountStates(postgres).read();
  const times = { atMs: Date.now(), sinceMs: 0, evaluatedUntilMs: 0 };
  const on = ["organization_created", "status_changed", "subscription_changed"] as const;
  const customers = { kind: "customers" as const, on: [...on], days_before: 1 };
  const readAt = async (top: string) => {
    const holdsFor = (one: string) => tree.isWithin(one, top);
    const asked = { ruleId: "rule_none", readUntil: undefined, state, node: top, holdsFor, ...times };
    const found: string[] = [];
    const rows = await rowsReadBy(async () => {
      for (const one of (await readCustomers({ postgres, tree }, customers, asked)).findings) found.push(one.node);
    });
    return { found: new Set(found), read: rows.filter((row) => /"(?:subscription|node)\.[a-z]+"/.test(row)).length };
  };
  expect(await readAt("reseller:sibling-9f3c")).toMatchObject({ read: 0 });
  const own = await readAt(node);
  expect(own).toEqual({ found: new Set([node]), read: 1 });
  expect((await readAt(seller)).found).toContain(node);
});
