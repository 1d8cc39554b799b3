/** What callers learn of nodes and keys outside their subtree, and how keys end. The matrix of all routes is in isolation/. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Accounts, startAccounts } from "../support/accounts.ts";
import { ownPostgres } from "../support/stores.ts";
import { unheldMs } from "../support/unheld-time.ts";

let accounts: Accounts;
let drop: () => Promise<void>;
/** A key in reseller r1, which callers ask about. */
let target: { id: string; key: string };
const callers: Record<string, string | undefined> = {};

beforeAll(async () => {
  const database = await ownPostgres();
  drop = database.drop;
  accounts = await startAccounts(database.url);
  const { tree, makeKey } = accounts;
  for (const id of ["r1", "r2"]) await tree.createNode({ kind: "reseller", id, name: id, parent: "all" });
  await tree.ensureOrganizations(["a1", "b1"], "reseller:r1");
  await tree.ensureOrganizations(["a2"], "reseller:r2");
  target = await makeKey("organization:a1");
  callers.own = (await makeKey("reseller:r1")).key;
  callers.sibling = (await makeKey("reseller:r2")).key;
});
afterAll(async () => {
  await accounts.close();
  await drop();
});

test("a node outside the caller's subtree is forbidden in the same words whether it exists or not", async () => {
  const paths = (id: string) => [
    `/v1/nodes/organization:${id}`,
    `/v1/nodes?parent=organization:${id}`,
    `/v1/nodes/agent:${id}%2Fx`,
  ];
  for (const [index, path] of paths("a1").entries()) {
    const existing = await accounts.ask("GET", path, { key: callers.sibling });
    const missing = await accounts.ask("GET", paths("zz")[index] ?? "", { key: callers.sibling });
    expect([existing.status, missing.status]).toEqual([403, 403]);
    expect(existing.body.detail.replaceAll("a1", "zz")).toBe(missing.body.detail);
  }
  const all = await accounts.ask("GET", "/v1/nodes/all", { key: callers.own });
  expect(all.status).toBe(403);
});

test("lists hold the caller's subtree and nothing else, and not what stands above it", async () => {
  const nodes = await accounts.ask("GET", "/v1/nodes", { key: callers.sibling });
  expect(nodes.body.nodes.map(({ node, parent }: { node: string; parent: string }) => [node, parent])).toEqual([
    ["organization:a2", "reseller:r2"],
    ["reseller:r2", null],
  ]);
  const keys = await accounts.ask("GET", "/v1/keys", { key: callers.sibling });
  expect(keys.body.keys.map(({ node }: { node: string }) => node)).toEqual(["reseller:r2"]);
  expect(JSON.stringify(keys.body)).not.toMatch(/hash/i);
});

test("no key gives more than its maker has", async () => {
  const maker = (await accounts.makeKey("reseller:r1", ["admin", "read"])).key;
  const wanted = { name: "more", node: "organization:a1" };
  const scopes = await accounts.ask("POST", "/v1/keys", {
    key: maker,
    body: { ...wanted, scopes: ["read", "ingest"] },
  });
  expect([scopes.status, scopes.body.field]).toEqual([403, "scopes"]);
  const above = await accounts.ask("POST", "/v1/keys", {
    key: maker,
    body: { ...wanted, node: "all", scopes: ["read"] },
  });
  expect([above.status, above.body.field]).toEqual([403, "node"]);
  const made = await accounts.ask("POST", "/v1/keys", { key: maker, body: { ...wanted, scopes: ["read"] } });
  expect(made.body.key).toMatch(/^tmk_[\w-]{43}$/);
  const me = await accounts.ask("GET", "/v1/me", { key: made.body.key });
  expect(me.body).toEqual({
    kind: "key",
    name: "more",
    node: "organization:a1",
    roles: [],
    actions: ["read"],
    has_password: false,
    has_second_factor: false,
  });
});

test("a revoked key is refused within five seconds by a process that did not revoke it", async () => {
  const { key, id } = await accounts.makeKey("organization:a1");
  const other = await startAccounts(accounts.postgres.pool.options.connectionString ?? "");
  try {
    expect((await other.ask("GET", "/v1/me", { key })).status).toBe(200);
    expect((await accounts.ask("DELETE", `/v1/keys/${id}`, { key: callers.own })).status).toBe(200);
    const statusThere = async () => (await other.ask("GET", "/v1/me", { key })).status;
    const untilRefused = () => expect.poll(statusThere, { interval: 20 }).toBe(401);
    expect(await unheldMs(untilRefused)).toBeLessThan(5_000);
  } finally {
    await other.close();
  }
});

test("a rotated key is good beside the new one for the overlap, then ends everywhere", async () => {
  const old = await accounts.makeKey("organization:a1", ["read"]);
  const rotate = (body: object) => accounts.ask("POST", `/v1/keys/${old.id}/rotate`, { key: callers.own, body });
  const statusOf = async (key: string) => (await accounts.ask("GET", "/v1/me", { key })).status;
  const first = await rotate({ overlap_seconds: 3_600 });
  expect(first.body).toMatchObject({
    name: "organization:a1",
    node: "organization:a1",
    scopes: ["read"],
    expires_at: null,
  });
  expect([await statusOf(old.key), await statusOf(first.body.key)]).toEqual([200, 200]);
  const second = await rotate({ overlap_seconds: 0 });
  expect(second.status).toBe(201);
  expect([await statusOf(old.key), await statusOf(second.body.key)]).toEqual([401, 200]);
  expect((await rotate({})).status).toBe(409);
  const reader = await accounts.makeKey("reseller:r1", ["admin"]);
  const more = await accounts.ask("POST", `/v1/keys/${first.body.id}/rotate`, { key: reader.key, body: {} });
  expect([more.status, more.body.field]).toEqual([403, "scopes"]);
});

test("the use of a key is stored, and revoking it twice leaves the first moment", async () => {
  expect((await accounts.ask("GET", "/v1/me", { key: target.key })).status).toBe(200);
  await accounts.keys.writeUses();
  const first = await accounts.ask("DELETE", `/v1/keys/${target.id}`, { key: callers.own });
  expect(first.status).toBe(200);
  expect(Date.parse(first.body.last_used_at)).toBeGreaterThan(Date.now() - 60_000);
  const second = await accounts.ask("DELETE", `/v1/keys/${target.id}`, { key: callers.own });
  expect(second.body.revoked_at).toBe(first.body.revoked_at);
  expect((await accounts.ask("GET", "/v1/me", { key: target.key })).status).toBe(401);
});

test("a root key that changes replaces the one before", async () => {
  await accounts.keys.ensureRootKey("another-root-key-here");
  expect((await accounts.ask("GET", "/v1/me", { key: accounts.rootKey })).status).toBe(401);
  expect((await accounts.ask("GET", "/v1/me", { key: "another-root-key-here" })).body).toMatchObject({ node: "all" });
  await accounts.keys.ensureRootKey(accounts.rootKey);
});
