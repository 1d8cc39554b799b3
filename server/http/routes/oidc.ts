/** Signing in through an identity provider: off to it, and back. Both are pages to the browser, so both answer by redirects. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import type { Logger } from "pino";
import { signInWaysSchema } from "../../contract/accounts.ts";
import { type Oidc, type PendingSignIn, pendingSignInSchema } from "../../identity/oidc.ts";
import type { Passkeys } from "../../identity/passkeys.ts";
import type { SignInSessions } from "../../identity/sign-in-sessions.ts";
import type { Users } from "../../identity/users.ts";
import { parseJson } from "../../json/parse-json.ts";
import { ProblemError } from "../../problem.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { beginSession } from "../begin-session.ts";
import type { HttpEnv } from "../http-env.ts";
import { jsonAnswer } from "../route-parts.ts";
import { cookieAttributes } from "../session-cookie.ts";

const beginPath = "/v1/session/oidc";
const callbackPath = `${beginPath}/callback`;
const pendingCookie = "tidemark_oidc";
/** For as long as people take to sign in at the provider. */
const pendingSeconds = 10 * 60;

interface OidcRoutesDeps {
  /** Absent without a provider. */
  oidc: Oidc | undefined;
  /** Absent where the public URL can have none. */
  passkeys: Pick<Passkeys, "relyingParty"> | undefined;
  users: Users;
  signInSessions: SignInSessions;
  /** Where people reach the dashboard, without a slash at its end; the provider knows the callback below it. */
  publicUrl: string;
  log: Logger;
}

const listSignInWaysRoute = createRoute({
  method: "get",
  path: "/v1/session/ways",
  operationId: "listSignInWays",
  tags: ["Account"],
  summary: "List the ways to sign in",
  security: [],
  responses: { 200: jsonAnswer("The ways", signInWaysSchema) },
});

const beginOidcSignInRoute = createRoute({
  method: "get",
  path: beginPath,
  operationId: "beginOidcSignIn",
  tags: ["Account"],
  summary: "Sign in with the identity provider",
  description: "For browsers: redirects to the provider.",
  security: [],
  responses: { 302: { description: "Redirects to the provider" }, ...problemResponses(404, 503) },
});

const finishOidcSignInRoute = createRoute({
  method: "get",
  path: callbackPath,
  operationId: "finishOidcSignIn",
  tags: ["Account"],
  summary: "Return from the identity provider",
  description: [
    "Signs in the user whose email address the provider confirms, and redirects to the dashboard; with",
    "`?sign_in=unknown` if there is no such user, with `?sign_in=failed` if the provider did not identify anyone.",
    "A second factor is left to the provider.",
  ].join(" "),
  security: [],
  // Providers add parameters of their own; those that count are read from the URL.
  request: { query: z.looseObject({}) },
  responses: { 302: { description: "Redirects to the dashboard" }, ...problemResponses(404, 503) },
});

export function oidcRoutes({
  oidc,
  passkeys,
  users,
  signInSessions,
  publicUrl,
  log,
}: OidcRoutesDeps): OpenAPIHono<HttpEnv> {
  const app = createRouter();
  const callbackUrl = publicUrl + callbackPath;

  app.openapi(listSignInWaysRoute, (c) => {
    const provider = oidc ? { name: oidc.name, path: beginPath } : null;
    const origin = passkeys?.relyingParty.origin;
    return c.json({ password: true, oidc: provider, passkeys: origin === undefined ? null : { origin } }, 200);
  });

  app.openapi(beginOidcSignInRoute, async (c) => {
    if (!oidc) throw noProvider();
    const { url, pending } = await oidc.begin(callbackUrl).catch((error: unknown) => {
      log.warn({ err: error }, "the identity provider cannot be reached");
      throw new ProblemError("store_unavailable", "the identity provider cannot be reached; try again later", {
        retryAfterSeconds: 5,
      });
    });
    const held = Buffer.from(JSON.stringify(pending)).toString("base64url");
    setCookie(c, pendingCookie, held, { ...cookieAttributes(c), path: beginPath, maxAge: pendingSeconds });
    return c.redirect(url.href, 302);
  });

  app.openapi(finishOidcSignInRoute, async (c) => {
    if (!oidc) throw noProvider();
    const pending = readPending(getCookie(c, pendingCookie));
    deleteCookie(c, pendingCookie, { ...cookieAttributes(c), path: beginPath });
    const failed = (reason: "failed" | "unknown") => c.redirect(`${publicUrl}/?sign_in=${reason}`, 302);
    if (!pending) return failed("failed");
    const email = await oidc.finish(new URL(callbackUrl + new URL(c.req.url).search), pending).catch((error) => {
      log.warn({ err: error }, "the identity provider's answer does not sign anyone in");
      return "";
    });
    if (email === "") return failed("failed");
    const userId = email === undefined ? undefined : await users.arrive(email, c.get("client")().address ?? null);
    if (userId === undefined) return failed("unknown");
    await beginSession(c, { signInSessions, users }, userId);
    return c.redirect(`${publicUrl}/`, 302);
  });
  return app;
}

const noProvider = () => new ProblemError("not_found", "no identity provider is set up");

function readPending(cookie: string | undefined): PendingSignIn | undefined {
  try {
    return pendingSignInSchema.parse(parseJson(Buffer.from(cookie ?? "", "base64url").toString("utf8")));
  } catch {
    return undefined;
  }
}
