/** GET /v1/organizations beside what the other routes say of each organization alone. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { recordChange, system } from "../../server/audit/record-change.ts";
import { userRoles, users } from "../../server/postgres/schema/accounts.ts";
import { createWorld, type World } from "../support/isolation-world.ts";

let world: World;
let key: string;
const reseller = "reseller:list";
const dayMs = 86_400_000;

beforeAll(async () => {
  world = await createWorld();
  const root = (await world.makeKey(["ingest", "read", "admin"], "all")).key;
  await world.ask("POST", "/v1/nodes", { key: root, body: { kind: "reseller", id: "list", parent: "all" } });
  key = (await world.makeKey(["ingest", "read", "admin"], reseller)).key;
});
afterAll(() => world.close());

interface Listed {
  id: string;
  name: string;
  usage: string | number;
  users: number;
  plan: { name: string; version: number } | null;
  quota: { status: string; feature: string; percent: string } | null;
  missing: boolean;
}
/** With everything that was stored before. */
const list = async (query = "", asked: string = key) => {
  const { status, body } = await world.ask("GET", `/v1/organizations?${query}`, {
    key: asked,
    headers: { "cache-control": "no-cache" },
  });
  expect(status, JSON.stringify(body)).toBe(200);
  return body as { total: number; organizations: Listed[]; next_cursor: string | null; watermark: string } & {
    missing: { total: number; nodes: string[] };
  };
};
const ids = async (query: string) => (await list(query)).organizations.map(({ id }) => id);

const features = [
  { key: "minutes", meter: "transcribed_minutes", included: 100 },
  { key: "people", meter: "max_concurrent_participants", included: 4 },
  { key: "presence", meter: "participation_minutes", included: 1000 },
  { key: "sessions", meter: "sessions", included: 40 },
  { key: "rooms", meter: "active_rooms", included: 30 },
  { key: "storage", meter: "recording_storage", included: 500 },
  { key: "own", meter: "long_ones", included: 50 },
  { key: "free", meter: "emails", included: null },
];
const ratio = { key: "ratio", meter: "ratio_of_list", included: 900 };

async function makeOrganization(id: string, body: object = {}): Promise<string> {
  const answer = await world.ask("POST", "/v1/nodes", { key, body: { kind: "organization", id, ...body } });
  expect(answer.status).toBe(201);
  return `organization:${id}`;
}

async function makePlan(name: string, own: object[]): Promise<string> {
  const { body } = await world.ask("POST", "/v1/plans", { key, body: { name, currency: "EUR", features: own } });
  await world.ask("POST", `/v1/plans/${body.id}/publish`, { key });
  return body.id as string;
}

test("usage, quota, plan and users of each are what the other routes say of it alone", async () => {
  const own = { meter: "long_ones", title: "Long", events: { types: ["call.completed"], aggregation: "count" } };
  expect((await world.ask("POST", "/v1/meters", { key, body: own })).status).toBe(201);
  const formula = { meter: "ratio_of_list", title: "R", formula: "transcribed_minutes / sessions" };
  expect((await world.ask("POST", "/v1/meters", { key, body: formula })).status).toBe(201);
  const plan = await makePlan("Full", features);
  const nowMs = Date.now();
  const when = (minutesAgo: number) => new Date(nowMs - minutesAgo * 60_000 - 123).toISOString();
  const events: object[] = [];
  for (let one = 0; one < 4; one++) {
    const organization = `full-${one}`;
    const node = await makeOrganization(organization);
    const starts_at = new Date(nowMs - (one + 1) * 9 * dayMs).toISOString();
    const tz = ["UTC", "Asia/Kathmandu", "America/New_York"][one % 3];
    const subscription = await world.ask("POST", "/v1/subscriptions", { key, body: { node, plan, starts_at, tz } });
    expect(subscription.status).toBe(201);
    // Ended and begun anew within a day: what begins at no quarter of an hour.
    if (one === 1) {
      const { id } = subscription.body;
      await world.ask("PATCH", `/v1/subscriptions/${id}`, { key, body: { cancel: true } });
      await world.ask("POST", "/v1/subscriptions", { key, body: { node, plan } });
    }
    const base = { organization };
    for (let n = 0; n <= one * 4; n++) {
      const ago = 2 + n * 11 + (n % 4) * dayMs * 0.01;
      const place = { ...base, session: `s${n % 4}`, room: `r${n % 3}`, user: `u${n}` };
      events.push({ ...base, type: "transcription.completed", value: "9.5", time: when(ago), user: `u${n}` });
      events.push({ ...base, type: "call.completed", value: 3, time: when(ago) });
      events.push({ ...base, type: "recording.stored", value: "12.25", time: when(ago) });
      events.push({ ...place, type: "participant.joined", interval: `i${n}`, time: when(ago) });
      if (n % 3 > 0)
        events.push({ ...place, type: "participant.left", interval: `i${n}`, time: when(Math.max(0, ago - 7 * n)) });
    }
  }
  const sent = await world.ask("POST", "/v1/events?ack=stored", {
    key,
    body: events.map((event, index) => ({ id: `e${index}`, ...event })),
  });
  expect(sent.body).toMatchObject({ accepted: events.length });
  const { organizations } = await list("search=full&sort=name&meter=transcribed_minutes");
  expect(organizations.map(({ id }) => id)).toEqual(["full-0", "full-1", "full-2", "full-3"]);
  const month = new Date(nowMs).toISOString().slice(0, 7);
  const statuses = ["under", "moderate", "high", "over"];
  for (const { id, usage, quota, plan: subscribed } of organizations) {
    const node = `organization:${id}`;
    const alone = await world.ask(
      "GET",
      `/v1/usage?meter=transcribed_minutes&node=${node}&from=${month}-01&window=month`,
      {
        key,
      },
    );
    expect(usage, id).toBe(alone.body.meters[0].total);
    const period = await world.ask("GET", `/v1/period?node=${node}`, { key });
    // What is open grows by the second, so percents are compared within one.
    const quotas = period.body.quotas as { feature: string; status: string | null; percent: string | null }[];
    const worst = Math.max(...quotas.map(({ status }) => statuses.indexOf(status ?? "")));
    expect(quota?.status, id).toBe(statuses[worst]);
    const same = quotas.find(({ feature }) => feature === quota?.feature);
    expect(same?.status).toBe(quota?.status);
    expect(Math.abs(Number(same?.percent) - Number(quota?.percent)), id).toBeLessThan(1);
    expect(subscribed).toMatchObject({ name: "Full", version: 1 });
  }
});

test("every kind of limit alone gives the status that /v1/period gives", async () => {
  for (const feature of [...features.filter(({ included }) => included !== null), ratio]) {
    const plan = await makePlan(`Only ${feature.key}`, [feature]);
    const node = "organization:full-3";
    const { body } = await world.ask("GET", `/v1/subscriptions?node=${node}`, { key });
    const change = { key, body: { plan } };
    const done = await world.ask("PATCH", `/v1/subscriptions/${body.subscriptions[0].id}`, change);
    expect(done.status).toBe(200);
    const [listed] = (await list("search=full-3")).organizations;
    const period = await world.ask("GET", `/v1/period?node=${node}`, { key });
    const [quota] = period.body.quotas;
    expect(listed?.plan?.name).toBe(`Only ${feature.key}`);
    expect([listed?.quota?.feature, listed?.quota?.status], feature.key).toEqual([feature.key, quota.status]);
    expect(Math.abs(Number(listed?.quota?.percent) - Number(quota.percent)), feature.key).toBeLessThan(1);
    expect(Number(quota.used), feature.key).toBeGreaterThan(0);
  }
});

test("an event is in the list as soon as it can be queried", async () => {
  await makeOrganization("fresh", { name: "Fresh Ltd" });
  for (const expected of ["1.5", "3", "4.5"]) {
    const event = { id: `f${expected}`, type: "transcription.completed", organization: "fresh", value: "1.5" };
    await world.ask("POST", "/v1/events?ack=stored", { key, body: event });
    expect((await list("search=fresh")).organizations[0]?.usage).toBe(expected);
  }
});

test("a search finds names and external ids in spite of typos, the best match first", async () => {
  await makeOrganization("z1", { name: "Nordlicht Energie", external_id: "CRM-7781" });
  await makeOrganization("z2", { name: "Energie Nordlicht Süd" });
  expect(await ids("search=nordlicht")).toEqual(["z1", "z2"]);
  expect(await ids("search=nordlihct")).toEqual(["z1", "z2"]);
  expect(await ids("search=sud")).toEqual(["z2"]);
  expect(await ids("search=crm-7781")).toEqual(["z1"]);
  expect(await ids("search=crm-7718")).toEqual(["z1"]);
  expect(await ids("search=nothing-like-it")).toEqual([]);
});

test("plans, statuses and quota statuses filter, also several at once", async () => {
  await makeOrganization("t1", { name: "Trial One", status: "trial" });
  await makeOrganization("t2", { name: "Trial Two", status: "suspended" });
  expect(await ids("search=trial&status=trial")).toEqual(["t1"]);
  expect(await ids("search=trial&status=trial,suspended&sort=name&order=desc")).toEqual(["t2", "t1"]);
  const { organizations, total } = await list("plan=none&limit=1000");
  expect(total).toBe(organizations.length);
  expect(organizations.every(({ plan }) => plan === null)).toBe(true);
  const full = await list("search=full&quota=over,moderate&limit=1000");
  expect(full.organizations.length).toBeGreaterThan(0);
  for (const { quota } of full.organizations) expect(["over", "moderate"]).toContain(quota?.status);
  const rest = await list("search=full&quota=under,high,none&limit=1000");
  expect(full.total + rest.total).toBe(4);
});

test("all pages together are each match once, in order, whatever the order", async () => {
  for (const [index, node] of ["organization:full-1", "organization:full-2"].entries())
    for (let user = 0; user <= index; user++) {
      const id = `usr_${index}_${user}`;
      await world.deps.postgres.transaction(async (tx) => {
        await tx.insert(users).values({ id, email: `${id}@example.com` });
        await tx.insert(userRoles).values({ userId: id, node, role: "viewer" });
        await recordChange(tx, { by: system, node, action: "user.joined", subject: id, after: {} });
      });
    }
  await makeOrganization("last", { name: "Last" });
  for (const sort of ["name", "usage", "created", "users"]) {
    const whole = await list(`sort=${sort}&limit=1000`);
    const found: Listed[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page = await list(`sort=${sort}&limit=3${cursor ? `&cursor=${cursor}` : ""}`);
      expect(page.total).toBe(whole.total);
      found.push(...page.organizations);
      cursor = page.next_cursor;
    }
    expect(found.map(({ id }) => id)).toEqual(whole.organizations.map(({ id }) => id));
    expect(found.length).toBe(whole.total);
  }
  const byUsers = (await list("sort=users&limit=2")).organizations;
  expect(byUsers.map(({ id, users: count }) => [id, count])).toEqual([
    ["full-2", 2],
    ["full-1", 1],
  ]);
  const usages = (await list("sort=usage&limit=1000")).organizations.map(({ usage }) => Number(usage));
  expect(usages).toEqual([...usages].sort((a, b) => b - a));
});

test("CSV has all that match, as in the pages and in their order", async () => {
  const { organizations } = await list("sort=usage&limit=1000");
  const answer = await fetch(`${world.url}/v1/organizations?sort=usage&limit=1`, {
    headers: { authorization: `Bearer ${key}`, accept: "text/csv", "cache-control": "no-cache" },
  });
  expect(answer.headers.get("content-type")).toContain("text/csv");
  const [columns, ...rows] = (await answer.text())
    .trimEnd()
    .split("\r\n")
    .map((line) => line.split(","));
  const of = (row: string[] | undefined, column: string) => row?.[columns?.indexOf(column) ?? -1];
  expect(rows.map((row) => [of(row, "node"), of(row, "usage"), of(row, "users"), of(row, "quota_percent")])).toEqual(
    organizations.map(({ id, usage, users, quota }) => [
      `organization:${id}`,
      usage,
      String(users),
      quota?.percent ?? "",
    ]),
  );
});

test("usage of before a move stays with the old parent", async () => {
  const root = (await world.makeKey(["ingest", "read", "admin"], "all")).key;
  await world.ask("POST", "/v1/nodes", { key: root, body: { kind: "reseller", id: "other-list", parent: "all" } });
  const node = await makeOrganization("mover", { name: "Mover" });
  const send = (id: string) =>
    world.ask("POST", "/v1/events?ack=stored", {
      key: root,
      body: { id, type: "transcription.completed", organization: "mover", value: 2 },
    });
  await send("m1");
  await world.ask("PATCH", `/v1/nodes/${node}`, { key: root, body: { parent: "reseller:other-list" } });
  await send("m2");
  await send("m3");
  expect(await ids("search=mover")).toEqual([]);
  const moved = await list("node=reseller:other-list&search=mover", root);
  expect(moved.organizations[0]?.usage).toBe("4");
  expect((await list("search=mover", root)).organizations[0]?.usage).toBe("6");
});

test("a node whose limits cannot be read is named as missing from lists and overview, and counts as without a limit nowhere", async () => {
  const plan = await makePlan("Gaps", [{ key: "minutes", meter: "transcribed_minutes", included: 100 }]);
  const [whole, broken] = [await makeOrganization("gap-whole"), await makeOrganization("gap-broken")];
  for (const node of [whole, broken]) {
    const { status, body } = await world.ask("POST", "/v1/subscriptions", { key, body: { node, plan } });
    expect(status, JSON.stringify(body)).toBe(201);
    // No route makes such a row.
    if (node === broken)
      await world.deps.postgres.pool.query("UPDATE subscription_plans SET version = 9 WHERE subscription_id = $1", [
        body.id,
      ]);
  }
  const missing = { total: 1, nodes: [broken] };
  const listed = await list("limit=1000");
  expect(listed.missing).toEqual(missing);
  const both = listed.organizations.filter(({ id }) => id.startsWith("gap-"));
  expect(both.map((one) => [one.id, one.missing, one.quota?.status ?? null])).toEqual([
    ["gap-broken", true, null],
    ["gap-whole", false, "under"],
  ]);
  expect(await ids("quota=none&limit=1000")).not.toContain("gap-broken");
  const of = async (node: string) =>
    (await world.ask("GET", `/v1/overview?node=${node}`, { key, headers: { "cache-control": "no-cache" } })).body;
  expect(await of(broken)).toMatchObject({ missing, organizations: { total: 1, by_quota: { under: 0, none: 0 } } });
  expect(await of(whole)).toMatchObject({
    missing: { total: 0, nodes: [] },
    organizations: { total: 1, by_quota: { under: 1, none: 0 } },
  });
});

test.each([
  ["a meter that does not exist", "meter=nothing", "meter"],
  ["a formula, which has no organizations", "meter=ratio_of_list", "meter"],
  ["a zone that does not exist", "tz=Mars/Base", "tz"],
  ["a status that does not exist", "status=gone", "status.0"],
  ["a cursor of another list", "cursor=abc", "cursor"],
])("refuses %s", async (_, query, field) => {
  const { status, body } = await world.ask("GET", `/v1/organizations?${query}`, { key });
  expect([status, body.field]).toEqual([400, field]);
});
