/** One's own account: sessions, password, second factor; and setting a password with a token from a mail. */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { Logger } from "pino";
import {
  changePasswordSchema,
  confirmPasswordSchema,
  mySessionListSchema,
  recoveryCodesSchema,
  requestResetSchema,
  setPasswordSchema,
  totpCodeSchema,
  totpSecretSchema,
} from "../../contract/accounts.ts";
import { passwordPage, resetMail } from "../../identity/mails.ts";
import { beginTotp, removeTotp } from "../../identity/second-factor.ts";
import type { SignInSessions } from "../../identity/sign-in-sessions.ts";
import type { Users } from "../../identity/users.ts";
import type { Mailer } from "../../mail/mailer.ts";
import type { Postgres } from "../../postgres/client.ts";
import { ProblemError } from "../../problem.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { refuseForeignOrigin, sessionToken } from "../authenticate.ts";
import { authorOf } from "../author-of.ts";
import { originOf } from "../begin-session.ts";
import type { HttpEnv } from "../http-env.ts";
import { checkPassword, ofUser } from "../own-account.ts";
import { idParams, jsonAnswer, jsonBody } from "../route-parts.ts";

interface AccountRoutesDeps {
  postgres: Postgres;
  users: Users;
  signInSessions: SignInSessions;
  mailer: Mailer | undefined;
  publicUrl: string;
  log: Logger;
}

const listMySessionsRoute = createRoute({
  method: "get",
  path: "/v1/me/sessions",
  operationId: "listMySessions",
  tags: ["Account"],
  summary: "List your sessions",
  middleware: ofUser,
  responses: { 200: jsonAnswer("Newest first", mySessionListSchema), ...problemResponses(401, 403, 503) },
});

const endMySessionRoute = createRoute({
  method: "delete",
  path: "/v1/me/sessions/{id}",
  operationId: "endMySession",
  tags: ["Account"],
  summary: "Revoke one of your sessions",
  description: "The session is refused everywhere within five seconds, and its live connections are closed.",
  middleware: ofUser,
  request: { params: idParams },
  responses: { 204: { description: "Ended" }, ...problemResponses(401, 403, 404, 422, 503) },
});

const changePasswordRoute = createRoute({
  method: "post",
  path: "/v1/me/password",
  operationId: "changePassword",
  tags: ["Account"],
  summary: "Change your password",
  description: "Ends all sessions, including this one.",
  middleware: ofUser,
  request: { body: jsonBody(changePasswordSchema) },
  responses: { 204: { description: "Changed" }, ...problemResponses(400, 401, 403, 422, 429, 503) },
});

const beginTotpRoute = createRoute({
  method: "post",
  path: "/v1/me/totp",
  operationId: "beginTotp",
  tags: ["Account"],
  summary: "Start setting up a second factor",
  description: "The secret takes effect with PUT and a code generated from it.",
  middleware: ofUser,
  request: { body: jsonBody(confirmPasswordSchema) },
  responses: {
    200: jsonAnswer("The secret", totpSecretSchema),
    ...problemResponses(400, 401, 403, 409, 422, 429, 503),
  },
});

const confirmTotpRoute = createRoute({
  method: "put",
  path: "/v1/me/totp",
  operationId: "confirmTotp",
  tags: ["Account"],
  summary: "Enable the second factor",
  middleware: ofUser,
  request: { body: jsonBody(totpCodeSchema) },
  responses: {
    200: jsonAnswer("Recovery codes, for when the app is lost", recoveryCodesSchema),
    ...problemResponses(400, 401, 403, 422, 429, 503),
  },
});

const disableTotpRoute = createRoute({
  method: "delete",
  path: "/v1/me/totp",
  operationId: "disableTotp",
  tags: ["Account"],
  summary: "Disable the second factor",
  middleware: ofUser,
  request: { body: jsonBody(confirmPasswordSchema) },
  responses: { 204: { description: "Ended" }, ...problemResponses(400, 401, 403, 422, 429, 503) },
});

const requestPasswordResetRoute = createRoute({
  method: "post",
  path: "/v1/password-resets",
  operationId: "requestPasswordReset",
  tags: ["Account"],
  summary: "Request a password reset by email",
  description: "The answer is the same whether or not the account exists.",
  security: [],
  request: { body: jsonBody(requestResetSchema) },
  responses: {
    202: { description: "If the account exists, an email is on its way" },
    ...problemResponses(400, 403, 503),
  },
});

const setPasswordRoute = createRoute({
  method: "post",
  path: "/v1/password",
  operationId: "setPassword",
  tags: ["Account"],
  summary: "Set a password with the token of an invitation or a reset",
  description: "Uses up the token and ends all sessions of the user.",
  security: [],
  request: { body: jsonBody(setPasswordSchema) },
  responses: { 204: { description: "Set" }, ...problemResponses(400, 403, 404, 409, 429, 503) },
});

export function accountRoutes(deps: AccountRoutesDeps): OpenAPIHono<HttpEnv> {
  const { postgres, users, signInSessions } = deps;
  const app = createRouter();

  app.openapi(listMySessionsRoute, async (c) => {
    const list = await signInSessions.list(c.get("actor").id, sessionToken(c.req.header("cookie")));
    const described = list.map(({ id, isCurrent, address, userAgent, createdAt, expiresAt }) => ({
      id,
      is_current: isCurrent,
      address,
      user_agent: userAgent,
      created_at: createdAt.toISOString(),
      expires_at: expiresAt.toISOString(),
    }));
    return c.json({ sessions: described }, 200);
  });

  app.openapi(endMySessionRoute, async (c) => {
    if (!(await signInSessions.endById(c.get("actor").id, c.req.valid("param").id)))
      throw new ProblemError("not_found", "there is no such session");
    return c.body(null, 204);
  });

  app.openapi(changePasswordRoute, async (c) => {
    const { current_password, new_password } = c.req.valid("json");
    await checkPassword(c, users, current_password, "current_password");
    await users.changePassword(c.get("actor").id, new_password, authorOf(c));
    signInSessions.forget();
    return c.body(null, 204);
  });

  app.openapi(beginTotpRoute, async (c) => {
    await checkPassword(c, users, c.req.valid("json").password, "password");
    const begun = await beginTotp(postgres, c.get("actor").id);
    if (!begun) throw new ProblemError("conflict", "a second factor is already active");
    c.header("cache-control", "no-store");
    return c.json(begun, 200);
  });

  app.openapi(confirmTotpRoute, async (c) => {
    const { code } = c.req.valid("json");
    const codes = await users.confirmSecondFactor(c.get("actor").id, code, authorOf(c));
    if (codes === "too_fast")
      throw new ProblemError("too_fast", "too many attempts; wait, then try again", { retryAfterSeconds: 900 });
    if (!codes) throw new ProblemError("invalid_request", "is not the current code", { field: "code" });
    c.header("cache-control", "no-store");
    return c.json({ recovery_codes: codes }, 200);
  });

  app.openapi(disableTotpRoute, async (c) => {
    await checkPassword(c, users, c.req.valid("json").password, "password");
    await removeTotp(postgres, c.get("actor").id, authorOf(c));
    return c.body(null, 204);
  });

  addPasswordLinks(app, deps);
  return app;
}

/** For those who are not signed in: they ask for a link, and set a password with it. */
function addPasswordLinks(app: OpenAPIHono<HttpEnv>, deps: AccountRoutesDeps): void {
  const { users, signInSessions, mailer, publicUrl, log } = deps;
  app.openapi(requestPasswordResetRoute, async (c) => {
    refuseForeignOrigin(c.req.raw, false);
    const reset = await users.requestReset(c.req.valid("json").email, originOf(c));
    if (reset && !mailer) log.warn("a password reset was asked for, but there is no TIDEMARK_SMTP_URL to send it with");
    // Not awaited: the time of the answer must not tell whether there is such an account.
    if (reset && mailer)
      users
        .issueReset(reset.userId)
        .then((token) => mailer.send(resetMail(reset.email, passwordPage(publicUrl, token))))
        .catch((error: unknown) => log.warn({ err: error }, "a password reset could not be mailed"));
    return c.body(null, 202);
  });

  app.openapi(setPasswordRoute, async (c) => {
    refuseForeignOrigin(c.req.raw, false);
    const { token, password } = c.req.valid("json");
    const set = await users.setPassword(token, password, c.get("client")().address ?? null);
    if (set === "gone")
      throw new ProblemError(
        "not_found",
        "this link was used, has expired, or was replaced by a newer one; request a new one",
        {
          field: "token",
        },
      );
    if (set === "too_fast")
      throw new ProblemError("too_fast", "too many attempts; wait, then try again", { retryAfterSeconds: 900 });
    if (set === "in_use")
      throw new ProblemError("conflict", "this address already has an account; sign in to accept the roles", {
        field: "token",
      });
    signInSessions.forget();
    return c.body(null, 204);
  });
}
