/** Signing in and out with a browser, and who one is. */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { deleteCookie } from "hono/cookie";
import { meSchema, signInSchema } from "../../contract/accounts.ts";
import { type SignInSessions, sessionCookie } from "../../identity/sign-in-sessions.ts";
import type { Users } from "../../identity/users.ts";
import { ProblemError } from "../../problem.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { refuseForeignOrigin, requireActor, sessionToken } from "../authenticate.ts";
import { describeActor, originOf, signIn } from "../begin-session.ts";
import type { HttpEnv } from "../http-env.ts";
import { jsonAnswer, jsonBody } from "../route-parts.ts";
import { cookieAttributes } from "../session-cookie.ts";

interface SignInRoutesDeps {
  users: Users;
  signInSessions: SignInSessions;
}

const signInRoute = createRoute({
  method: "post",
  path: "/v1/session",
  operationId: "signIn",
  tags: ["Account"],
  summary: "Sign in",
  description: "Sets the session cookie. After too many failed attempts, answers 429 for a while.",
  security: [],
  request: { body: jsonBody(signInSchema) },
  responses: { 200: jsonAnswer("Signed in", meSchema), ...problemResponses(400, 401, 403, 429, 503) },
});

const signOutRoute = createRoute({
  method: "delete",
  path: "/v1/session",
  operationId: "signOut",
  tags: ["Account"],
  summary: "Sign out",
  security: [],
  responses: { 204: { description: "Signed out, whether or not there was a session" }, ...problemResponses(403, 503) },
});

const getMeRoute = createRoute({
  method: "get",
  path: "/v1/me",
  operationId: "getMe",
  tags: ["Account"],
  summary: "Get who the caller is and what they can do",
  middleware: requireActor,
  responses: { 200: jsonAnswer("The caller", meSchema), ...problemResponses(401, 503) },
});

export function signInRoutes({ users, signInSessions }: SignInRoutesDeps): OpenAPIHono<HttpEnv> {
  const app = createRouter();

  app.openapi(signInRoute, async (c) => {
    refuseForeignOrigin(c.req.raw, false);
    const asked = c.req.valid("json");
    const result = await users.signIn(asked, originOf(c));
    if (result.outcome === "too_fast")
      throw new ProblemError("too_fast", "too many attempts to sign in; wait, then try again", result);
    if (result.outcome === "code_needed")
      throw new ProblemError("second_factor_required", "send `code` too", { field: "code" });
    if (result.outcome === "refused")
      throw new ProblemError(
        "unauthenticated",
        `email${asked.code === undefined ? " or password" : ", password or code"} is wrong`,
      );
    return c.json(await signIn(c, { signInSessions, users }, result.userId), 200);
  });

  app.openapi(signOutRoute, async (c) => {
    const token = sessionToken(c.req.header("cookie"));
    if (token !== undefined) {
      refuseForeignOrigin(c.req.raw, true);
      await signInSessions.end(token);
      deleteCookie(c, sessionCookie, cookieAttributes(c));
    }
    return c.body(null, 204);
  });

  app.openapi(getMeRoute, (c) => c.json(describeActor(c.get("actor")), 200));
  return app;
}
