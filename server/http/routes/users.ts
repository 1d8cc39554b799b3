/** People of the caller's subtree: inviting them, their roles, and removing them. */

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Logger } from "pino";
import { pagedQuerySchema } from "../../contract/cursors.ts";
import {
  changeUserSchema,
  type Invitation,
  invitationSchema,
  invitedUserSchema,
  inviteUserSchema,
  type User,
  type UserList,
  userListSchema,
  userSchema,
} from "../../contract/users.ts";
import type { Actor } from "../../identity/actor.ts";
import { invitationMail, offerMail, passwordPage, resetMail } from "../../identity/mails.ts";
import type { UserRecord } from "../../identity/read-users.ts";
import type { SignInSessions } from "../../identity/sign-in-sessions.ts";
import { type Link, type MayMail, UserDirectory } from "../../identity/user-directory.ts";
import { readCursor, writeCursor } from "../../lists/cursor.ts";
import { MailLimits } from "../../mail/mail-limits.ts";
import type { Mail, Mailer } from "../../mail/mailer.ts";
import type { Postgres } from "../../postgres/client.ts";
import { ProblemError } from "../../problem.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { tenantOf } from "../../tree/tenant-of.ts";
import { answerList, listed, listTable } from "../answer-list.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { requireScope } from "../authenticate.ts";
import { authorOf } from "../author-of.ts";
import { answerTagged, ifMatch } from "../entity-tag.ts";
import type { HttpEnv } from "../http-env.ts";
import { pageOf } from "../page-of.ts";
import { idParams, jsonAnswer, jsonBody } from "../route-parts.ts";

interface UsersRoutesDeps {
  postgres: Postgres;
  tree: NodeTree;
  signInSessions: SignInSessions;
  /** Absent where no mail can be sent: then who invites passes the link on. */
  mailer: Mailer | undefined;
  mailLimits?: Pick<MailLimits, "mayInvite"> | undefined;
  publicUrl: string;
  log: Logger;
  now?: () => number;
}

const placeSchema = z.object({ email: z.string(), id: z.string() });

const userTable = listTable("users", userSchema);

const listUsersRoute = createRoute({
  method: "get",
  path: "/v1/users",
  operationId: "listUsers",
  tags: ["Users"],
  summary: "List users",
  description: "Ordered by email address.",
  middleware: requireScope("users:write"),
  request: { query: pagedQuerySchema },
  responses: { 200: listed("All of them", userListSchema, userSchema), ...problemResponses(400, 401, 403, 503) },
});

const getUserRoute = createRoute({
  method: "get",
  path: "/v1/users/{id}",
  operationId: "getUser",
  tags: ["Users"],
  summary: "Get a user",
  middleware: requireScope("users:write"),
  request: { params: idParams },
  responses: { 200: jsonAnswer("The user", userSchema), ...problemResponses(401, 403, 404, 503) },
});

const inviteUserRoute = createRoute({
  method: "post",
  path: "/v1/users",
  operationId: "inviteUser",
  tags: ["Users"],
  summary: "Invite a user",
  description: [
    "The roles wait until the address's owner, who gets an email, accepts them. The answer is the same whether or not the address has",
    "an account: until somebody accepts, only the offer itself is visible. A person without an account chooses a password by the link.",
    "Nobody can give a role with a permission that they do not have at its node themselves.",
  ].join(" "),
  middleware: requireScope("users:write"),
  request: { body: jsonBody(inviteUserSchema) },
  responses: {
    201: jsonAnswer("The offer, and whether its email was sent", invitedUserSchema),
    ...problemResponses(400, 401, 403, 404, 409, 422, 503),
  },
});

const resendInvitationRoute = createRoute({
  method: "post",
  path: "/v1/users/{id}/invitation",
  operationId: "resendInvitation",
  tags: ["Users"],
  summary: "Resend an invitation, or email a link to choose a new password",
  description:
    "The previous link stops working. Only for callers who could give every role the account has; for an account in use, by email only.",
  middleware: requireScope("users:write"),
  request: { params: idParams },
  responses: {
    200: jsonAnswer("Whether it was sent", invitationSchema),
    ...problemResponses(401, 403, 404, 409, 422, 503),
  },
});

const updateUserRoute = createRoute({
  method: "patch",
  path: "/v1/users/{id}",
  operationId: "updateUser",
  tags: ["Users"],
  summary: "Update or disable a user",
  description:
    "The name and `disabled` apply to the whole account, so they need permission at every node where it has a role.",
  middleware: requireScope("users:write"),
  request: { params: idParams, body: jsonBody(changeUserSchema) },
  responses: {
    200: jsonAnswer("The updated user", userSchema),
    ...problemResponses(400, 401, 403, 404, 409, 412, 422, 503),
  },
});

const removeUserRoute = createRoute({
  method: "delete",
  path: "/v1/users/{id}",
  operationId: "removeUser",
  tags: ["Users"],
  summary: "Remove a user's roles in the caller's subtree, or withdraw an offer",
  description: "A user with no roles left elsewhere is deleted, and all their sessions end within five seconds.",
  middleware: requireScope("users:write"),
  request: { params: idParams },
  responses: { 204: { description: "Removed" }, ...problemResponses(401, 403, 404, 409, 412, 422, 503) },
});

export function usersRoutes({
  postgres,
  tree,
  signInSessions,
  mailer,
  mailLimits = new MailLimits(),
  publicUrl,
  log,
  now,
}: UsersRoutesDeps): OpenAPIHono<HttpEnv> {
  const app = createRouter();
  const mayMail: MayMail = ({ id, node }, address) =>
    mailLimits.mayInvite({ id, tenant: tenantOf(node, tree) }, address);
  const directory = new UserDirectory(postgres, tree, { mayMail: mailer && mayMail, ...(now && { now }) });

  /**
   * A mail that cannot be sent is no reason to undo the invitation: its link is answered instead, in the same form whoever it
   * is for. A link into an account in use is never answered, and one mail too many is answered as if it had gone.
   */
  async function deliver({ email, kind, token }: Link, actor: Actor): Promise<Invitation> {
    if (token === undefined) return { sent: true, url: null };
    const url = passwordPage(publicUrl, token);
    if (!mailer) return { sent: false, url };
    try {
      await mailer.send(mailOf({ email, kind, token }, url, { publicUrl, offeredBy: actor.name }));
      return { sent: true, url: null };
    } catch (error) {
      log.warn({ err: error }, "an invitation could not be mailed");
      if (kind === "reset") return { sent: false, url: null };
      await directory.showInstead(token, actor);
      return { sent: false, url };
    }
  }

  app.openapi(
    listUsersRoute,
    async (c) =>
      await answerList(c, userTable, c.req.valid("query"), (asked) => listUsers(directory, c.get("actor"), asked)),
  );

  app.openapi(getUserRoute, async (c) => {
    const user = found(await directory.get(c.get("actor"), c.req.valid("param").id));
    return await answerTagged(c, user, describe(user), 200);
  });

  app.openapi(inviteUserRoute, async (c) => {
    const by = authorOf(c);
    const { user, link } = await directory.offer(c.req.valid("json"), { actor: c.get("actor"), by });
    const invitation = await deliver(link, c.get("actor"));
    c.header("cache-control", "no-store");
    return await answerTagged(c, user, { ...describe(user), invitation }, 201);
  });

  app.openapi(resendInvitationRoute, async (c) => {
    const again = await directory.inviteAgain(c.req.valid("param").id, c.get("actor"));
    if (!again) throw noSuchUser();
    c.header("cache-control", "no-store");
    return c.json(await deliver(again, c.get("actor")), 200);
  });

  app.openapi(updateUserRoute, async (c) => {
    const { name, roles, disabled } = c.req.valid("json");
    const change = { name, roles, isDisabled: disabled };
    const by = { actor: c.get("actor"), by: authorOf(c) };
    const user = found(await directory.change(c.req.valid("param").id, change, by, await ifMatch(c)));
    signInSessions.forget();
    return await answerTagged(c, user, describe(user), 200);
  });

  app.openapi(removeUserRoute, async (c) => {
    const by = { actor: c.get("actor"), by: authorOf(c) };
    if (!(await directory.remove(c.req.valid("param").id, by, await ifMatch(c)))) found(undefined);
    signInSessions.forget();
    return c.body(null, 204);
  });
  return app;
}

async function listUsers(
  directory: UserDirectory,
  actor: Actor,
  { limit, cursor }: { limit: number; cursor: string | undefined },
): Promise<UserList> {
  const asked = { list: "users" };
  const after = readCursor(cursor, asked, placeSchema);
  const { page, last } = pageOf(await directory.list(actor, { after, limit: limit + 1 }), limit);
  const next_cursor = last ? writeCursor(asked, { email: last.email, id: last.id }) : null;
  return { users: page.map(describe), next_cursor };
}

function mailOf(
  { kind, email, token }: Link & { token: string },
  url: string,
  from: { publicUrl: string; offeredBy: string },
): Mail {
  if (kind === "reset") return resetMail(email, url);
  return kind === "offer" ? offerMail(email, token, from) : invitationMail(email, url, from.offeredBy);
}

function found(user: UserRecord | undefined): UserRecord {
  if (!user) throw noSuchUser();
  return user;
}

const noSuchUser = () => new ProblemError("not_found", "there is no such user");

function describe({ id, email, name, isInvited, isDisabled, hasSecondFactor, roles, createdAt }: UserRecord): User {
  return {
    id,
    email,
    name,
    status: isDisabled ? "disabled" : isInvited ? "invited" : "active",
    roles: [...roles],
    has_second_factor: hasSecondFactor,
    created_at: createdAt.toISOString(),
  };
}
