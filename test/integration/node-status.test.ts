/** What the status of a node means: for its own people and keys, for what stands below it, and never for usage itself. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { askedAbout, createWorld, inside, type World } from "../support/isolation-world.ts";

let world: World;
let rootKey: string;
let ownKey: string;
const organization = inside.slice("organization:".length);

beforeAll(async () => {
  world = await createWorld();
  rootKey = (await world.makeKey(["ingest", "read", "admin"], "all")).key;
  ownKey = (await world.makeKey(["ingest", "read", "admin"])).key;
});
afterAll(() => world.close());

async function setStatus(node: string, status: string): Promise<void> {
  expect((await world.ask("PATCH", `/v1/nodes/${node}`, { key: rootKey, body: { status } })).status).toBe(200);
}

let sent = 0;
const send = (...organizations: string[]) =>
  world.ask("POST", "/v1/events?ack=stored", {
    key: rootKey,
    body: organizations.map((one) => ({ id: `status-${sent++}`, type: "chat.posted", organization: one })),
  });
const posts = async () => {
  const range = "from=2026-01-01&to=2100-01-01&window=total";
  const { body } = await world.ask("GET", `/v1/usage?meter=chat_posts&node=${inside}&${range}`, { key: rootKey });
  return body.meters[0].total;
};
const reads = async (asked: object) => (await world.ask("GET", `/v1/nodes/${inside}`, asked)).status;
const writes = async (asked: object) =>
  (await world.ask("PATCH", `/v1/nodes/${inside}`, { ...asked, body: { name: "Inside" } })).status;
const entitlement = async () =>
  (await world.ask("GET", `/v1/entitlements/calls?node=${inside}`, { key: rootKey })).body.reason;

test("what was stored and each change of a subscription, a plan or a status is in the very next answer", async () => {
  const organization = "asked-about-at-once";
  const node = `organization:${organization}`;
  await world.deps.tree.ensureOrganizations([organization], askedAbout);
  const ask = async (about = node) => {
    const { status, body } = await world.ask("GET", `/v1/entitlements/posts?node=${encodeURIComponent(about)}`, {
      key: rootKey,
    });
    expect(status).toBe(200);
    expect(Date.parse(body.watermark)).toBeGreaterThan(0);
    return [body.reason, body.used];
  };
  expect(await ask()).toEqual(["no_subscription", null]);
  const starts_at = new Date(Date.now() - 3_600_000).toISOString();
  const plan = async (feature: object) => {
    const body = { name: "Plan", currency: "EUR", features: [feature] };
    const { id } = (await world.ask("POST", "/v1/plans", { key: rootKey, body })).body;
    await world.ask("POST", `/v1/plans/${id}/publish`, { key: rootKey });
    return id;
  };
  const body = {
    node,
    plan: await plan({ key: "posts", meter: "chat_posts", included: 1_000_000, overage: "block" }),
    starts_at,
  };
  const made = await world.ask("POST", "/v1/subscriptions", { key: rootKey, body });
  expect(await ask()).toEqual(["within_limit", "0"]);
  expect(await ask(`agent:${organization}/one`)).toEqual(["within_limit", "0"]);
  for (const used of ["1", "2"]) {
    expect((await send(organization)).status).toBe(200);
    expect(await ask()).toEqual(["within_limit", used]);
    expect(await ask(`agent:${organization}/one`)).toEqual(["within_limit", used]);
  }
  const patch = { plan: await plan({ key: "sso" }), at: "now" };
  expect((await world.ask("PATCH", `/v1/subscriptions/${made.body.id}`, { key: rootKey, body: patch })).status).toBe(
    200,
  );
  expect(await ask()).toEqual(["not_in_plan", null]);
  await setStatus(node, "suspended");
  expect(await ask()).toEqual(["suspended", null]);
});

test.each([inside, askedAbout])(
  "with %s suspended its keys read and send, and change nothing; its usage counts",
  async (node) => {
    await setStatus(node, "suspended");
    const before = await posts();
    const { status, body } = await send(organization, organization, "elsewhere-9f3c");
    expect([status, body.accepted, body.rejected]).toEqual([200, 3, []]);
    expect(body.warnings).toEqual([
      expect.objectContaining({ index: 0, code: "suspended_organization", field: "organization" }),
    ]);
    expect(await posts()).toBe(before + 2);
    const own = await world.ask("POST", "/v1/events?ack=stored", {
      key: ownKey,
      body: { id: `own-${node}`, type: "chat.posted", organization },
    });
    expect([own.status, own.body.accepted]).toEqual([200, 1]);
    expect([await reads({ key: ownKey }), await writes({ key: ownKey })]).toEqual([200, 403]);
    expect(await entitlement()).toBe("suspended");
    // Whoever is above it goes on.
    expect(await writes({ key: rootKey })).toBe(200);
    await setStatus(node, "active");
    expect([await writes({ key: ownKey }), await entitlement()]).toEqual([200, "no_subscription"]);
  },
);

test("with a node cancelled its keys and people do not read either, get the reason, and its usage still counts", async () => {
  const manager = world.callers.get("with the role manager");
  if (!manager) throw new Error("there is a manager");
  expect([await reads(manager), await writes(manager)]).toEqual([200, 200]);
  await setStatus(askedAbout, "cancelled");
  expect([await reads(manager), await writes(manager), await reads({ key: ownKey })]).toEqual([403, 403, 403]);
  const refused = await world.ask("GET", `/v1/nodes/${inside}`, { key: ownKey });
  expect(refused.body.detail).toContain("is cancelled");
  // They still know who they are, and may sign out.
  expect((await world.ask("GET", "/v1/me", manager)).body).toMatchObject({ actions: [] });
  const { body } = await send(organization);
  expect([body.accepted, body.warnings[0].code]).toEqual([1, "suspended_organization"]);
  expect(await entitlement()).toBe("suspended");
  await setStatus(askedAbout, "trial");
  expect([await reads(manager), await writes(manager), await entitlement()]).toEqual([200, 200, "no_subscription"]);
  expect((await send(organization)).body.warnings).toEqual([]);
});

test("the root is always active", async () => {
  const refused = await world.ask("PATCH", "/v1/nodes/all", { key: rootKey, body: { status: "suspended" } });
  expect([refused.status, refused.body.field]).toEqual([400, "status"]);
});
