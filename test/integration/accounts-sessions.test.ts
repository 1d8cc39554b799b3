/** Signing in, staying signed in, signing out; and what another site's page cannot do with a session. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { actions } from "../../server/contract/accounts.ts";
import { userRoles, users } from "../../server/postgres/schema/accounts.ts";
import { type Accounts, adminEmail, adminPassword, ownAccounts } from "../support/accounts.ts";

const dayMs = 24 * 60 * 60 * 1000;
let accounts: Accounts;
let aheadMs = 0;

beforeAll(async () => {
  accounts = await ownAccounts({ now: () => Date.now() + aheadMs });
});
afterAll(() => accounts.close());

const signIn = (body: unknown = { email: adminEmail, password: adminPassword }, headers: Record<string, string> = {}) =>
  accounts.ask("POST", "/v1/session", { body, headers });

async function freshSession(): Promise<string> {
  const cookie = (await signIn()).headers.get("set-cookie") ?? "";
  return /^tidemark_session=([^;]+)/.exec(cookie)?.[1] ?? "";
}

test("signing in sets a cookie that no script reads and no other site's form sends; whatever the case of the address", async () => {
  const answer = await signIn({ email: "  ADMIN@example.com", password: adminPassword });
  expect(answer.status).toBe(200);
  expect(answer.body).toEqual({
    kind: "user",
    name: "admin@example.com",
    node: "all",
    roles: [{ node: "all", role: "owner" }],
    actions: [...actions],
    has_second_factor: false,
    has_password: true,
  });
  const cookie = answer.headers.get("set-cookie") ?? "";
  expect(cookie).toMatch(/^tidemark_session=[\w-]{43};/);
  for (const attribute of ["HttpOnly", "SameSite=Lax", "Path=/"]) expect(cookie).toContain(attribute);
  expect(cookie).not.toContain("Secure");
});

test("over https the cookie is never sent in the clear", async () => {
  const answer = await signIn(undefined, { "x-forwarded-proto": "https" });
  expect(answer.headers.get("set-cookie")).toContain("; Secure");
});

test("a session gives the user's rights until it is ended", async () => {
  const session = await freshSession();
  expect((await accounts.ask("GET", "/v1/me", { session })).body).toMatchObject({ kind: "user", node: "all" });
  const out = await accounts.ask("DELETE", "/v1/session", { session, headers: { origin: accounts.url } });
  expect(out.status).toBe(204);
  expect(out.headers.get("set-cookie")).toMatch(/^tidemark_session=;.*Max-Age=0/);
  expect((await accounts.ask("GET", "/v1/me", { session })).status).toBe(401);
});

test("a wrong password, an unknown account and a missing field are told apart only where that tells nothing", async () => {
  const wrong = await signIn({ email: adminEmail, password: "wrong" });
  const unknown = await signIn({ email: "nobody@example.com", password: "wrong" });
  expect([wrong.status, unknown.status]).toEqual([401, 401]);
  expect(wrong.body.detail).toBe(unknown.body.detail);
  expect(wrong.headers.get("set-cookie")).toBeNull();
  const missing = await signIn({ email: adminEmail });
  expect([missing.status, missing.body.code, missing.body.field]).toEqual([400, "invalid_request", "password"]);
  const strange = await signIn({ email: adminEmail, password: "x", remember: true });
  expect([strange.status, strange.body.field]).toEqual([400, "remember"]);
  const unreadable = await signIn("{");
  expect([unreadable.status, unreadable.body.code]).toEqual([400, "unreadable_body"]);
});

test("a session's writes must come from this server's own pages, its reads need not", async () => {
  const session = await freshSession();
  const body = { kind: "organization", id: "from-a-page" };
  const foreign: Record<string, string>[] = [{ origin: "https://evil.example" }, { origin: "null" }, {}];
  for (const headers of foreign) {
    const refused = await accounts.ask("POST", "/v1/nodes", { session, body, headers });
    expect([refused.status, refused.body.code]).toEqual([403, "forbidden"]);
  }
  expect(accounts.tree.get("organization:from-a-page")).toBeUndefined();
  expect(
    (await accounts.ask("GET", "/v1/nodes", { session, headers: { origin: "https://evil.example" } })).status,
  ).toBe(200);
  expect((await accounts.ask("POST", "/v1/nodes", { session, body, headers: { origin: accounts.url } })).status).toBe(
    201,
  );
  expect((await signIn(undefined, { origin: "https://evil.example" })).status).toBe(403);
  expect((await accounts.ask("POST", "/v1/nodes", { key: accounts.rootKey, body })).status).toBe(200);
});

test("a request that shows a key has the key's rights, never those of a session beside it", async () => {
  const session = await freshSession();
  expect((await accounts.ask("GET", "/v1/me", { session, key: "tmk_nobody" })).status).toBe(401);
});

test("a session in use goes on, one unused for 30 days has ended", async () => {
  const used = await freshSession();
  const unused = await freshSession();
  for (const days of [20, 40, 60]) {
    aheadMs = days * dayMs;
    expect((await accounts.ask("GET", "/v1/me", { session: used })).status).toBe(200);
  }
  expect((await accounts.ask("GET", "/v1/me", { session: unused })).status).toBe(401);
  aheadMs += 31 * dayMs;
  expect((await accounts.ask("GET", "/v1/me", { session: used })).status).toBe(401);
  aheadMs = 0;
});

test("the newest hundred sessions of a user go on and are listed, older ones end at once; those of others do not", async () => {
  const { signInSessions, postgres } = accounts;
  const others = await freshSession();
  const [user] = await postgres.db
    .insert(users)
    .values({ id: "usr_many", email: "many@example.com" })
    .returning({ id: users.id });
  if (!user) throw new Error("there is no user");
  await postgres.db.insert(userRoles).values({ userId: user.id, node: "all", role: "viewer" });
  const tokens: string[] = [];
  const begin = async () => tokens.push((await signInSessions.create(user.id)).token);
  for (let begun = 0; begun < 100; begun++) await begin();
  const [first = "", second = ""] = tokens;
  expect(await signInSessions.verify(first)).toMatchObject({ id: user.id });
  await begin();
  expect(await signInSessions.verify(first)).toBeUndefined();
  for (const token of [second, tokens.at(-1) ?? ""])
    expect(await signInSessions.verify(token)).toMatchObject({ id: user.id });
  const listed = await signInSessions.list(user.id, tokens.at(-1));
  expect([listed.length, listed[0]?.isCurrent]).toEqual([100, true]);
  expect(await signInSessions.verify(others)).toBeDefined();
});

test("the token itself is stored nowhere", async () => {
  const session = await freshSession();
  const { rows } = await accounts.postgres.pool.query("SELECT * FROM sessions");
  expect(rows.length).toBeGreaterThan(0);
  expect(JSON.stringify(rows)).not.toContain(session);
});

test("guessing passwords of one account is slowed down, with the time to wait", async () => {
  const guess = () => signIn({ email: "victim@example.com", password: "guess" });
  const statuses = [];
  for (let attempt = 0; attempt < 10; attempt++) statuses.push((await guess()).status);
  expect(new Set(statuses)).toEqual(new Set([401]));
  const slowed = await guess();
  expect([slowed.status, slowed.body.code]).toEqual([429, "too_fast"]);
  expect(Number(slowed.headers.get("retry-after"))).toBeGreaterThan(0);
  expect((await signIn()).status).toBe(200);
});

test("the first start makes one administrator, a password is made only where none is set, and setting one replaces it", async () => {
  const made = await accounts.users.ensureAdmin({ email: "second@example.com" });
  const password = made.generatedPassword ?? "";
  expect(password.length).toBeGreaterThanOrEqual(16);
  expect(await accounts.users.ensureAdmin({ email: "Second@Example.com" })).toEqual({});
  expect((await signIn({ email: "second@example.com", password })).status).toBe(200);
  expect(await accounts.users.ensureAdmin({ email: "second@example.com", password: "chosen by me" })).toEqual({});
  expect((await signIn({ email: "second@example.com", password })).status).toBe(401);
  expect((await signIn({ email: "second@example.com", password: "chosen by me" })).status).toBe(200);
});
