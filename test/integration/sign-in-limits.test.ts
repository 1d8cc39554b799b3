/** Guessing is slow from wherever it comes, and keeps nobody out who signs in from where they usually do. */
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Passwords } from "../../server/identity/passwords.ts";
import { SignInLimits } from "../../server/identity/sign-in-limits.ts";
import { signInPlaces } from "../../server/postgres/schema/accounts.ts";
import { type Accounts, adminEmail, adminPassword, ownAccounts, startAccounts } from "../support/accounts.ts";
import { ownPostgres } from "../support/stores.ts";
import { totpCode } from "../support/totp-code.ts";

let accounts: Accounts;
beforeAll(async () => {
  accounts = await ownAccounts({ isTrustedProxy: (address) => address === "127.0.0.1" });
});
afterAll(() => accounts.close());

const password = "a long enough password";
const attempt = (body: object, from: string, cookie?: string) =>
  accounts.ask("POST", "/v1/session", { body, headers: { "x-forwarded-for": from, ...(cookie && { cookie }) } });
const cookieOf = (answer: Awaited<ReturnType<typeof attempt>>, name: string) =>
  answer.headers
    .getSetCookie()
    .find((one) => one.startsWith(`${name}=`))
    ?.split(";")[0] ?? "";

async function newUser(email: string): Promise<string> {
  const body = { email, roles: [{ node: "all", role: "viewer" }] };
  const { invitation, id } = (await accounts.ask("POST", "/v1/users", { key: accounts.rootKey, body })).body;
  const token = invitation.url.split("#")[1];
  expect((await accounts.ask("POST", "/v1/password", { body: { token, password } })).status).toBe(204);
  return id;
}

/** Without hashing: what counts is how often. */
async function guess(limits: SignInLimits, account: string, addresses: string[]): Promise<number> {
  for (const [count, address] of addresses.entries())
    if (typeof (await limits.begin(account, { address })) === "number") return count;
  return addresses.length;
}
const many = (count: number, address: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => address(index));

test("an account is guessed at fifty times at most from any number of addresses, and from its usual place still signed in to", async () => {
  const email = "rita@example.com";
  const id = await newUser(email);
  const limits = new SignInLimits(accounts.postgres, undefined, Date.now);
  await limits.remember(id, { address: "198.51.100.7" });
  expect(
    await guess(
      limits,
      email,
      many(80, (index) => `203.0.113.${index}`),
    ),
  ).toBe(50);
  expect(await limits.begin(email, { address: "192.0.2.1" })).toBeGreaterThan(0);
  expect(await limits.begin(email, { address: "198.51.100.7" })).toMatchObject({ isUsual: true });
});

test("one network tries a hundred times at most, whichever of its addresses it uses, and keeps out nobody who signed in from it", async () => {
  const id = await newUser("sven@example.com");
  const limits = new SignInLimits(accounts.postgres, undefined, Date.now);
  await limits.remember(id, { address: "2001:db8:1:2::9" });
  let tries = 0;
  for (; tries < 150; tries++)
    if (typeof (await limits.begin(`nobody-${tries}@example.com`, { address: `2001:db8:1:2::${tries}` })) === "number")
      break;
  expect(tries).toBe(100);
  expect(await limits.begin("sven@example.com", { address: "2001:db8:1:2:a:b:c:d" })).toMatchObject({ isUsual: true });
  expect(await limits.begin("other@example.com", { address: "2001:db8:1:3::1" })).toMatchObject({ isUsual: false });
});

test("an account is signed in to a hundred times at most in a quarter of an hour, and its places are no more than a hundred", async () => {
  const email = "wilma@example.com";
  const id = await newUser(email);
  const limits = new SignInLimits(accounts.postgres, undefined, Date.now);
  const origin = { address: "198.51.100.40" };
  await limits.remember(id, origin);
  let signedIn = 0;
  for (; signedIn < 150; signedIn++) {
    const one = await limits.begin(email, origin);
    if (typeof one === "number") break;
    await one.succeeded();
  }
  expect(signedIn).toBe(100);
  expect(await limits.begin(email, { address: "203.0.113.99" })).toBeGreaterThan(0);
  expect(await limits.begin("other@example.com", origin)).toMatchObject({ isUsual: false });
  for (const device of many(130, (index) => `device ${index}`)) await limits.remember(id, { ...origin, device });
  const places = await accounts.postgres.db.select().from(signInPlaces).where(eq(signInPlaces.userId, id));
  expect(places.length).toBe(100);
  // Whoever knows the own password is asked for it no more often.
  for (let checked = 0; checked < 100; checked++) {
    expect(await limits.throttleSelfCheck(id)).toBe(0);
    await limits.selfCheckSucceeded(id);
  }
  expect(await limits.throttleSelfCheck(id)).toBeGreaterThan(0);
});

test("a known browser signs in beside whoever guesses at the same account from the same address", async () => {
  const email = "otto@example.com";
  await newUser(email);
  const first = await attempt({ email, password }, "198.51.100.20");
  expect(first.status).toBe(200);
  const device = cookieOf(first, "tidemark_device");
  expect(first.headers.getSetCookie().at(-1)).toMatch(
    /^tidemark_device=[\w-]{43}; Max-Age=\d+; Path=\/v1; HttpOnly; SameSite=Lax$/,
  );
  const statuses = [];
  for (let count = 0; count < 11; count++)
    statuses.push((await attempt({ email, password: "guess" }, "198.51.100.20")).status);
  expect(statuses).toEqual([...Array(10).fill(401), 429]);
  expect((await attempt({ email, password }, "198.51.100.20")).status).toBe(429);
  expect((await attempt({ email, password }, "198.51.100.20", device)).status).toBe(200);
  // For another account it is a stranger's.
  expect((await attempt({ email: adminEmail, password: adminPassword }, "198.51.100.21", device)).status).toBe(200);
  expect((await attempt({ email, password }, "198.51.100.20", `tidemark_device=${"x".repeat(43)}`)).status).toBe(429);
});

test("wrong codes count for the account from wherever they come, and the usual place goes on", async () => {
  const email = "vera@example.com";
  await newUser(email);
  const home = "198.51.100.30";
  const session = cookieOf(await attempt({ email, password }, home), "tidemark_session").split("=")[1] ?? "";
  const own = (method: string, body: object) =>
    accounts.ask(method, "/v1/me/totp", { session, body, headers: { origin: accounts.url } });
  const { secret } = (await own("POST", { password })).body;
  const code = (steps: number) => totpCode(secret, Math.floor(Date.now() / 30_000) + steps);
  const wrongOf = () =>
    ["000000", "111111", "222222", "333333"].find((one) => ![-1, 0, 1, 2].some((step) => code(step) === one));
  const wrong = wrongOf() ?? "";
  const confirmations = [];
  for (let count = 0; count < 11; count++) confirmations.push((await own("PUT", { code: wrong })).status);
  expect(confirmations).toEqual([...Array(10).fill(400), 429]);
  await accounts.postgres.pool.query("UPDATE users SET totp_since = now(), totp_last_step = 0 WHERE email = $1", [
    email,
  ]);

  const statuses = [];
  for (let count = 0; count < 12; count++)
    statuses.push((await attempt({ email, password, code: wrong }, `203.0.113.${count}`)).status);
  expect(statuses).toEqual([...Array(10).fill(401), 429, 429]);
  expect((await attempt({ email, password, code: code(0) }, home)).status).toBe(200);
});

test("an address claimed by anybody but a trusted proxy gives no fresh attempts", async () => {
  const database = await ownPostgres();
  const bare = await startAccounts(accounts.databaseUrl);
  try {
    const body = { email: "victim@example.com", password: "guess" };
    const statuses = [];
    for (let count = 0; count < 11; count++)
      statuses.push(
        (await bare.ask("POST", "/v1/session", { body, headers: { "x-forwarded-for": `203.0.113.${count}` } })).status,
      );
    expect(statuses.at(-1)).toBe(429);
  } finally {
    await bare.close();
    await database.drop();
  }
});

test("audit and sessions have the client's address, not the proxy's", async () => {
  const email = "uwe@example.com";
  await newUser(email);
  const signedIn = await attempt({ email, password }, "1.1.1.1, 198.51.100.40");
  const session = cookieOf(signedIn, "tidemark_session").split("=")[1] ?? "";
  const { sessions } = (await accounts.ask("GET", "/v1/me/sessions", { session })).body;
  expect(sessions).toMatchObject([{ address: "198.51.100.40" }]);
  await accounts.ask("POST", "/v1/users", {
    key: accounts.rootKey,
    headers: { "x-forwarded-for": "198.51.100.41" },
    body: { email: "new@example.com", roles: [{ node: "all", role: "viewer" }] },
  });
  const audit = await accounts.ask("GET", "/v1/audit?action=user.invited&limit=1", { key: accounts.rootKey });
  expect(audit.body.entries).toMatchObject([{ address: "198.51.100.41" }]);
});

test("a token that is none costs no hashing, and one link only some", async () => {
  const hash = vi.spyOn(Passwords.prototype, "hash");
  try {
    const body = { email: "zoe@example.com", roles: [{ node: "all", role: "viewer" }] };
    const { invitation } = (await accounts.ask("POST", "/v1/users", { key: accounts.rootKey, body })).body;
    const set = (token: string) => accounts.ask("POST", "/v1/password", { body: { token, password } });
    expect(new Set((await Promise.all(many(40, String).map(set))).map(({ status }) => status))).toEqual(new Set([404]));
    expect(hash).not.toHaveBeenCalled();
    const tried = await Promise.all(many(25, () => invitation.url.split("#")[1]).map(set));
    expect(tried.filter(({ status }) => status === 204).length).toBe(1);
    expect(hash.mock.calls.length).toBeLessThanOrEqual(10);
  } finally {
    hash.mockRestore();
  }
});
