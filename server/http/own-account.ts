/** For routes about one's own account. A session alone does not change how one signs in: the person is asked again. */
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import type { Users } from "../identity/users.ts";
import { ProblemError } from "../problem.ts";
import { requireActor } from "./authenticate.ts";
import type { HttpEnv } from "./http-env.ts";
import { withRequiredRights } from "./needed-rights.ts";

/** A session of somebody without a password must be younger than this. */
const recentMs = 10 * 60 * 1000;

/** Keys have no password, no sessions and no second factor. */
const requireUser = createMiddleware<HttpEnv>(async (c, next) => {
  if (c.get("actor").kind !== "user") throw new ProblemError("forbidden", "only a signed-in person can do this");
  await next();
});
export const ofUser = [requireActor, withRequiredRights(requireUser, { key: undefined, roles: [] })];

/** Throws unless it is the caller's password; attempts are counted. `field` names it in the body. */
export async function checkPassword(
  c: Context<HttpEnv>,
  users: Pick<Users, "isPassword">,
  password: string,
  field: string,
): Promise<void> {
  const isRight = await users.isPassword(c.get("actor").id, password);
  if (isRight === "too_fast")
    throw new ProblemError("too_fast", "too many attempts; wait, then try again", { retryAfterSeconds: 900 });
  if (!isRight) throw new ProblemError("forbidden", "the password is wrong", { field });
}

/** Throws unless `password` is the caller's, or the caller has none and signed in within the last ten minutes. */
export async function checkPerson(
  c: Context<HttpEnv>,
  users: Pick<Users, "isPassword">,
  password: string | undefined,
  nowMs: number,
): Promise<void> {
  const { hasPassword, signedInAtMs = 0 } = c.get("actor");
  if (hasPassword) {
    if (password === undefined) throw new ProblemError("forbidden", "your password is required", { field: "password" });
    await checkPassword(c, users, password, "password");
  } else if (nowMs - signedInAtMs > recentMs)
    throw new ProblemError("forbidden", "you signed in more than ten minutes ago; sign out and in again first");
}
