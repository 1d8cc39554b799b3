/** The cases of the routes of keys, people, sessions and passwords. */
import { randomUUID } from "node:crypto";
import { newId } from "../../../server/identity/actor.ts";
import { userRoles, users } from "../../../server/postgres/schema/accounts.ts";
import { inside, type World } from "../../support/isolation-world.ts";
import type { RouteCase } from "./route-case.ts";

const accountsCases: RouteCase[] = [
  {
    route: "POST /v1/session",
    needs: "nothing",
    request: () => ({ body: { email: `${randomUUID()}@example.com`, password: "wrong" } }),
    allowed: 401,
    elsewhere: "the same",
  },
  {
    route: "DELETE /v1/session",
    needs: "nothing",
    // Without the caller's cookie: the session that it ends is needed for the other routes.
    request: () => ({ headers: { cookie: "" } }),
    allowed: 204,
    elsewhere: "the same",
  },
  { route: "GET /v1/session/ways", needs: "nothing", allowed: 200, elsewhere: "the same" },
  { route: "POST /v1/session/passkey/options", needs: "nothing", allowed: 200, elsewhere: "the same" },
  {
    route: "POST /v1/session/passkey",
    needs: "nothing",
    request: () => ({ body: { credential: {} } }),
    allowed: 400,
    elsewhere: "the same",
  },
  // The matrix has no identity provider.
  { route: "GET /v1/session/oidc", needs: "nothing", allowed: 404, elsewhere: "the same" },
  { route: "GET /v1/session/oidc/callback", needs: "nothing", allowed: 404, elsewhere: "the same" },
  { route: "GET /v1/me", needs: "credentials", allowed: 200, elsewhere: "nothing" },
  { route: "GET /v1/keys", needs: "keys:write", allowed: 200, elsewhere: "nothing" },
  {
    route: "POST /v1/keys",
    needs: "keys:write",
    request: () => ({ body: { name: "k", node: inside, scopes: ["admin"] } }),
    allowed: 201,
    elsewhere: 403,
  },
  {
    route: "GET /v1/keys/{id}",
    needs: "keys:write",
    request: async ({ makeKey }) => ({ path: `/v1/keys/${(await makeKey(["read"])).id}` }),
    allowed: 200,
    elsewhere: 404,
  },
  {
    route: "PATCH /v1/keys/{id}",
    needs: "keys:write",
    request: async ({ makeKey }) => ({ path: `/v1/keys/${(await makeKey(["read"])).id}`, body: { name: "n" } }),
    allowed: 200,
    elsewhere: 404,
  },
  {
    route: "POST /v1/keys/{id}/rotate",
    needs: "keys:write",
    request: async ({ makeKey }) => ({ path: `/v1/keys/${(await makeKey(["admin"])).id}/rotate`, body: {} }),
    allowed: 201,
    elsewhere: 404,
  },
  {
    route: "DELETE /v1/keys/{id}",
    needs: "keys:write",
    request: async ({ makeKey }) => ({ path: `/v1/keys/${(await makeKey(["read"])).id}` }),
    allowed: 200,
    elsewhere: 404,
  },
];

const usersCases: RouteCase[] = [
  { route: "GET /v1/users", needs: "users:write", allowed: 200, elsewhere: "nothing" },
  ...(
    ["GET /v1/users/{id}", "PATCH /v1/users/{id}", "DELETE /v1/users/{id}", "POST /v1/users/{id}/invitation"] as const
  ).map(
    (route): RouteCase => ({
      route,
      needs: "users:write",
      request: async (world) => ({
        path: route.slice(route.indexOf("/")).replace("{id}", await userInside(world)),
        ...(route.startsWith("PATCH") && { body: { name: "Renamed" } }),
      }),
      allowed: route.startsWith("DELETE") ? 204 : 200,
      elsewhere: 404,
    }),
  ),
  {
    route: "POST /v1/users",
    needs: "users:write",
    request: () => ({ body: { email: `${randomUUID()}@example.com`, roles: [{ node: inside, role: "viewer" }] } }),
    allowed: 201,
    elsewhere: 403,
  },
];

async function userInside({ deps: { postgres } }: World): Promise<string> {
  const [user] = await postgres.db
    .insert(users)
    .values({ id: newId("usr"), email: `${randomUUID()}@x.com` })
    .returning();
  if (!user) throw new Error("the user was not stored");
  await postgres.db.insert(userRoles).values({ userId: user.id, node: inside, role: "viewer" });
  return user.id;
}

/** Routes of one's own account: keys have none, whatever their scopes. */
const ownAccountCases: RouteCase[] = [
  { route: "GET /v1/me/sessions", allowed: 200 },
  { route: "DELETE /v1/me/sessions/{id}", path: "/v1/me/sessions/none", allowed: 404 },
  { route: "POST /v1/me/password", body: { current_password: "wrong", new_password: "long enough" }, allowed: 403 },
  { route: "POST /v1/me/totp", body: { password: "wrong" }, allowed: 403 },
  { route: "PUT /v1/me/totp", body: { code: "000000" }, allowed: 400 },
  { route: "DELETE /v1/me/totp", body: { password: "wrong" }, allowed: 403 },
  { route: "GET /v1/me/notification-preferences", allowed: 200 },
  { route: "PATCH /v1/me/notification-preferences", body: { choices: [] }, allowed: 200 },
  { route: "GET /v1/me/offers", allowed: 200 },
  { route: "POST /v1/me/offers/{id}/accept", path: "/v1/me/offers/none/accept", body: {}, allowed: 404 },
  { route: "DELETE /v1/me/offers/{id}", path: "/v1/me/offers/none", allowed: 404 },
  { route: "GET /v1/me/passkeys", allowed: 200 },
  { route: "POST /v1/me/passkeys/options", body: {}, allowed: 200 },
  { route: "POST /v1/me/passkeys", body: { credential: {} }, allowed: 400 },
  { route: "PATCH /v1/me/passkeys/{id}", path: "/v1/me/passkeys/none", body: { name: "x" }, allowed: 404 },
  { route: "DELETE /v1/me/passkeys/{id}", path: "/v1/me/passkeys/none", body: {}, allowed: 404 },
].map(({ route, path, body, allowed }) => ({
  route,
  needs: "a session",
  request: () => ({ ...(path && { path }), ...(body && { body }) }),
  allowed,
  elsewhere: "the same",
}));
const passwordCases: RouteCase[] = [
  {
    route: "POST /v1/password-resets",
    needs: "nothing",
    request: () => ({ body: { email: "nobody@example.com" } }),
    allowed: 202,
    elsewhere: "the same",
  },
  {
    route: "POST /v1/password",
    needs: "nothing",
    request: () => ({ body: { token: "none", password: "long enough" } }),
    allowed: 404,
    elsewhere: "the same",
  },
];

export const accountCases: readonly RouteCase[] = [
  ...accountsCases,
  ...usersCases,
  ...ownAccountCases,
  ...passwordCases,
];
