/** Passkeys: added by who can prove to be the person, signing in alone, and refused in every way that they can be wrong. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { system } from "../../server/audit/record-change.ts";
import { verifyAudit } from "../../server/audit/verify-audit.ts";
import { newId } from "../../server/identity/actor.ts";
import { createOidc } from "../../server/identity/oidc.ts";
import { userRoles, users as userRows } from "../../server/postgres/schema/accounts.ts";
import { type Accounts, type Answer, ownAccounts, startAccounts } from "../support/accounts.ts";
import { Authenticator, type Deviations } from "../support/authenticator.ts";
import { type Mailbox, openMailbox } from "../support/mailbox.ts";
import { totpCode } from "../support/totp-code.ts";

const origin = "https://usage.example.com";
const password = "a long enough password";
const minuteMs = 60_000;
let accounts: Accounts;
let mailbox: Mailbox;
let aheadMs = 0;

beforeAll(async () => {
  mailbox = await openMailbox();
  accounts = await ownAccounts({ mailer: mailbox.mailer, now: () => Date.now() + aheadMs });
});
afterAll(async () => {
  await accounts.close();
  await mailbox.close();
});

interface Person {
  id: string;
  email: string;
  session: string;
  own: (method: string, path: string, body?: object, headers?: Record<string, string>) => Promise<Answer>;
}

const sessionOf = (answer: Answer) =>
  /tidemark_session=([^;]+)/.exec(answer.headers.get("set-cookie") ?? "")?.[1] ?? "";
const signInWithPassword = (email: string) => accounts.ask("POST", "/v1/session", { body: { email, password } });

/** With a password and a role, signed in. */
async function newPerson(name: string): Promise<Person> {
  const email = `${name}@example.com`;
  const { users, signInSessions, postgres } = accounts;
  const id = newId("usr");
  await postgres.db.insert(userRows).values({ id, email, emailVerifiedAt: new Date() });
  await postgres.db.insert(userRoles).values({ userId: id, node: "all", role: "viewer" });
  await users.changePassword(id, password, system);
  const session = (await signInSessions.create(id)).token;
  return { id, email, session, own: withSession(session) };
}

function withSession(session: string, { ask, url } = accounts): Person["own"] {
  return (method, path, body, headers) =>
    ask(method, path, { session, ...(body && { body }), headers: { origin: url, ...headers } });
}

async function addPasskey({ own }: Person, authenticator: Authenticator, deviations: Deviations = {}) {
  const { body: options } = await own("POST", "/v1/me/passkeys/options", { password });
  return own("POST", "/v1/me/passkeys", { name: "Laptop", credential: authenticator.create(options, deviations) });
}

const requestOptions = async () => (await accounts.ask("POST", "/v1/session/passkey/options")).body;
const send = (credential: object) => accounts.ask("POST", "/v1/session/passkey", { body: { credential } });
const signIn = async (authenticator: Authenticator, deviations: Deviations = {}) =>
  send(authenticator.get(await requestOptions(), deviations));

async function withPasskey(name: string, { step = 1 } = {}) {
  const person = await newPerson(name);
  const authenticator = new Authenticator(origin, { step });
  const added = await addPasskey(person, authenticator);
  expect(added.status).toBe(201);
  return { person, authenticator, id: added.body.id as string };
}

test("a passkey signs in alone, without a name, a password or the code that the password needs", async () => {
  const { person, authenticator } = await withPasskey("ada");
  const { secret } = (await person.own("POST", "/v1/me/totp", { password })).body;
  const code = totpCode(secret, Math.floor(Date.now() / 30_000));
  expect((await person.own("PUT", "/v1/me/totp", { code })).status).toBe(200);
  expect((await signInWithPassword(person.email)).body.code).toBe("second_factor_required");

  const options = await requestOptions();
  expect(options).toMatchObject({ rpId: "usage.example.com", userVerification: "required" });
  expect(options).not.toHaveProperty("allowCredentials");
  const answer = await send(authenticator.get(options));
  expect(answer.status).toBe(200);
  expect(answer.body).toMatchObject({ kind: "user", name: person.email, has_second_factor: true });
  const cookie = answer.headers.get("set-cookie") ?? "";
  for (const attribute of ["HttpOnly", "SameSite=Lax"]) expect(cookie).toContain(attribute);
  const own = withSession(sessionOf(answer));
  const { passkeys } = (await own("GET", "/v1/me/passkeys")).body;
  expect(passkeys).toEqual([
    {
      id: expect.stringMatching(/^psk_/),
      name: "Laptop",
      created_at: expect.any(String),
      last_used_at: expect.any(String),
    },
  ]);
});

test("the owner of an account is notified of an added passkey, so that nobody keeps one in it unseen", async () => {
  const { person } = await withPasskey("alba");
  const mailOf = () =>
    mailbox.mails.find(({ to, subject }) => to?.[0]?.address === person.email && /passkey/.test(subject ?? ""));
  await expect.poll(mailOf, { interval: 10 }).toBeDefined();
  expect(mailOf()?.text).toMatch(/“Laptop”[\s\S]*https:\/\/usage\.example\.com\/account/);
});

test("a session alone adds no passkey and takes none away: the password is asked for", async () => {
  const { person, id } = await withPasskey("bea");
  for (const body of [{}, { password: "wrong" }]) {
    const begun = await person.own("POST", "/v1/me/passkeys/options", body);
    expect([begun.status, begun.body.field]).toEqual([403, "password"]);
    expect((await person.own("DELETE", `/v1/me/passkeys/${id}`, body)).status).toBe(403);
  }
  const made = new Authenticator(origin).create({ ...(await creationOptions(person)), challenge: "AAAA" });
  expect((await person.own("POST", "/v1/me/passkeys", { credential: made })).status).toBe(400);
});

const creationOptions = async ({ own }: Person) => (await own("POST", "/v1/me/passkeys/options", { password })).body;

const wrongAnswers: [string, Deviations][] = [
  ["from the page of another origin", { origin: "https://usage.example.com.evil.example" }],
  ["from the same name without TLS", { origin: "http://usage.example.com" }],
  ["for another relying party", { rpId: "example.com" }],
  ["without user verification", { isVerified: false }],
  ["without anybody present", { isPresent: false }],
  ["to a challenge that was never given", { challenge: Buffer.alloc(56).toString("base64url") }],
];

test("an answer that is wrong in any way adds no passkey", async () => {
  const person = await newPerson("cara");
  for (const [name, deviations] of [...wrongAnswers, ["of the wrong kind", { type: "webauthn.get" }] as const]) {
    const refused = await addPasskey(person, new Authenticator(origin), deviations);
    expect([name, refused.status, refused.body.field]).toEqual([name, 400, "credential"]);
  }
  expect((await person.own("GET", "/v1/me/passkeys")).body.passkeys).toEqual([]);
});

test("an answer that is wrong in any way signs nobody in, and keeps nobody from signing in after", async () => {
  const { person, authenticator } = await withPasskey("cleo");
  const other = await withPasskey("cora");
  const wrong: [string, Deviations][] = [
    ...wrongAnswers,
    ["of the wrong kind", { type: "webauthn.create" }],
    ["signed with another key", { isForged: true }],
    ["in the name of another user", { userHandle: other.authenticator.held[0]?.userHandle ?? "" }],
  ];
  for (const [name, deviations] of wrong) {
    const refused = await signIn(authenticator, deviations);
    expect([name, refused.status, sessionOf(refused)]).toEqual([name, 401, ""]);
  }
  const options = await requestOptions();
  const stranger = new Authenticator(origin);
  stranger.create({ ...(await creationOptions(person)), challenge: options.challenge });
  const tries = Array.from({ length: 120 }, () => send(stranger.get(options)));
  expect(new Set((await Promise.all(tries)).map(({ status }) => status))).toEqual(new Set([401]));
  expect((await signIn(authenticator)).status).toBe(200);
  expect((await signInWithPassword(person.email)).status).toBe(200);
});

test("a challenge is good once, for five minutes, for what it was given for, and for whom", async () => {
  const { person, authenticator } = await withPasskey("dora");
  const options = await requestOptions();
  const answer = authenticator.get(options);
  expect((await send(answer)).status).toBe(200);
  expect((await send(answer)).status).toBe(401);
  // The counter grows, the challenge is the same.
  expect((await send(authenticator.get(options))).status).toBe(401);

  const late = authenticator.get(await requestOptions());
  const made = new Authenticator(origin).create(await creationOptions(person));
  aheadMs = 5 * minuteMs + 1;
  expect((await send(late)).status).toBe(401);
  expect((await person.own("POST", "/v1/me/passkeys", { credential: made })).status).toBe(400);
  aheadMs = 0;

  const { challenge } = await creationOptions(person);
  expect((await signIn(authenticator, { challenge })).status).toBe(401);
  const add = (who: Person, credential: object) => who.own("POST", "/v1/me/passkeys", { credential });
  const toSignInWith = { ...(await creationOptions(person)), challenge: (await requestOptions()).challenge };
  const forSigningIn = new Authenticator(origin).create(toSignInWith);
  expect((await add(person, forSigningIn)).status).toBe(400);
  const forAnother = new Authenticator(origin).create(await creationOptions(await newPerson("dana")));
  expect((await add(person, forAnother)).status).toBe(400);

  const twice = new Authenticator(origin).create(await creationOptions(person));
  const { body } = await add(person, twice);
  expect((await person.own("DELETE", `/v1/me/passkeys/${body.id}`, { password })).status).toBe(204);
  const again = await add(person, twice);
  expect([again.status, again.body.detail]).toEqual([400, "was already used"]);
});

test("a counter that does not grow betrays a copy and is refused; authenticators that do not count are taken", async () => {
  const { authenticator } = await withPasskey("elsa");
  expect((await signIn(authenticator, { counter: 7 })).status).toBe(200);
  for (const counter of [7, 6, 0])
    expect([counter, (await signIn(authenticator, { counter })).status]).toEqual([counter, 401]);
  const [one, two] = [await requestOptions(), await requestOptions()];
  const atOnce = [one, two].map((options) => send(authenticator.get(options, { counter: 8 })));
  expect((await Promise.all(atOnce)).map(({ status }) => status).sort()).toEqual([200, 401]);
  expect((await signIn(authenticator, { counter: 9 })).status).toBe(200);

  const phone = await withPasskey("emil", { step: 0 });
  for (let count = 0; count < 2; count++) expect((await signIn(phone.authenticator)).status).toBe(200);
});

test("nobody sees, renames, removes or takes over the passkey of another, and one is known once", async () => {
  const { person, authenticator, id } = await withPasskey("fay");
  const other = await newPerson("finn");
  expect((await other.own("PATCH", `/v1/me/passkeys/${id}`, { name: "Mine" })).status).toBe(404);
  expect((await other.own("DELETE", `/v1/me/passkeys/${id}`, { password })).status).toBe(404);
  expect((await other.own("GET", "/v1/me/passkeys")).body.passkeys).toEqual([]);
  expect((await creationOptions(person)).excludeCredentials).toMatchObject([{ id: authenticator.held[0]?.id }]);

  const { own } = other;
  const options = await creationOptions(other);
  const made = new Authenticator(origin).create(options);
  expect((await own("POST", "/v1/me/passkeys", { credential: made })).status).toBe(201);
  await accounts.postgres.pool.query("UPDATE passkeys SET user_id = $1 WHERE credential_id = $2", [person.id, made.id]);
  await accounts.postgres.pool.query("DELETE FROM used_challenges");
  expect((await own("POST", "/v1/me/passkeys", { credential: made })).status).toBe(409);
});

test("a passkey is renamed on what was seen, and signs nobody in once it is removed", async () => {
  const { person, authenticator, id } = await withPasskey("gina");
  const path = `/v1/me/passkeys/${id}`;
  const renamed = await person.own("PATCH", path, { name: " Desk key " });
  expect([renamed.status, renamed.body.name]).toEqual([200, "Desk key"]);
  const tag = renamed.headers.get("etag") ?? "";
  expect((await person.own("PATCH", path, { name: "Key" }, { "if-match": tag })).status).toBe(200);
  expect((await person.own("PATCH", path, { name: "Stick" }, { "if-match": tag })).status).toBe(412);
  expect((await person.own("PATCH", path, { name: " " })).body.field).toBe("name");

  expect((await signIn(authenticator)).status).toBe(200);
  expect((await person.own("DELETE", path, { password })).status).toBe(204);
  expect((await signIn(authenticator)).status).toBe(401);
  expect((await signInWithPassword(person.email)).status).toBe(200);
});

test("a user who is disabled or has no role any more is not signed in by a passkey", async () => {
  const { person, authenticator } = await withPasskey("hana");
  const change = (body: object) => accounts.ask("PATCH", `/v1/users/${person.id}`, { key: accounts.rootKey, body });
  await change({ disabled: true });
  const refused = await signIn(authenticator);
  expect([refused.status, sessionOf(refused)]).toEqual([401, ""]);
  const { rows } = await accounts.postgres.pool.query("SELECT * FROM sessions WHERE user_id = $1", [person.id]);
  expect(rows).toEqual([]);
  await change({ disabled: false });
  expect((await signIn(authenticator)).status).toBe(200);
  await accounts.ask("DELETE", `/v1/users/${person.id}`, { key: accounts.rootKey });
  expect((await signIn(authenticator)).status).toBe(401);
});

test("a user without a password proves who they are by signing in anew, and keeps a way in", async () => {
  const { person, authenticator, id } = await withPasskey("ines", { step: 0 });
  const second = (await addPasskey(person, new Authenticator(origin))).body.id;
  await accounts.postgres.pool.query("UPDATE users SET password_hash = NULL WHERE id = $1", [person.id]);
  const own = withSession(sessionOf(await signIn(authenticator)));
  expect((await own("GET", "/v1/me")).body.has_password).toBe(false);
  expect((await own("DELETE", `/v1/me/passkeys/${second}`, {})).status).toBe(204);
  for (const body of [{}, { even_if_last: true }])
    expect((await own("DELETE", `/v1/me/passkeys/${id}`, body)).status).toBe(409);
  aheadMs = 11 * minuteMs;
  expect((await own("POST", "/v1/me/passkeys/options", {})).status).toBe(403);
  expect((await own("DELETE", `/v1/me/passkeys/${id}`, {})).status).toBe(403);
  aheadMs = 0;

  const settings = { issuer: "http://127.0.0.1:9", clientId: "x", clientSecret: "x", name: "Acme ID" };
  const beside = await startAccounts(accounts.databaseUrl, { oidc: () => createOidc(settings) });
  try {
    const there = withSession(sessionOf(await signIn(authenticator)), beside);
    const refused = await there("DELETE", `/v1/me/passkeys/${id}`, {});
    expect([refused.status, refused.body.field]).toEqual([409, "even_if_last"]);
    expect((await there("DELETE", `/v1/me/passkeys/${id}`, { even_if_last: true })).status).toBe(204);
  } finally {
    await beside.close();
  }
});

test("every process takes the challenges of every other, each once", async () => {
  const { authenticator } = await withPasskey("jon");
  const other = await startAccounts(accounts.databaseUrl);
  try {
    const { body: options } = await other.ask("POST", "/v1/session/passkey/options");
    const body = { credential: authenticator.get(options) };
    const both = [accounts, other].map(({ ask }) => ask("POST", "/v1/session/passkey", { body }));
    expect((await Promise.all(both)).map(({ status }) => status).sort()).toEqual([200, 401]);
  } finally {
    await other.close();
  }
});

test("all of it is in the audit, and nothing in it that opens an account", async () => {
  const lines = await accounts.ask("GET", "/v1/audit?action=user", {
    key: accounts.rootKey,
    headers: { accept: "application/x-ndjson" },
  });
  for (const action of ["added", "renamed", "removed"]) expect(lines.body).toContain(`"user.passkey_${action}"`);
  expect(lines.body).not.toMatch(/credential|public_?key|challenge/i);
  expect((await verifyAudit(accounts.postgres)).fault).toBeUndefined();
});
