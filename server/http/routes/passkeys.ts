/** Passkeys: one's own, and signing in with one. */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { Logger } from "pino";
import { meSchema } from "../../contract/accounts.ts";
import {
  beginPasskeySchema,
  newPasskeySchema,
  type Passkey,
  passkeyCreationOptionsSchema,
  passkeyListSchema,
  passkeyRequestOptionsSchema,
  passkeySchema,
  removePasskeySchema,
  renamePasskeySchema,
  signInWithPasskeySchema,
} from "../../contract/passkeys.ts";
import { passkeyMail } from "../../identity/mails.ts";
import type { PasskeyRecord, Passkeys } from "../../identity/passkeys.ts";
import type { SignInSessions } from "../../identity/sign-in-sessions.ts";
import type { Users } from "../../identity/users.ts";
import type { Mailer } from "../../mail/mailer.ts";
import { ProblemError } from "../../problem.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { refuseForeignOrigin } from "../authenticate.ts";
import { authorOf } from "../author-of.ts";
import { signIn } from "../begin-session.ts";
import { answerTagged, ifMatch } from "../entity-tag.ts";
import type { HttpEnv } from "../http-env.ts";
import { checkPerson, ofUser } from "../own-account.ts";
import { idParams, jsonAnswer, jsonBody } from "../route-parts.ts";

interface PasskeysRoutesDeps {
  /** Absent where the public URL can have none. */
  passkeys: Passkeys | undefined;
  users: Users;
  signInSessions: SignInSessions;
  /** What people know the identity provider as; absent without one. */
  providerName: string | undefined;
  mailer: Mailer | undefined;
  publicUrl: string;
  log: Logger;
  now?: () => number;
}

const listPasskeysRoute = createRoute({
  method: "get",
  path: "/v1/me/passkeys",
  operationId: "listPasskeys",
  tags: ["Account"],
  summary: "List your passkeys",
  middleware: ofUser,
  responses: { 200: jsonAnswer("Oldest first", passkeyListSchema), ...problemResponses(401, 403, 404, 503) },
});

const beginPasskeyRoute = createRoute({
  method: "post",
  path: "/v1/me/passkeys/options",
  operationId: "beginPasskey",
  tags: ["Account"],
  summary: "Start adding a passkey, or confirming with one",
  description: "For `navigator.credentials.create`; send its result to POST /v1/me/passkeys within five minutes.",
  middleware: ofUser,
  request: { body: jsonBody(beginPasskeySchema) },
  responses: {
    200: jsonAnswer("The options", passkeyCreationOptionsSchema),
    ...problemResponses(400, 401, 403, 404, 422, 429, 503),
  },
});

const addPasskeyRoute = createRoute({
  method: "post",
  path: "/v1/me/passkeys",
  operationId: "addPasskey",
  tags: ["Account"],
  summary: "Add a passkey",
  description:
    "From then on it signs in by itself, without a password or a second-factor code. The user is notified by email.",
  middleware: ofUser,
  request: { body: jsonBody(newPasskeySchema) },
  responses: { 201: jsonAnswer("The passkey", passkeySchema), ...problemResponses(400, 401, 403, 404, 409, 422, 503) },
});

const renamePasskeyRoute = createRoute({
  method: "patch",
  path: "/v1/me/passkeys/{id}",
  operationId: "renamePasskey",
  tags: ["Account"],
  summary: "Rename a passkey",
  middleware: ofUser,
  request: { params: idParams, body: jsonBody(renamePasskeySchema) },
  responses: {
    200: jsonAnswer("The updated passkey", passkeySchema),
    ...problemResponses(400, 401, 403, 404, 412, 422, 503),
  },
});

const removePasskeyRoute = createRoute({
  method: "delete",
  path: "/v1/me/passkeys/{id}",
  operationId: "removePasskey",
  tags: ["Account"],
  summary: "Remove a passkey",
  description:
    "It no longer signs anyone in; sessions it started continue. The last way to sign in is only removed on request.",
  middleware: ofUser,
  request: { params: idParams, body: jsonBody(removePasskeySchema) },
  responses: { 204: { description: "Removed" }, ...problemResponses(400, 401, 403, 404, 409, 412, 422, 429, 503) },
});

const beginPasskeySignInRoute = createRoute({
  method: "post",
  path: "/v1/session/passkey/options",
  operationId: "beginPasskeySignIn",
  tags: ["Account"],
  summary: "Start signing in with a passkey",
  description: "For `navigator.credentials.get`; send its result to POST /v1/session/passkey within five minutes.",
  security: [],
  responses: { 200: jsonAnswer("The options", passkeyRequestOptionsSchema), ...problemResponses(403, 404, 503) },
});

const signInWithPasskeyRoute = createRoute({
  method: "post",
  path: "/v1/session/passkey",
  operationId: "signInWithPasskey",
  tags: ["Account"],
  summary: "Sign in with a passkey",
  description: "Sets the session cookie. A passkey counts as both factors: no password and no code is needed.",
  security: [],
  request: { body: jsonBody(signInWithPasskeySchema) },
  responses: { 200: jsonAnswer("Signed in", meSchema), ...problemResponses(400, 401, 403, 404, 503) },
});

export function passkeysRoutes(deps: PasskeysRoutesDeps): OpenAPIHono<HttpEnv> {
  const { users, signInSessions, providerName, mailer, publicUrl, log, now = Date.now } = deps;
  const app = createRouter();

  function available(): Passkeys {
    if (deps.passkeys) return deps.passkeys;
    throw new ProblemError(
      "not_found",
      "browsers only allow passkeys at an https:// address with a domain name; see TIDEMARK_PUBLIC_URL",
    );
  }

  app.openapi(listPasskeysRoute, async (c) =>
    c.json({ passkeys: (await available().list(c.get("actor").id)).map(describe) }, 200),
  );

  app.openapi(beginPasskeyRoute, async (c) => {
    const passkeys = available();
    await checkPerson(c, users, c.req.valid("json").password, now());
    const { id, name } = c.get("actor");
    c.header("cache-control", "no-store");
    return c.json(await passkeys.creationOptions({ id, email: name }), 200);
  });

  app.openapi(addPasskeyRoute, async (c) => {
    const { id, name: email } = c.get("actor");
    const added = await available().add(id, c.req.valid("json"), authorOf(c));
    mailer
      ?.send(passkeyMail(email, added.name, publicUrl))
      .catch((error: unknown) => log.warn({ err: error }, "that a passkey was added could not be mailed"));
    return await answerTagged(c, stateOf(added), describe(added), 201);
  });

  app.openapi(renamePasskeyRoute, async (c) => {
    const which = { userId: c.get("actor").id, id: c.req.valid("param").id, name: c.req.valid("json").name };
    const check = await ifMatch(c);
    const edit = { by: authorOf(c), check: (current: PasskeyRecord) => check(stateOf(current)) };
    const renamed = await available().rename(which, edit);
    if (!renamed) throw noSuchPasskey();
    return await answerTagged(c, stateOf(renamed), describe(renamed), 200);
  });

  app.openapi(removePasskeyRoute, async (c) => {
    const passkeys = available();
    const { password, even_if_last } = c.req.valid("json");
    await checkPerson(c, users, password, now());
    const lastRefusal =
      providerName === undefined
        ? "it is the only way into this account; ask to be invited again to set a password first"
        : even_if_last
          ? undefined
          : `without it, only ${providerName} can sign in to this account; send \`even_if_last\` to continue`;
    const which = { userId: c.get("actor").id, id: c.req.valid("param").id, lastRefusal };
    const check = await ifMatch(c);
    const edit = { by: authorOf(c), check: (current: PasskeyRecord) => check(stateOf(current)) };
    if (!(await passkeys.remove(which, edit))) throw noSuchPasskey();
    return c.body(null, 204);
  });

  app.openapi(beginPasskeySignInRoute, async (c) => {
    refuseForeignOrigin(c.req.raw, false);
    c.header("cache-control", "no-store");
    return c.json(await available().requestOptions(), 200);
  });

  app.openapi(signInWithPasskeyRoute, async (c) => {
    refuseForeignOrigin(c.req.raw, false);
    const userId = await available().signIn(c.req.valid("json"));
    if (userId === undefined)
      throw new ProblemError(
        "unauthenticated",
        "this passkey does not sign anyone in, or its answer has expired or was already used",
      );
    return c.json(await signIn(c, { signInSessions, users }, userId), 200);
  });
  return app;
}

const noSuchPasskey = () => new ProblemError("not_found", "there is no such passkey");

/** What an edit is checked against. */
const stateOf = ({ id, name }: PasskeyRecord) => ({ id, name });

function describe({ id, name, createdAt, lastUsedAt }: PasskeyRecord): Passkey {
  return { id, name, created_at: createdAt.toISOString(), last_used_at: lastUsedAt?.toISOString() ?? null };
}
