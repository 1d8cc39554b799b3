/** Optimistic concurrency: an answer's `ETag`, sent back as `If-Match`, lets an edit through only if nothing changed meanwhile. */
import { hash } from "node:crypto";
import type { Context } from "hono";
import { canonicalJson, toPlainJson } from "../audit/canonical-json.ts";
import type { HttpEnv } from "./http-env.ts";
import { ProblemError } from "./problem-error.ts";

/** Of what a thing is, the same for all who see it: leave out what is not configuration, such as its last use. */
export function entityTag(thing: unknown): string {
  return `"${hash("sha256", canonicalJson(toPlainJson(thing)), "base64url").slice(0, 22)}"`;
}

/**
 * Checks the request's `If-Match` against what is to be changed. Call the function in the transaction of the change, with
 * the thing as read there under a lock; it throws `precondition_failed` when the caller saw another state.
 */
export function ifMatch(c: Context<HttpEnv>): (current: unknown) => void {
  const wanted = c.req.header("if-match");
  if (wanted === undefined || wanted.trim() === "*") return () => undefined;
  const tags = wanted.split(",").map((tag) => tag.trim());
  return (current) => {
    if (!tags.includes(entityTag(current)))
      throw new ProblemError("precondition_failed", "it was changed meanwhile: read it again", { field: "If-Match" });
  };
}
