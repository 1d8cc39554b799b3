/** How many roles one user may have: each of them is looked at with every request of theirs. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { definitionLimits } from "../../server/contract/definition-limits.ts";
import { type Accounts, type Answer, ownAccounts } from "../support/accounts.ts";

const most = definitionLimits.roles.ofUser;
const email = "many@example.com";
let accounts: Accounts;

beforeAll(async () => {
  accounts = await ownAccounts();
  await accounts.tree.createNode({ kind: "reseller", id: "r1", name: "r1", parent: "all" });
  await accounts.tree.ensureOrganizations(
    Array.from({ length: most + 1 }, (_, number) => `o${number}`),
    "reseller:r1",
  );
});
afterAll(() => accounts?.close());

const rolesAt = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, number) => ({ node: `organization:o${from + number}`, role: "viewer" }));
const offer = (key: string, roles: object[]): Promise<Answer> =>
  accounts.ask("POST", "/v1/users", { key, body: { email, roles } });

test("a user has a number of roles and no more; what others offer beyond stays offered, and shuts nobody out", async () => {
  const { rootKey, ask, url } = accounts;
  await offer(rootKey, rolesAt(0, 100));
  const full = await offer(rootKey, rolesAt(100, most));
  expect(full.status).toBe(201);
  const refused = { status: 409, body: { code: "conflict", field: "roles" } };
  expect(await offer(rootKey, rolesAt(most, most + 1))).toMatchObject(refused);

  const stranger = (await accounts.makeKey(`organization:o${most}`, ["read", "admin"])).key;
  const beyond = await offer(stranger, rolesAt(most, most + 1));
  expect(beyond.status).toBe(201);

  const password = "a long enough password";
  const token = full.body.invitation.url.split("#")[1];
  expect((await ask("POST", "/v1/password", { body: { token, password } })).status).toBe(204);
  const signedIn = await ask("POST", "/v1/session", { body: { email, password } });
  const session = /tidemark_session=([^;]+)/.exec(signedIn.headers.get("set-cookie") ?? "")?.[1] ?? "";
  const me = await ask("GET", "/v1/me", { session });
  expect(me.body.roles).toHaveLength(most);
  const accepted = await ask("POST", `/v1/me/offers/${beyond.body.id}/accept`, {
    session,
    headers: { origin: url },
    body: { token: beyond.body.invitation.url.split("#")[1] },
  });
  expect(accepted).toMatchObject(refused);
});
