/** Roles offered to an address: what they reveal and open to whom, and how their holder takes them. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newId } from "../../server/identity/actor.ts";
import { userRoles, users } from "../../server/postgres/schema/accounts.ts";
import { passkeys } from "../../server/postgres/schema/passkeys.ts";
import { type Accounts, type Answer, startAccounts } from "../support/accounts.ts";
import { type Mailbox, openMailbox } from "../support/mailbox.ts";
import { ownPostgres } from "../support/stores.ts";

const password = "a long enough password";
const ownerOfAll = [{ node: "all", role: "owner" }];
const viewerHere = [{ node: "organization:here", role: "viewer" }];

interface World {
  accounts: Accounts;
  /** An admin of one organization. */
  stranger: string;
  close(): Promise<void>;
}

async function createWorld(options: Parameters<typeof startAccounts>[1] = {}): Promise<World> {
  const database = await ownPostgres();
  const accounts = await startAccounts(database.url, options);
  await accounts.tree.createNode({ kind: "reseller", id: "r1", name: "r1", parent: "all" });
  await accounts.tree.ensureOrganizations(["here", "there"], "reseller:r1");
  const stranger = (await accounts.makeKey("organization:here", ["read", "admin"])).key;
  return {
    accounts,
    stranger,
    async close() {
      await accounts.close();
      await database.drop();
    },
  };
}

const offer = ({ ask }: Accounts, key: string, email: string, roles: object[]) =>
  ask("POST", "/v1/users", { key, body: { email, roles } });
const tokenOf = ({ body }: Answer): string => body.invitation.url.split("#")[1];
const setPassword = ({ ask }: Accounts, token: string, chosen = password) =>
  ask("POST", "/v1/password", { body: { token, password: chosen } });
const own = ({ ask, url }: Accounts, session: string, method: string, path: string, body?: object) =>
  ask(method, path, { session, headers: { origin: url }, ...(body && { body }) });

async function signIn({ ask }: Accounts, email: string, chosen = password): Promise<string> {
  const answer = await ask("POST", "/v1/session", { body: { email, password: chosen } });
  return /tidemark_session=([^;]+)/.exec(answer.headers.get("set-cookie") ?? "")?.[1] ?? "";
}

/** An account with a role at another organization, in use in the way that is named. */
async function holderThere(
  { accounts }: World,
  way: "password" | "passkey" | "provider" | "session" | "disabled" | "never",
) {
  const { postgres, signInSessions } = accounts;
  const id = newId("usr");
  const email = `${id.slice(4, 20)}@example.com`;
  await postgres.db.insert(users).values({
    id,
    email,
    name: "A secret name",
    totpSecret: "A",
    totpSince: new Date(),
    ...(way === "provider" && { emailVerifiedAt: new Date() }),
    ...(way === "password" && { passwordHash: "$argon2id$none", emailVerifiedAt: new Date() }),
    ...(way === "disabled" && { disabledAt: new Date(), emailVerifiedAt: new Date() }),
  });
  await postgres.db.insert(userRoles).values({ userId: id, node: "organization:there", role: "owner" });
  if (way === "session") await signInSessions.create(id);
  if (way === "passkey")
    await postgres.db.insert(passkeys).values({
      id: newId("psk"),
      userId: id,
      credentialId: id,
      publicKey: Buffer.from("x"),
      counter: 0,
      transports: [],
      name: "Laptop",
    });
  return { id, email };
}

/** All that an answer says, but for what is made anew each time. */
function shapeOf({ status, headers, body }: Answer, email: string) {
  const shown = JSON.stringify(body)
    .replaceAll(email, "EMAIL")
    .replaceAll(body.id, "ID")
    .replace(/#[\w-]{43}/, "#TOKEN")
    .replace(/"created_at":"[^"]{24}"/, "CREATED");
  const names = [...headers.keys()].sort();
  return { status, shown, names, length: headers.get("content-length") };
}

describe("where links are shown", () => {
  let world: World;
  let accounts: Accounts;
  let stranger: string;
  beforeAll(async () => {
    world = await createWorld();
    ({ accounts, stranger } = world);
  });
  afterAll(() => world.close());

  test.each(["password", "passkey", "provider", "session", "disabled", "never"] as const)(
    "an address whose account is used by %s is answered as one that nobody has, and nothing of it is revealed or opened",
    async (way) => {
      const { id, email } = await holderThere(world, way);
      const unknown = `${newId("usr").slice(4, 20)}@example.com`;
      const [known, fresh] = [
        await offer(accounts, stranger, email, viewerHere),
        await offer(accounts, stranger, unknown, viewerHere),
      ];
      expect(shapeOf(known, email)).toEqual(shapeOf(fresh, unknown));
      expect(known.body).toMatchObject({ status: "invited", name: null, has_second_factor: false, roles: viewerHere });
      expect(known.body.id).not.toBe(id);

      expect((await setPassword(accounts, tokenOf(known))).status).toBeGreaterThanOrEqual(400);
      const { rows } = await accounts.postgres.pool.query("SELECT password_hash FROM users WHERE id = $1", [id]);
      expect(rows[0].password_hash).toBe(way === "password" ? "$argon2id$none" : null);
      const roles = await accounts.postgres.pool.query("SELECT node FROM user_roles WHERE user_id = $1", [id]);
      expect(roles.rows).toEqual([{ node: "organization:there" }]);

      for (const path of [`/v1/users/${id}`, `/v1/users/${id}/invitation`])
        for (const method of ["GET", "PATCH", "DELETE", "POST"]) {
          const answer = await accounts.ask(method, path, {
            key: stranger,
            ...(method === "PATCH" && { body: { name: "x" } }),
          });
          expect([404, 405]).toContain(answer.status);
        }
      const list = JSON.stringify((await accounts.ask("GET", "/v1/users", { key: stranger })).body);
      expect(list).not.toContain("A secret name");
      expect(list).not.toContain(id);
      const one = (email: string, { body }: Answer) =>
        JSON.stringify(body)
          .replaceAll(email, "EMAIL")
          .replaceAll(body.id, "ID")
          .replace(/created_at":"[^"]*/, "");
      const seen = (answer: Answer) => accounts.ask("GET", `/v1/users/${answer.body.id}`, { key: stranger });
      expect(one(email, await seen(known))).toBe(one(unknown, await seen(fresh)));
    },
  );

  test.each(["before", "after"])(
    "a stranger who offers a role %s somebody is invited to own everything opens nothing and keeps nobody out",
    async (when) => {
      const email = `boss-${when}@example.com`;
      const strangers = () => offer(accounts, stranger, email, viewerHere);
      const first = when === "before" ? await strangers() : undefined;
      const invited = await offer(accounts, accounts.rootKey, email, ownerOfAll);
      const shown = first ?? (await strangers());
      expect(shown.body.id).not.toBe(invited.body.id);
      expect((await setPassword(accounts, tokenOf(shown))).status).toBe(404);
      const again = await accounts.ask("POST", `/v1/users/${shown.body.id}/invitation`, { key: stranger });
      expect((await setPassword(accounts, again.body.url.split("#")[1])).status).toBe(404);
      expect((await accounts.ask("POST", `/v1/users/${invited.body.id}/invitation`, { key: stranger })).status).toBe(
        404,
      );

      expect((await setPassword(accounts, tokenOf(invited))).status).toBe(204);
      const session = await signIn(accounts, email);
      expect((await own(accounts, session, "GET", "/v1/me")).body.roles).toEqual(ownerOfAll);
      expect((await accounts.ask("GET", `/v1/users/${invited.body.id}`, { key: accounts.rootKey })).body).toMatchObject(
        {
          status: "active",
          roles: ownerOfAll,
        },
      );
      // The role of before still waits for the holder, and its link opens nothing now either.
      expect((await setPassword(accounts, again.body.url.split("#")[1])).status).toBe(409);
      const { offers } = (await own(accounts, session, "GET", "/v1/me/offers")).body;
      expect(offers).toMatchObject([{ id: shown.body.id, roles: viewerHere }]);
    },
  );

  test("a link that was shown opens nothing once the account has more than its maker could give", async () => {
    const email = "grown@example.com";
    const shown = await offer(accounts, stranger, email, viewerHere);
    const more = [...viewerHere, { node: "organization:there", role: "admin" }];
    const root = { key: accounts.rootKey, body: { roles: more } };
    expect((await accounts.ask("PATCH", `/v1/users/${shown.body.id}`, root)).body.roles).toEqual(more);
    expect((await setPassword(accounts, tokenOf(shown))).status).toBe(404);
    expect((await accounts.ask("POST", `/v1/users/${shown.body.id}/invitation`, { key: stranger })).status).toBe(403);
  });

  test("a person who came in by a shown link takes an offer to the address only by the link of that offer", async () => {
    const email = "early@example.com";
    const early = await offer(accounts, stranger, email, viewerHere);
    expect((await setPassword(accounts, tokenOf(early))).status).toBe(204);
    const session = await signIn(accounts, email);
    const meant = await offer(accounts, accounts.rootKey, email, ownerOfAll);
    const { offers } = (await own(accounts, session, "GET", "/v1/me/offers")).body;
    expect(offers).toMatchObject([{ id: meant.body.id, needs_link: true }]);
    const accept = (body: object) => own(accounts, session, "POST", `/v1/me/offers/${meant.body.id}/accept`, body);
    for (const body of [{}, { token: tokenOf(early) }]) {
      const refused = await accept(body);
      expect([refused.status, refused.body.field]).toEqual([403, "token"]);
    }
    expect((await own(accounts, session, "GET", "/v1/me")).body.roles).toEqual(viewerHere);
    expect((await accept({ token: tokenOf(meant) })).status).toBe(204);
    expect((await own(accounts, session, "GET", "/v1/me")).body.roles).toEqual([...ownerOfAll, ...viewerHere]);
  });

  test("links into an account, its name and its state are for who could give all its roles, and are not shown once it is in use", async () => {
    const { id, email } = await holderThere(world, "provider");
    await accounts.postgres.db.insert(userRoles).values({ userId: id, node: "organization:here", role: "viewer" });
    for (const [method, path, body] of [
      ["POST", `/v1/users/${id}/invitation`, undefined],
      ["PATCH", `/v1/users/${id}`, { name: "Mine" }],
      ["PATCH", `/v1/users/${id}`, { disabled: true }],
    ] as const) {
      const refused = await accounts.ask(method, path, { key: stranger, ...(body && { body }) });
      expect(refused.status).toBe(403);
      expect(refused.body.detail).not.toMatch(/there|owner|provider/);
    }
    const shown = await accounts.ask("POST", `/v1/users/${id}/invitation`, { key: accounts.rootKey });
    expect([shown.status, shown.body.url]).toEqual([409, undefined]);
    // In another place than where the account has a role, its holder is asked.
    await accounts.tree.createNode({ kind: "organization", id: "new", name: "new", parent: "reseller:r1" });
    const { key } = await accounts.makeKey("reseller:r1", ["read", "admin"]);
    const { rows } = await accounts.postgres.pool.query("SELECT node FROM user_roles WHERE user_id = $1", [id]);
    expect(rows.length).toBe(2);
    await accounts.postgres.db.insert(userRoles).values({ userId: id, node: "all", role: "viewer" });
    const roles = [
      ...viewerHere,
      { node: "organization:there", role: "owner" },
      { node: "organization:new", role: "viewer" },
    ];
    expect((await accounts.ask("PATCH", `/v1/users/${id}`, { key, body: { roles } })).body).toMatchObject({
      code: "forbidden",
      field: "roles",
    });
    expect((await offer(accounts, key, email, viewerHere)).body.status).toBe("invited");
  });
});

describe("where links are mailed", () => {
  let world: World;
  let accounts: Accounts;
  let stranger: string;
  let mailbox: Mailbox;
  let aheadMs = 0;
  beforeAll(async () => {
    mailbox = await openMailbox();
    world = await createWorld({ mailer: mailbox.mailer, now: () => Date.now() + aheadMs });
    ({ accounts, stranger } = world);
  });
  afterAll(async () => {
    await world.close();
    await mailbox.close();
  });

  const mailTo = (email: string) => mailbox.mails.filter(({ to }) => to?.[0]?.address === email).at(-1);
  const mailedToken = (email: string) => /#([\w-]{43})\s/.exec(mailTo(email)?.text ?? "")?.[1] ?? "";

  async function newHolder(email: string, roles: object[]): Promise<{ id: string; session: string }> {
    const { body } = await offer(accounts, accounts.rootKey, email, roles);
    expect((await setPassword(accounts, mailedToken(email))).status).toBe(204);
    return { id: body.id, session: await signIn(accounts, email) };
  }

  test("a role offered to who has an account waits until they accept it, is in force then, and nobody else can accept", async () => {
    const holder = await newHolder("mia@example.com", [{ node: "organization:there", role: "viewer" }]);
    const other = await newHolder("tom@example.com", [{ node: "organization:there", role: "viewer" }]);
    const made = await offer(accounts, stranger, "mia@example.com", viewerHere);
    expect(made.body.invitation).toEqual({ sent: true, url: null });
    expect(shapeOf(made, "mia@example.com").shown).toBe(
      shapeOf(await offer(accounts, stranger, "new@example.com", viewerHere), "new@example.com").shown,
    );
    expect(mailTo("mia@example.com")).toMatchObject({ subject: "You have been offered a role in Tidemark" });
    expect((await own(accounts, holder.session, "GET", "/v1/me")).body.roles.length).toBe(1);
    expect((await setPassword(accounts, mailedToken("mia@example.com"))).status).toBe(409);

    const { offers } = (await own(accounts, holder.session, "GET", "/v1/me/offers")).body;
    expect(offers).toMatchObject([{ id: made.body.id, roles: viewerHere, needs_link: false }]);
    const accept = (session: string, token?: string) =>
      own(accounts, session, "POST", `/v1/me/offers/${made.body.id}/accept`, { ...(token && { token }) });
    expect((await own(accounts, other.session, "GET", "/v1/me/offers")).body.offers).toEqual([]);
    expect((await accept(other.session, mailedToken("mia@example.com"))).status).toBe(404);
    expect((await own(accounts, other.session, "DELETE", `/v1/me/offers/${made.body.id}`)).status).toBe(404);
    expect((await accept(holder.session)).status).toBe(204);
    expect((await accept(holder.session)).status).toBe(404);
    expect((await own(accounts, holder.session, "GET", "/v1/me")).body.roles).toContainEqual(viewerHere[0]);
    const seen = (await accounts.ask("GET", `/v1/users/${holder.id}`, { key: stranger })).body;
    expect(seen).toMatchObject({ status: "active", roles: viewerHere });
  });

  test("an offer is declined, withdrawn, or ends after seven days", async () => {
    const { session } = await newHolder("ida@example.com", [{ node: "organization:there", role: "viewer" }]);
    const offers = async () => (await own(accounts, session, "GET", "/v1/me/offers")).body.offers;
    const make = async () => (await offer(accounts, stranger, "ida@example.com", viewerHere)).body.id;
    const first = await make();
    expect((await own(accounts, session, "DELETE", `/v1/me/offers/${first}`)).status).toBe(204);
    expect([await offers(), (await accounts.ask("GET", `/v1/users/${first}`, { key: stranger })).status]).toEqual([
      [],
      404,
    ]);
    const second = await make();
    expect((await accounts.ask("DELETE", `/v1/users/${second}`, { key: stranger })).status).toBe(204);
    expect(await offers()).toEqual([]);
    const third = await make();
    aheadMs = 8 * 24 * 60 * 60 * 1000;
    expect(await offers()).toEqual([]);
    expect((await own(accounts, session, "POST", `/v1/me/offers/${third}/accept`, {})).status).toBe(404);
    expect((await accounts.ask("POST", `/v1/users/${third}/invitation`, { key: stranger })).status).toBe(200);
    expect((await offers()).length).toBe(1);
    aheadMs = 0;
  });

  test("two who come at once by links to one address make one account, with what the first link offers", async () => {
    const email = "twice@example.com";
    await offer(accounts, accounts.rootKey, email, [{ node: "organization:there", role: "viewer" }]);
    const first = mailedToken(email);
    await offer(accounts, stranger, email, viewerHere);
    const statuses = await Promise.all([first, mailedToken(email), first].map((token) => setPassword(accounts, token)));
    expect(statuses.filter(({ status }) => status === 204).length).toBe(1);
    expect(statuses.every(({ status }) => [204, 404, 409].includes(status))).toBe(true);
    expect((await own(accounts, await signIn(accounts, email), "GET", "/v1/me")).body.roles.length).toBe(1);
  });

  test("a reset for an account in use is mailed, by who could give all its roles", async () => {
    const { id } = await newHolder("kim@example.com", [...viewerHere, { node: "organization:there", role: "viewer" }]);
    expect((await accounts.ask("POST", `/v1/users/${id}/invitation`, { key: stranger })).status).toBe(403);
    const mailed = await accounts.ask("POST", `/v1/users/${id}/invitation`, { key: accounts.rootKey });
    expect(mailed.body).toEqual({ sent: true, url: null });
    expect(mailTo("kim@example.com")).toMatchObject({ subject: "Reset your Tidemark password" });
    expect((await setPassword(accounts, mailedToken("kim@example.com"), "yet another password")).status).toBe(204);
    expect(await signIn(accounts, "kim@example.com", "yet another password")).not.toBe("");
  });

  test("whose address it is puts out whoever used the account before, by the first mailed link", async () => {
    const { id, email } = await holderThere(world, "passkey");
    await accounts.postgres.pool.query("UPDATE users SET password_hash = '$argon2id$none' WHERE id = $1", [id]);
    const { token } = await accounts.signInSessions.create(id);
    await accounts.ask("POST", "/v1/password-resets", { body: { email } });
    await expect.poll(() => mailedToken(email), { interval: 10 }).not.toBe("");
    expect((await setPassword(accounts, mailedToken(email))).status).toBe(204);
    expect((await own(accounts, token, "GET", "/v1/me")).status).toBe(401);
    const { rows } = await accounts.postgres.pool.query(
      "SELECT u.totp_since, (SELECT count(*)::int FROM passkeys WHERE user_id = u.id) AS passkeys FROM users u WHERE id = $1",
      [id],
    );
    expect(rows).toEqual([{ totp_since: null, passkeys: 0 }]);
  });
});

test("the same offer many times at once is one offer, and none of them fails", async () => {
  const world = await createWorld();
  try {
    const email = "wanted@example.com";
    const roles = [{ node: "organization:here", role: "viewer" }];
    const answers = await Promise.all(
      Array.from({ length: 24 }, () => offer(world.accounts, world.stranger, email, roles)),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
  } finally {
    await world.close();
  }
});

test("a mail server that fails makes no difference between an address that is known and one that is not", async () => {
  const failing = { send: () => Promise.reject(new Error("no mail today")), close: () => undefined };
  const world = await createWorld({ mailer: failing });
  try {
    const { accounts, stranger } = world;
    const { id, email } = await holderThere(world, "provider");
    const [known, fresh] = [
      await offer(accounts, stranger, email, viewerHere),
      await offer(accounts, stranger, "x".repeat(16).concat("@example.com"), viewerHere),
    ];
    expect(shapeOf(known, email)).toEqual(shapeOf(fresh, fresh.body.email));
    expect((await setPassword(accounts, tokenOf(known))).status).toBe(409);
    const invited = await offer(accounts, accounts.rootKey, "boss@example.com", ownerOfAll);
    expect(
      (await setPassword(accounts, tokenOf(await offer(accounts, stranger, "boss@example.com", viewerHere)))).status,
    ).toBe(404);
    expect((await setPassword(accounts, tokenOf(invited))).status).toBe(204);
    const reset = await accounts.ask("POST", `/v1/users/${id}/invitation`, { key: accounts.rootKey });
    expect(reset.body).toEqual({ sent: false, url: null });
  } finally {
    await world.close();
  }
});
