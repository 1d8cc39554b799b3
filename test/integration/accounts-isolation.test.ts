/** What callers learn of nodes and keys outside their subtree, and how keys end. The matrix of all routes is in isolation/. */
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { definitionLimits } from "../../server/contract/definition-limits.ts";
import { type Accounts, ownAccounts, startAccounts } from "../support/accounts.ts";
import { unheldMs } from "../support/unheld-time.ts";

let accounts: Accounts;
/** A key in reseller r1, which callers ask about. */
let target: { id: string; key: string };
const callers: Record<string, string | undefined> = {};

beforeAll(async () => {
  accounts = await ownAccounts();
  const { tree, makeKey } = accounts;
  for (const id of ["r1", "r2"]) await tree.createNode({ kind: "reseller", id, name: id, parent: "all" });
  await tree.ensureOrganizations(["a1", "b1"], "reseller:r1");
  await tree.ensureOrganizations(["a2"], "reseller:r2");
  target = await makeKey("organization:a1");
  callers.own = (await makeKey("reseller:r1")).key;
  callers.sibling = (await makeKey("reseller:r2")).key;
});
afterAll(() => accounts.close());

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
  const other = await startAccounts(accounts.databaseUrl);
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

test("a key is read and renamed by its id, unless it was changed meanwhile, and goes on", async () => {
  const { key, id } = await accounts.makeKey("organization:a1", ["read"]);
  const ask = (method: string, headers: Record<string, string> = {}, body?: object) =>
    accounts.ask(method, `/v1/keys/${id}`, { key: callers.own, headers, ...(body && { body }) });
  const seen = await ask("GET");
  expect([seen.status, seen.body]).toEqual([200, expect.objectContaining({ id, name: "organization:a1" })]);
  const match = { "if-match": seen.headers.get("etag") ?? "" };
  const renamed = await ask("PATCH", match, { name: "Nightly export" });
  expect([renamed.status, renamed.body]).toEqual([200, { ...seen.body, name: "Nightly export" }]);
  expect((await ask("PATCH", match, { name: "Another" })).status).toBe(412);
  const now = await ask("GET");
  expect([now.headers.get("etag"), now.body.name]).toEqual([renamed.headers.get("etag"), "Nightly export"]);
  expect((await accounts.ask("GET", "/v1/me", { key })).status).toBe(200);
  expect((await accounts.keys.verify(key))?.name).toBe("Nightly export");
  const [entry] = (await accounts.ask("GET", "/v1/audit", { key: accounts.rootKey })).body.entries.filter(
    ({ action, subject }: Record<string, string>) => action === "key.changed" && subject === id,
  );
  expect(entry).toMatchObject({ before: { name: "organization:a1" }, after: { name: "Nightly export" } });
  const refused = await ask("PATCH", {}, { name: "Another", scopes: ["admin"] });
  expect([refused.status, refused.body.field]).toEqual([400, "scopes"]);
});

test("the use of a key is stored with its address, and revoking it twice leaves the first moment", async () => {
  expect((await accounts.ask("GET", "/v1/me", { key: target.key })).status).toBe(200);
  await accounts.keys.verify(target.key, "192.0.2.7");
  await accounts.keys.writeUses();
  // A use from where nobody knows takes nothing away.
  await accounts.keys.verify(target.key);
  await accounts.keys.writeUses();
  const first = await accounts.ask("DELETE", `/v1/keys/${target.id}`, { key: callers.own });
  expect(first.status).toBe(200);
  expect(Date.parse(first.body.last_used_at)).toBeGreaterThan(Date.now() - 60_000);
  expect(first.body.last_used_address).toBe("192.0.2.7");
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

test("keys and users are listed page by page, each once and in order, offers among the users", async () => {
  const { key } = await accounts.makeKey("organization:b1", ["admin", "read"]);
  const roles = [{ node: "organization:b1", role: "viewer" }];
  for (const email of ["b@example.com", "a@example.com", "c@example.com"])
    expect((await accounts.ask("POST", "/v1/users", { key, body: { email, roles } })).status).toBe(201);
  for (const name of ["first", "second", "third"])
    await accounts.ask("POST", "/v1/keys", { key, body: { name, scopes: ["read"] } });
  for (const list of ["users", "keys"]) {
    const whole = (await accounts.ask("GET", `/v1/${list}`, { key })).body;
    expect([whole[list].length, whole.next_cursor]).toEqual([list === "users" ? 3 : 4, null]);
    const found: { email?: string }[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const { status, body } = await accounts.ask("GET", `/v1/${list}?limit=1${cursor && `&cursor=${cursor}`}`, {
        key,
      });
      expect([status, body[list].length]).toEqual([200, 1]);
      found.push(...body[list]);
      cursor = body.next_cursor;
    }
    expect(found).toEqual(whole[list]);
    if (list === "users")
      expect(found.map(({ email }) => email)).toEqual([..."abc"].map((one) => `${one}@example.com`));
  }
});

test("keys and roles of a node are bounded: what is over is refused, and has room again when another has ended", async () => {
  await accounts.tree.ensureOrganizations(["full"], "reseller:r2");
  const node = "organization:full";
  const { key } = await accounts.makeKey(node, ["admin", "read"]);
  const { db } = accounts.postgres;
  const { keys, roles } = definitionLimits;
  const addKeys = (count: number, named: string, endsAt: string) =>
    db.execute(sql`INSERT INTO api_keys (id, key_hash, prefix, name, node, scopes, create_organizations, revoked_at)
      SELECT ${named} || n, ${named} || n, 'tmk', 'k', ${node}, ARRAY['read'], false, ${endsAt}::timestamptz FROM generate_series(1, ${count}::int) AS n`);
  const make = () => accounts.ask("POST", "/v1/keys", { key, body: { name: "one more", scopes: ["read"] } });
  await db.execute(sql`INSERT INTO api_keys (id, key_hash, prefix, name, node, scopes, create_organizations)
    SELECT 'full_' || n, 'full_' || n, 'tmk', 'k', ${node}, ARRAY['read'], false FROM generate_series(1, ${keys.ofNode - 1}::int) AS n`);
  expect(await make()).toMatchObject({ status: 409, body: { field: "node" } });
  await accounts.ask("DELETE", "/v1/keys/full_1", { key });
  const made = await make();
  expect(made.status).toBe(201);
  await addKeys(keys.withEnded - keys.ofNode - 1, "ended_", "2026-01-01T00:00:00Z");
  await accounts.ask("DELETE", "/v1/keys/full_2", { key });
  expect(await make()).toMatchObject({ status: 409 });
  const rotated = await accounts.ask("POST", `/v1/keys/${made.body.id}/rotate`, { key, body: {} });
  expect(rotated.status).toBe(409);

  const role = { node, role: "viewer" };
  const invite = (email: string) => accounts.ask("POST", "/v1/users", { key, body: { email, roles: [role] } });
  const offered = JSON.stringify(Array.from({ length: roles.ofNode - 1 }, () => role));
  await db.execute(sql`INSERT INTO role_offers (id, email, roles, offered_by, token_hash, expires_at)
    VALUES ('many', 'many@example.com', ${offered}::jsonb, '{}'::jsonb, 'many', now() + interval '1 day')`);
  const last = await invite("last@example.com");
  expect(last.status).toBe(201);
  expect(await invite("over@example.com")).toMatchObject({ status: 409, body: { field: "roles" } });
  const more = { roles: [role, { node, role: "manager" }] };
  expect(await accounts.ask("PATCH", `/v1/users/${last.body.id}`, { key, body: more })).toMatchObject({ status: 409 });
  expect((await accounts.ask("DELETE", `/v1/users/${last.body.id}`, { key })).status).toBe(204);
  expect((await invite("over@example.com")).status).toBe(201);
});
