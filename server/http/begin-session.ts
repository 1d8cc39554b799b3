/** The end of signing in: a session, its cookie, and what the dashboard is told of who that is. */
import type { Context } from "hono";
import type { Actor } from "../accounts/actor.ts";
import type { Sessions } from "../accounts/sessions.ts";
import { actions, type Me } from "../contract/accounts.ts";
import type { HttpEnv } from "./http-env.ts";
import { ProblemError } from "./problem-error.ts";
import { setSessionCookie } from "./session-cookie.ts";

/** The caller has made sure that it is this user. Throws `unauthenticated` where the account cannot be used (any more). */
export async function beginSession(c: Context<HttpEnv>, sessions: Sessions, userId: string): Promise<Me> {
  const userAgent = c.req.header("user-agent")?.slice(0, 256);
  const { token } = await sessions.create(userId, { address: c.get("client")().address, userAgent });
  const actor = await sessions.verify(token);
  if (!actor) throw new ProblemError("unauthenticated", "the account was disabled just now");
  setSessionCookie(c, token);
  return describeActor(actor);
}

export function describeActor({ kind, name, node, grants, hasSecondFactor = false, hasPassword = false }: Actor): Me {
  const roles = grants.flatMap(({ node, role }) => (role === undefined ? [] : [{ node, role }]));
  return {
    kind,
    name,
    node,
    roles,
    actions: actions.filter((action) => grants.some((one) => one.actions.has(action))),
    has_second_factor: hasSecondFactor,
    has_password: hasPassword,
  };
}
