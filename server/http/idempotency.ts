/**
 * `Idempotency-Key` on every write: the same request of the same caller with the same key is carried out once and
 * answered alike for a day. Where a process dies after the change and before its answer is kept, the request is carried
 * out again when it is repeated later than a minute after; every other failure leaves the key free.
 */
import { createCipheriv, createDecipheriv, hash, hkdfSync, randomBytes } from "node:crypto";
import { and, eq, isNull, lt, or } from "drizzle-orm";
import type { Context, Next } from "hono";
import { createMiddleware } from "hono/factory";
import type { Actor } from "../identity/actor.ts";
import type { Postgres } from "../postgres/client.ts";
import { idempotencyKeys, type KeptStatus } from "../postgres/schema/idempotency.ts";
import { ProblemError } from "../problem.ts";
import type { HttpEnv } from "./http-env.ts";
import { readBody } from "./read-body.ts";

const keptMs = 24 * 60 * 60 * 1000;
/** Longer than any request may run. */
const claimMs = 60_000;
/** The headers that are kept with an answer; the others concern one answer alone. */
const keptHeaders = ["content-type", "etag", "location", "cache-control"];
const writes: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH", "DELETE"]);

/**
 * Mount after `attachActor`. Requests without the header, and of callers who are not known, pass through. The request is
 * compared and carried out once its body was read: behind the route's own check of the caller.
 */
export function idempotent({ postgres, now = Date.now }: { postgres: Postgres; now?: () => number }) {
  return createMiddleware<HttpEnv>(async (c, next) => {
    const key = c.req.header("idempotency-key");
    // Events have ids of their own, and their bodies are read as they come.
    if (key === undefined || !writes.has(c.req.method) || c.req.path === "/v1/events") return next();
    if (!/^[\x21-\x7e]{1,255}$/.test(key))
      throw new ProblemError("invalid_request", "must be 1 to 255 visible ASCII characters", {
        field: "Idempotency-Key",
      });
    const caller = await c.get("identify")();
    if (!caller) return next();
    c.set("once", (rest) => carryOutOnce(c, rest, { postgres, now, key, caller }));
    await next();
  });
}

async function carryOutOnce(
  c: Context<HttpEnv>,
  next: Next,
  { postgres, now, key, caller }: { postgres: Postgres; now: () => number; key: string; caller: Actor },
): Promise<Response | undefined> {
  const { pathname, search } = new URL(c.req.url);
  const body = await readBody(c);
  const requestHash = hash(
    "sha256",
    Buffer.concat([
      Buffer.from(`${c.req.method} ${pathname}${search}\n${c.req.header("if-match") ?? ""}\n${rightsOf(caller)}\n`),
      body,
    ]),
    "hex",
  );
  const keyHash = hash("sha256", `${caller.kind} ${caller.id} ${key}`, "hex");
  const claimedAt = new Date(now());
  if (!(await claim(postgres, { keyHash, requestHash, claimedAt }))) {
    const { body, status, headers } = await keptAnswer(postgres, { key, keyHash, requestHash });
    return status === 204 ? c.body(null, status, headers) : c.body(body, status, headers);
  }
  const mine = and(eq(idempotencyKeys.keyHash, keyHash), eq(idempotencyKeys.claimedAt, claimedAt));
  try {
    await next();
  } finally {
    // What was refused or failed changed nothing: it may be tried again with the same key.
    if (!c.res.ok || c.error) await postgres.db.delete(idempotencyKeys).where(mine);
  }
  if (!c.res.ok || c.error) return undefined;
  const answer = Buffer.from(await c.res.clone().arrayBuffer());
  const headers: Record<string, string> = {};
  for (const name of keptHeaders) {
    const value = c.res.headers.get(name);
    if (value !== null) headers[name] = value;
  }
  const kept = { status: c.res.status as KeptStatus, headers, body: seal(answer, key, keyHash) };
  await postgres.db.update(idempotencyKeys).set(kept).where(mine);
  return undefined;
}

/** An answer is not repeated to a caller whose rights have changed: it may hold what the new ones do not show. */
function rightsOf({ grants }: Actor): string {
  return JSON.stringify(grants.map(({ node, actions }) => [node, ...[...actions].sort()]).sort());
}

/** Whether the key was free; old ones are removed on the way. */
async function claim(
  { db }: Postgres,
  row: { keyHash: string; requestHash: string; claimedAt: Date },
): Promise<boolean> {
  const nowMs = row.claimedAt.getTime();
  const abandoned = and(isNull(idempotencyKeys.status), lt(idempotencyKeys.claimedAt, new Date(nowMs - claimMs)));
  await db.delete(idempotencyKeys).where(or(lt(idempotencyKeys.claimedAt, new Date(nowMs - keptMs)), abandoned));
  const claimed = await db
    .insert(idempotencyKeys)
    .values(row)
    .onConflictDoNothing()
    .returning({ keyHash: idempotencyKeys.keyHash });
  return claimed.length > 0;
}

async function keptAnswer(
  { db }: Postgres,
  { key, keyHash, requestHash }: { key: string; keyHash: string; requestHash: string },
): Promise<{ body: Uint8Array<ArrayBuffer>; status: KeptStatus; headers: Record<string, string> }> {
  const [row] = await db.select().from(idempotencyKeys).where(eq(idempotencyKeys.keyHash, keyHash));
  if (row && row.requestHash !== requestHash)
    throw new ProblemError("idempotency_key_reused", "the key was used for another request, or with other rights", {
      field: "Idempotency-Key",
    });
  if (!row || row.status === null || row.body === null)
    throw new ProblemError("conflict", "the request with this key is still running; ask again", {
      field: "Idempotency-Key",
      retryAfterSeconds: 1,
    });
  return {
    body: new Uint8Array(unseal(row.body, key, keyHash)),
    status: row.status,
    headers: { ...row.headers, "idempotency-replayed": "true" },
  };
}

function sealingKey(key: string, keyHash: string): Buffer {
  return Buffer.from(hkdfSync("sha256", key, keyHash, "tidemark idempotency", 32));
}

/** AES-256-GCM: 12 bytes nonce, 16 bytes tag, the text. */
function seal(answer: Buffer, key: string, keyHash: string): Buffer {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", sealingKey(key, keyHash), nonce);
  const text = Buffer.concat([cipher.update(answer), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), text]);
}

function unseal(sealed: Buffer, key: string, keyHash: string): Buffer {
  const decipher = createDecipheriv("aes-256-gcm", sealingKey(key, keyHash), sealed.subarray(0, 12));
  decipher.setAuthTag(sealed.subarray(12, 28));
  return Buffer.concat([decipher.update(sealed.subarray(28)), decipher.final()]);
}
