/** Signing in and out with a browser, and who one is. */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { deleteCookie } from "hono/cookie";
import type { Actor } from "../../accounts/actor.ts";
import { type Sessions, sessionCookie } from "../../accounts/sessions.ts";
import type { Users } from "../../accounts/users.ts";
import { actions, type Me, meSchema, signInSchema } from "../../contract/accounts.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { refuseForeignOrigin, requireActor, sessionToken } from "../authenticate.ts";
import { addressOf } from "../author-of.ts";
import type { HttpEnv } from "../http-env.ts";
import { ProblemError } from "../problem-error.ts";
import { cookieAttributes, setSessionCookie } from "../session-cookie.ts";

export interface SessionRoutesDeps {
  users: Users;
  sessions: Sessions;
}

export function sessionRoutes({ users, sessions }: SessionRoutesDeps): OpenAPIHono<HttpEnv> {
  const app = createRouter();

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/session",
      summary: "Sign in",
      description: "Sets the session cookie. Too many failed attempts are answered 429 for a while.",
      security: [],
      request: { body: { required: true, content: { "application/json": { schema: signInSchema } } } },
      responses: {
        200: { description: "Signed in", content: { "application/json": { schema: meSchema } } },
        ...problemResponses(400, 401, 403, 429, 503),
      },
    }),
    async (c) => {
      refuseForeignOrigin(c.req.raw, false);
      const { email, password, code } = c.req.valid("json");
      const address = addressOf(c);
      const result = await users.signIn(email, password, address ?? "unknown", code);
      if (result.outcome === "too_fast")
        throw new ProblemError("too_fast", "too many attempts to sign in; wait before the next", result);
      if (result.outcome === "code_needed")
        throw new ProblemError("second_factor_required", "send `code` too", { field: "code" });
      if (result.outcome === "refused")
        throw new ProblemError(
          "unauthenticated",
          `e-mail${code === undefined ? " or password" : ", password or code"} is wrong`,
        );
      const userAgent = c.req.header("user-agent")?.slice(0, 256);
      const { token } = await sessions.create(result.userId, { address, userAgent });
      const actor = await sessions.verify(token);
      if (!actor) throw new ProblemError("unauthenticated", "the account was disabled just now");
      setSessionCookie(c, token);
      return c.json(describe(actor), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "delete",
      path: "/v1/session",
      summary: "Sign out",
      security: [],
      responses: {
        204: { description: "Signed out, whether or not there was a session" },
        ...problemResponses(403, 503),
      },
    }),
    async (c) => {
      const token = sessionToken(c.req.header("cookie"));
      if (token !== undefined) {
        refuseForeignOrigin(c.req.raw, true);
        await sessions.end(token);
        deleteCookie(c, sessionCookie, cookieAttributes(c));
      }
      return c.body(null, 204);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/me",
      summary: "Who the caller is, and what the caller may",
      middleware: requireActor,
      responses: {
        200: { description: "The caller", content: { "application/json": { schema: meSchema } } },
        ...problemResponses(401, 503),
      },
    }),
    (c) => c.json(describe(c.get("actor")), 200),
  );
  return app;
}

function describe({ kind, name, node, grants, hasSecondFactor = false }: Actor): Me {
  const roles = grants.flatMap(({ node, role }) => (role === undefined ? [] : [{ node, role }]));
  return {
    kind,
    name,
    node,
    roles,
    actions: actions.filter((action) => grants.some((one) => one.actions.has(action))),
    has_second_factor: hasSecondFactor,
  };
}
