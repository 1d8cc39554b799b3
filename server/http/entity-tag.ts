/**
 * Optimistic concurrency: an answer's `ETag`, sent back as `If-Match`, lets an edit through only if nothing changed meanwhile.
 * It is keyed with a secret of this installation: what it is made of may hold what the caller may not see, such as prices,
 * and a plain hash would confirm a guess.
 */
import { createHmac } from "node:crypto";
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { canonicalJson, toPlainJson } from "../audit/canonical-json.ts";
import type { Postgres } from "../postgres/client.ts";
import { installationSecrets } from "../postgres/schema/installation-secrets.ts";
import { ProblemError } from "../problem.ts";
import type { HttpEnv } from "./http-env.ts";

/** Mount before the routes that answer or check tags. The secret is read when the first of them needs it. */
export function keyedTags({ db }: Pick<Postgres, "db">) {
  let secret: Promise<string> | undefined;
  const read = async () => {
    const [row] = await db.select().from(installationSecrets);
    if (!row) throw new Error("the row of installation_secrets was removed");
    return row.entityTags;
  };
  const tagSecret = () => {
    secret ??= read().catch((error: unknown) => {
      secret = undefined;
      throw error;
    });
    return secret;
  };
  return createMiddleware<HttpEnv>(async (c, next) => {
    c.set("tagSecret", tagSecret);
    await next();
  });
}

/** A tag of what a thing is, the same for all who see it: leave out what is not configuration, such as its last use. */
export async function entityTag(c: Context<HttpEnv>, thing: unknown): Promise<string> {
  return tagWith(await c.get("tagSecret")(), thing);
}

/** `answer` as JSON, with the tag of `thing`, which is what can be edited of it. */
export async function answerTagged<Answer extends object, Status extends 200 | 201>(
  c: Context<HttpEnv>,
  thing: unknown,
  answer: Answer,
  status: Status,
) {
  c.header("etag", await entityTag(c, thing));
  return c.json(answer, status);
}

/**
 * Checks the request's `If-Match` against the thing that is to be changed. Call the function in the transaction of the change,
 * with the thing as read there under a lock; it throws `precondition_failed` when the caller saw another state.
 */
export async function ifMatch(c: Context<HttpEnv>): Promise<(current: unknown) => void> {
  const wanted = c.req.header("if-match");
  if (wanted === undefined || wanted.trim() === "*") return () => undefined;
  const tags = wanted.split(",").map((tag) => tag.trim());
  const secret = await c.get("tagSecret")();
  return (current) => {
    if (!tags.includes(tagWith(secret, current)))
      throw new ProblemError(
        "precondition_failed",
        "it has changed since you read it: read it again, then repeat your edit",
        { field: "If-Match" },
      );
  };
}

function tagWith(secret: string, thing: unknown): string {
  const text = canonicalJson(toPlainJson(thing));
  return `"${createHmac("sha256", secret).update(text).digest("base64url").slice(0, 22)}"`;
}
