/** Signing in through an identity provider, as a browser does it: off to it, back with its answer, and on as its user. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createOidc } from "../../server/identity/oidc.ts";
import { type Accounts, adminEmail, ownAccounts, startAccounts } from "../support/accounts.ts";
import { type IdentityProvider, startIdentityProvider } from "../support/identity-provider.ts";
import { ownPostgres } from "../support/stores.ts";

let provider: IdentityProvider;
let accounts: Accounts;

beforeAll(async () => {
  provider = await startIdentityProvider();
  accounts = await ownAccounts({ oidc: () => createOidc({ ...provider, name: "Acme ID" }) });
});
afterEach(() => {
  Object.assign(provider, { account: {}, emailIn: "id_token", forge: {} });
});
afterAll(async () => {
  await accounts.close();
  await provider.close();
});

const follow = (url: string, cookie = "") => fetch(url, { redirect: "manual", headers: { cookie } });
const cookieOf = (answer: Response, name: string) =>
  answer.headers
    .getSetCookie()
    .map((one) => new RegExp(`^${name}=([^;]+)`).exec(one)?.[1])
    .find((one) => one !== undefined);

/** What the browser holds, and where the provider sends it back to. */
async function atProvider(): Promise<{ held: string; back: string }> {
  const away = await follow(`${accounts.url}/v1/session/oidc`);
  expect(away.status).toBe(302);
  const answer = await follow(away.headers.get("location") ?? "");
  return { held: `tidemark_oidc=${cookieOf(away, "tidemark_oidc")}`, back: answer.headers.get("location") ?? "" };
}

async function signIn(): Promise<{ place: string | null; session: string | undefined }> {
  const { held, back } = await atProvider();
  const answer = await follow(back, held);
  return { place: answer.headers.get("location"), session: cookieOf(answer, "tidemark_session") };
}

test.each(["id_token", "userinfo"] as const)(
  "a user is signed in by the verified address of the %s, whatever its case",
  async (emailIn) => {
    Object.assign(provider, { account: { email: adminEmail.toUpperCase(), email_verified: true }, emailIn });
    const { place, session } = await signIn();
    expect(place).toBe(`${accounts.url}/`);
    expect((await accounts.ask("GET", "/v1/me", { session: session ?? "" })).body).toMatchObject({
      kind: "user",
      name: adminEmail.toLowerCase(),
    });
  },
);

test("an address that the provider does not vouch for, or that nobody has here, signs nobody in", async () => {
  for (const account of [
    { email: adminEmail, email_verified: false },
    { email: adminEmail },
    { email: "stranger@example.com", email_verified: true },
    {},
  ]) {
    provider.account = account;
    expect(await signIn()).toEqual({ place: `${accounts.url}/?sign_in=unknown`, session: undefined });
  }
});

test("an account that was disabled is not signed in", async () => {
  const email = "gone@example.com";
  await accounts.postgres.pool.query("INSERT INTO users (id, email, disabled_at) VALUES ('usr_gone', $1, now())", [
    email,
  ]);
  provider.account = { email, email_verified: true };
  expect((await signIn()).place).toBe(`${accounts.url}/?sign_in=unknown`);
});

test("an answer counts once, in the browser that asked, and only as the provider gave it", async () => {
  provider.account = { email: adminEmail, email_verified: true };
  const refused = { place: `${accounts.url}/?sign_in=failed`, session: undefined };
  const outcome = (answer: Response) => ({
    place: answer.headers.get("location"),
    session: cookieOf(answer, "tidemark_session"),
  });
  const [one, other] = [await atProvider(), await atProvider()];
  // Another browser's, one without a question, one with another state.
  expect(outcome(await follow(one.back, other.held))).toEqual(refused);
  expect(outcome(await follow(one.back))).toEqual(refused);
  expect(outcome(await follow(one.back.replace(/state=[^&]+/, "state=x"), one.held))).toEqual(refused);
  expect(outcome(await follow(one.back, one.held)).place).toBe(`${accounts.url}/`);
  expect(outcome(await follow(one.back, one.held))).toEqual(refused);
  for (const forge of [{ nonce: "another" }, { aud: "another" }, { iss: "https://example.com" }, { exp: 1 }]) {
    provider.forge = forge;
    expect(await signIn()).toEqual(refused);
  }
  const error = `${accounts.url}/v1/session/oidc/callback?error=access_denied&state=x`;
  expect(outcome(await follow(error, other.held))).toEqual(refused);
});

test("the ways to sign in name the provider; while it is away signing in there can be tried again", async () => {
  expect((await accounts.ask("GET", "/v1/session/ways")).body).toEqual({
    password: true,
    oidc: { name: "Acme ID", path: "/v1/session/oidc" },
    passkeys: { origin: "https://usage.example.com" },
  });
  const database = await ownPostgres();
  const away = await startAccounts(accounts.databaseUrl, {
    oidc: () => createOidc({ ...provider, issuer: "http://127.0.0.1:9", name: "Away" }),
  });
  try {
    const answer = await away.ask("GET", "/v1/session/oidc");
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "5"]);
  } finally {
    await away.close();
    await database.drop();
  }
});
