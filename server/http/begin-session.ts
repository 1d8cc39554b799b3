/** The last step of signing in: a session, its cookies, and what the dashboard learns about the user. */
import type { Context } from "hono";
import { getCookie } from "hono/cookie";
import { actions, type Me } from "../contract/accounts.ts";
import type { Actor } from "../identity/actor.ts";
import { newSecret } from "../identity/credential-cache.ts";
import type { SignInOrigin } from "../identity/sign-in-limits.ts";
import type { SignInSessions } from "../identity/sign-in-sessions.ts";
import type { Users } from "../identity/users.ts";
import { ProblemError } from "../problem.ts";
import type { HttpEnv } from "./http-env.ts";
import { deviceCookie, setDeviceCookie, setSessionCookie } from "./session-cookie.ts";

interface BeginDeps {
  signInSessions: SignInSessions;
  users: Pick<Users, "rememberOrigin">;
}

/** The origin of a request, by which attempts to sign in are counted. */
export function originOf(c: Context<HttpEnv>): SignInOrigin {
  const device = getCookie(c, deviceCookie);
  const isOurs = device !== undefined && /^[\w-]{43}$/.test(device);
  return { address: c.get("client")().address ?? "unknown", ...(isOurs && { device }) };
}

/** The caller must have authenticated the user. Returns the session's token. */
export async function beginSession(
  c: Context<HttpEnv>,
  { signInSessions, users }: BeginDeps,
  userId: string,
): Promise<string> {
  const userAgent = c.req.header("user-agent")?.slice(0, 256);
  const { token } = await signInSessions.create(userId, { address: c.get("client")().address, userAgent });
  const origin = originOf(c);
  const device = origin.device ?? newSecret();
  await users.rememberOrigin(userId, { ...origin, device });
  setSessionCookie(c, token);
  setDeviceCookie(c, device);
  return token;
}

/** As `beginSession`, and answers who is signed in. Throws `unauthenticated` where the account cannot be used (any more). */
export async function signIn(c: Context<HttpEnv>, deps: BeginDeps, userId: string): Promise<Me> {
  const actor = await deps.signInSessions.verify(await beginSession(c, deps, userId));
  if (!actor) throw new ProblemError("unauthenticated", "this account has just been disabled");
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
