/** People: invited by mail, given roles, signing in with a second factor, and removed. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { verifyAudit } from "../../server/audit/verify-audit.ts";
import { type Accounts, adminEmail, ownAccounts, startAccounts } from "../support/accounts.ts";
import { type Mailbox, openMailbox } from "../support/mailbox.ts";
import { totpCode } from "../support/totp-code.ts";
import { unheldMs } from "../support/unheld-time.ts";

let accounts: Accounts;
let mailbox: Mailbox;
let aheadMs = 0;
const password = "a long enough password";

beforeAll(async () => {
  mailbox = await openMailbox();
  accounts = await ownAccounts({ mailer: mailbox.mailer, now: () => Date.now() + aheadMs });
  const { tree } = accounts;
  for (const id of ["r1", "r2"]) await tree.createNode({ kind: "reseller", id, name: id, parent: "all" });
  await tree.ensureOrganizations(["a1"], "reseller:r1");
});
afterAll(async () => {
  await accounts.close();
  await mailbox.close();
});

interface RoleAt {
  node: string;
  role: string;
}

const invite = (
  email: string,
  roles: RoleAt[],
  asked: { key?: string; session?: string } = { key: accounts.rootKey },
) => accounts.ask("POST", "/v1/users", { ...asked, body: { email, roles }, headers: { origin: accounts.url } });
const signIn = (email: string, given = password, code?: string) =>
  accounts.ask("POST", "/v1/session", { body: { email, password: given, ...(code && { code }) } });
const withSession = (session: string) => (method: string, path: string, body?: unknown) =>
  accounts.ask(method, path, { session, ...(body !== undefined && { body }), headers: { origin: accounts.url } });

/** The token of the newest mail to the address. */
async function mailedToken(email: string): Promise<string> {
  const find = () => mailbox.mails.filter(({ to }) => to?.some(({ address }) => address === email)).at(-1);
  await expect.poll(find, { interval: 10 }).toBeDefined();
  return /https:\/\/usage\.example\.com\/set-password#([\w-]{43})\s/.exec(find()?.text ?? "")?.[1] ?? "";
}

async function signedIn(email: string): Promise<string> {
  return /tidemark_session=([^;]+)/.exec((await signIn(email)).headers.get("set-cookie") ?? "")?.[1] ?? "";
}

/** Invited, accepted, signed in. */
async function newUser(email: string, roles: RoleAt[]): Promise<{ id: string; session: string }> {
  const { body } = await invite(email, roles);
  const token = await mailedToken(email);
  expect((await accounts.ask("POST", "/v1/password", { body: { token, password } })).status).toBe(204);
  return { id: body.id, session: await signedIn(email) };
}

test("an invitation goes by mail, is accepted once and in time, and gives the roles and no more", async () => {
  const email = "mia@example.com";
  const roles = [{ node: "reseller:r1", role: "manager" }];
  const first = await invite(email, roles);
  expect([first.status, first.body.status, first.body.invitation]).toEqual([201, "invited", { sent: true, url: null }]);
  const mail = mailbox.mails.at(-1);
  expect([mail?.from?.address, mail?.subject]).toEqual(["usage@example.com", "You are invited to Tidemark"]);
  const old = await mailedToken(email);
  expect((await signIn(email)).status).toBe(401);

  const again = await accounts.ask("POST", `/v1/users/${first.body.id}/invitation`, { key: accounts.rootKey });
  expect(again.body).toEqual({ sent: true, url: null });
  await expect.poll(() => mailedToken(email)).not.toBe(old);
  const token = await mailedToken(email);
  const accept = (body: object) => accounts.ask("POST", "/v1/password", { body });
  expect((await accept({ token: old, password })).status).toBe(404);
  expect((await accept({ token, password: "short" })).body.field).toBe("password");
  aheadMs = 8 * 24 * 60 * 60 * 1000;
  expect((await accept({ token, password })).status).toBe(404);
  aheadMs = 0;
  expect((await accept({ token, password })).status).toBe(204);
  expect((await accept({ token, password })).status).toBe(404);

  const session = await signedIn(email);
  expect((await withSession(session)("GET", "/v1/me")).body).toMatchObject({ node: "reseller:r1", roles });
  expect((await withSession(session)("GET", "/v1/users")).status).toBe(403);
});

test("roles at several nodes add up, and a change of them is in force in other processes within five seconds", async () => {
  const { id, session } = await newUser("noah@example.com", [{ node: "reseller:r1", role: "viewer" }]);
  const other = await startAccounts(accounts.databaseUrl);
  try {
    const keysOf = async () => (await other.ask("GET", "/v1/keys", { session })).status;
    expect(await keysOf()).toBe(403);
    const roles = [
      { node: "organization:a1", role: "admin" },
      { node: "reseller:r1", role: "viewer" },
    ];
    const changed = await accounts.ask("PATCH", `/v1/users/${id}`, { key: accounts.rootKey, body: { roles } });
    expect(changed.body.roles).toEqual(roles);
    const untilAnswered = (status: number) => () => expect.poll(keysOf, { interval: 20 }).toBe(status);
    expect(await unheldMs(untilAnswered(200))).toBeLessThan(5_000);
    const makeKey = (node: string) => withSession(session)("POST", "/v1/keys", { name: "k", node, scopes: ["read"] });
    expect([(await makeKey("organization:a1")).status, (await makeKey("reseller:r1")).status]).toEqual([201, 403]);
    await accounts.ask("PATCH", `/v1/users/${id}`, { key: accounts.rootKey, body: { disabled: true } });
    expect(await unheldMs(untilAnswered(401))).toBeLessThan(5_000);
    expect((await signIn("noah@example.com")).status).toBe(401);
  } finally {
    await other.close();
  }
});

test("nobody gives or takes what they do not have, or sees roles outside their subtree", async () => {
  const admin = await newUser("ada@example.com", [{ node: "reseller:r1", role: "admin" }]);
  const asAdmin = withSession(admin.session);
  for (const role of ["owner", "finance"])
    expect((await invite("x@example.com", [{ node: "reseller:r1", role }], { session: admin.session })).status).toBe(
      403,
    );
  expect(
    (await invite("x@example.com", [{ node: "reseller:r2", role: "viewer" }], { session: admin.session })).status,
  ).toBe(403);
  const owner = await newUser("olga@example.com", [
    { node: "reseller:r1", role: "owner" },
    { node: "reseller:r2", role: "viewer" },
  ]);
  const seen = await asAdmin("GET", `/v1/users/${owner.id}`);
  expect(seen.body.roles).toEqual([{ node: "reseller:r1", role: "owner" }]);
  expect((await asAdmin("DELETE", `/v1/users/${owner.id}`)).status).toBe(403);
  expect((await asAdmin("PATCH", `/v1/users/${owner.id}`, { disabled: true })).status).toBe(403);
  const up = { roles: [{ node: "reseller:r1", role: "owner" }] };
  expect((await asAdmin("PATCH", `/v1/users/${admin.id}`, up)).status).toBe(403);
  // A user with roles elsewhere loses only those within; the account stays.
  await invite("olga2@example.com", [
    { node: "reseller:r1", role: "viewer" },
    { node: "reseller:r2", role: "viewer" },
  ]);
  const { body } = await asAdmin("GET", "/v1/users");
  const id = body.users.find(({ email }: { email: string }) => email === "olga2@example.com").id;
  expect((await asAdmin("DELETE", `/v1/users/${id}`)).status).toBe(204);
  expect((await accounts.ask("GET", `/v1/users/${id}`, { key: accounts.rootKey })).body.roles).toEqual([
    { node: "reseller:r2", role: "viewer" },
  ]);
});

test("somebody stays owner of all, and of two edits on the same state the second is refused", async () => {
  const { body } = await accounts.ask("GET", "/v1/users", { key: accounts.rootKey });
  const { id } = body.users.find(({ email }: { email: string }) => email === adminEmail.toLowerCase());
  const asRoot = (method: string, sent?: object, headers: Record<string, string> = {}) =>
    accounts.ask(method, `/v1/users/${id}`, { key: accounts.rootKey, ...(sent && { body: sent }), headers });
  expect((await asRoot("DELETE")).status).toBe(409);
  expect((await asRoot("PATCH", { roles: [{ node: "all", role: "viewer" }] })).status).toBe(409);
  expect((await asRoot("PATCH", { disabled: true })).status).toBe(409);
  const etag = (await asRoot("GET")).headers.get("etag") ?? "";
  expect((await asRoot("PATCH", { name: "Root" }, { "if-match": etag })).status).toBe(200);
  expect((await asRoot("PATCH", { name: "Other" }, { "if-match": etag })).status).toBe(412);
});

test("a forgotten password is reset by mail: revealed to nobody, few mails, all sessions end", async () => {
  const { session } = await newUser("rosa@example.com", [{ node: "reseller:r2", role: "viewer" }]);
  const before = mailbox.mails.length;
  const reset = (email: string) => accounts.ask("POST", "/v1/password-resets", { body: { email } });
  const [unknown, known] = [await reset("nobody@example.com"), await reset("rosa@example.com")];
  expect([unknown.status, unknown.body]).toEqual([known.status, known.body]);
  await expect.poll(() => mailbox.mails.length).toBe(before + 1);
  for (let count = 1; count <= 5; count++) {
    expect((await reset("rosa@example.com")).status).toBe(202);
    // One by one: only the newest link works, and of two mails under way either may arrive first.
    await expect.poll(() => mailbox.mails.length).toBe(before + Math.min(1 + count, 3));
  }
  const token = await mailedToken("rosa@example.com");
  const set = await accounts.ask("POST", "/v1/password", { body: { token, password: "another long password" } });
  expect(set.status).toBe(204);
  expect((await withSession(session)("GET", "/v1/me")).status).toBe(401);
  expect([
    (await signIn("rosa@example.com")).status,
    (await signIn("rosa@example.com", "another long password")).status,
  ]).toEqual([401, 200]);
});

test("with a second factor a code is needed, each is taken once, and a recovery code helps once", async () => {
  const email = "theo@example.com";
  const { session } = await newUser(email, [{ node: "reseller:r2", role: "viewer" }]);
  const own = withSession(session);
  expect((await own("POST", "/v1/me/totp", { password: "wrong" })).body.field).toBe("password");
  const { secret } = (await own("POST", "/v1/me/totp", { password })).body;
  const code = (steps = 0) => totpCode(secret, Math.floor((Date.now() + aheadMs) / 30_000) + steps);
  expect((await signIn(email)).status).toBe(200);
  expect((await own("PUT", "/v1/me/totp", { code: "000000" })).status).toBe(400);
  const codes = (await own("PUT", "/v1/me/totp", { code: code() })).body.recovery_codes as string[];
  expect(new Set(codes).size).toBe(10);

  const needed = await signIn(email);
  expect([needed.status, needed.body.code, needed.body.field]).toEqual([401, "second_factor_required", "code"]);
  expect((await signIn(email, "wrong")).body.code).toBe("unauthenticated");
  expect((await signIn(email, password, code())).status).toBe(401);
  expect((await signIn(email, password, code(1))).status).toBe(200);
  expect((await signIn(email, password, code(1))).status).toBe(401);
  const [recovery = ""] = codes;
  expect((await signIn(email, password, recovery.toLowerCase())).status).toBe(200);
  expect((await signIn(email, password, recovery)).status).toBe(401);
  expect((await own("DELETE", "/v1/me/totp", { password })).status).toBe(204);
  expect((await signIn(email)).status).toBe(200);
});

test("one sees where one is signed in, signs out elsewhere, and a new password ends every session", async () => {
  const email = "kai@example.com";
  const { session } = await newUser(email, [{ node: "reseller:r2", role: "viewer" }]);
  const elsewhere = await signedIn(email);
  const own = withSession(session);
  const list = (await own("GET", "/v1/me/sessions")).body.sessions as { id: string; is_current: boolean }[];
  expect(list.map(({ is_current }) => is_current)).toEqual([false, true]);
  expect(JSON.stringify(list)).not.toContain(session);
  expect((await own("DELETE", `/v1/me/sessions/${list[0]?.id}`)).status).toBe(204);
  expect((await withSession(elsewhere)("GET", "/v1/me")).status).toBe(401);
  const wrong = await own("POST", "/v1/me/password", { current_password: "wrong", new_password: "yet another one" });
  expect([wrong.status, wrong.body.field]).toEqual([403, "current_password"]);
  expect(
    (await own("POST", "/v1/me/password", { current_password: password, new_password: "yet another one" })).status,
  ).toBe(204);
  expect((await own("GET", "/v1/me")).status).toBe(401);
  expect((await signIn(email, "yet another one")).status).toBe(200);
});

test("all of it is in the audit, with no password, token or secret", async () => {
  const lines = await accounts.ask("GET", "/v1/audit?action=user", {
    key: accounts.rootKey,
    headers: { accept: "application/x-ndjson" },
  });
  const actions = new Set(
    lines.body
      .trim()
      .split("\n")
      .map((line: string) => JSON.parse(line).action),
  );
  for (const action of [
    "user.invited",
    "user.changed",
    "user.removed",
    "user.password_set",
    "user.second_factor_changed",
  ])
    expect(actions).toContain(action);
  expect(lines.body).not.toMatch(/argon2|password"|secret"/);
  expect((await verifyAudit(accounts.postgres)).fault).toBeUndefined();
});
