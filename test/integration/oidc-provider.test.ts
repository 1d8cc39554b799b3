/** Signing in through a certified provider's own implementation, as a browser goes there and back. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Provider } from "oidc-provider";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createOidc } from "../../server/identity/oidc.ts";
import { type Accounts, ownAccounts } from "../support/accounts.ts";

let provider: Server;
let accounts: Accounts;
/** Who is signed in at the provider, and whether it vouches for the address. */
let person = { email: "", email_verified: true };

beforeAll(async () => {
  provider = createServer().listen(0, "127.0.0.1");
  await once(provider, "listening");
  const issuer = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
  const client = { clientId: "tidemark", clientSecret: "a secret of the client, long enough" };
  accounts = await ownAccounts({ oidc: () => createOidc({ issuer, ...client, name: "Acme ID" }) });
  const oidc = new Provider(issuer, {
    clients: [
      {
        client_id: client.clientId,
        client_secret: client.clientSecret,
        redirect_uris: [`${accounts.url}/v1/session/oidc/callback`],
        token_endpoint_auth_method: "client_secret_post",
      },
    ],
    claims: { openid: ["sub"], email: ["email", "email_verified"] },
    pkce: { required: () => true },
    findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId, ...person }) }),
    // Its own pages for development ask for any name and consent.
    features: { devInteractions: { enabled: true } },
    cookies: { keys: ["a key of this test"] },
  });
  oidc.on("server_error", (_, error) => console.error(error));
  provider.on("request", oidc.callback());
});
afterAll(async () => {
  await accounts.close();
  provider.close();
  provider.closeAllConnections();
});

/** Follows redirects with the cookies of each host, and answers the provider's forms, until the dashboard is reached. */
async function browse(from: string): Promise<{ place: string; cookies: Map<string, string> }> {
  const jars = new Map<string, Map<string, string>>();
  let request: { url: string; body?: URLSearchParams } = { url: from };
  for (let steps = 0; steps < 20; steps++) {
    const { host } = new URL(request.url);
    const jar = jars.get(host) ?? new Map<string, string>();
    jars.set(host, jar);
    const answer = await fetch(request.url, {
      redirect: "manual",
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; ") },
      ...(request.body && { method: "POST", body: request.body }),
    });
    for (const set of answer.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
      if (value === "") jar.delete(name);
      else jar.set(name, value);
    }
    const location = answer.headers.get("location");
    const page = await answer.text();
    if (location !== null) {
      const next = new URL(location, request.url);
      if (next.host === new URL(accounts.url).host && !next.pathname.startsWith("/v1/"))
        return { place: next.href.slice(accounts.url.length), cookies: jar };
      request = { url: next.href };
      continue;
    }
    const action = /<form[^>]* action="([^"]+)"/.exec(page)?.[1];
    const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1];
    if (!action || !prompt) throw new Error(`the provider answered ${answer.status}: ${page.slice(0, 300)}`);
    const body = new URLSearchParams({ prompt, ...(prompt === "login" && { login: person.email, password: "any" }) });
    request = { url: new URL(action, request.url).href, body };
  }
  throw new Error("the way did not end");
}

const signIn = async (email: string, email_verified = true) => {
  person = { email, email_verified };
  const { place, cookies } = await browse(`${accounts.url}/v1/session/oidc`);
  return { place, session: cookies.get("tidemark_session") };
};
const invite = (email: string) =>
  accounts.ask("POST", "/v1/users", {
    key: accounts.rootKey,
    body: { email, roles: [{ node: "all", role: "viewer" }] },
  });
const meOf = async (session: string | undefined) => (await accounts.ask("GET", "/v1/me", { session })).body;

test("an invited person comes in through the provider at once, with the roles that wait, and again as the same user", async () => {
  const { body } = await invite("mia@example.com");
  const first = await signIn("Mia@Example.com");
  expect(first.place).toBe("/");
  expect(await meOf(first.session)).toMatchObject({
    name: "mia@example.com",
    roles: [{ node: "all", role: "viewer" }],
    has_password: false,
  });
  const again = await signIn("mia@example.com");
  expect(await meOf(again.session)).toMatchObject({ name: "mia@example.com" });
  const user = await accounts.ask("GET", `/v1/users/${body.id}`, { key: accounts.rootKey });
  expect(user.body).toMatchObject({ status: "active", email: "mia@example.com" });
  // In use by another way than a password: no link into it is shown.
  const link = await accounts.ask("POST", `/v1/users/${body.id}/invitation`, { key: accounts.rootKey });
  expect([link.status, link.body.url]).toEqual([409, undefined]);
});

test("an address that nobody invited, or that the provider does not vouch for, signs nobody in", async () => {
  await invite("tom@example.com");
  for (const [email, isVerified] of [
    ["stranger@example.com", true],
    ["tom@example.com", false],
  ] as const)
    expect(await signIn(email, isVerified)).toEqual({ place: "/?sign_in=unknown", session: undefined });
});

test("a person who came in by a shown link is put out when the provider vouches for another", async () => {
  const { invitation } = (await invite("ann@example.com")).body;
  const credentials = { email: "ann@example.com", password: "chosen by somebody else" };
  const token = invitation.url.split("#")[1];
  await accounts.ask("POST", "/v1/password", { body: { token, password: credentials.password } });
  const taken = await accounts.ask("POST", "/v1/session", { body: credentials });
  const before = /tidemark_session=([^;]+)/.exec(taken.headers.get("set-cookie") ?? "")?.[1];
  expect(await meOf(before)).toMatchObject({ name: "ann@example.com" });
  const { session } = await signIn("ann@example.com");
  expect(await meOf(session)).toMatchObject({ name: "ann@example.com", has_password: false });
  expect(await meOf(before)).toMatchObject({ code: "unauthenticated" });
  expect((await accounts.ask("POST", "/v1/session", { body: credentials })).status).toBe(401);
});
