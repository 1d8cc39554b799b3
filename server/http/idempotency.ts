/**
 * `Idempotency-Key` on every write: the same request of the same caller with the same key is carried out once and
 * answered alike for a day. What was carried out is answered even where its answer cannot be kept at once. Where a process dies
 * after the change and before its answer is kept, the request is carried out again when it is repeated later than a minute
 * after; every other failure leaves the key free. Large answers are not kept.
 */
import { createCipheriv, createDecipheriv, hash, hkdfSync, randomBytes } from "node:crypto";
import type { Context, Next } from "hono";
import { createMiddleware } from "hono/factory";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Actor } from "../identity/actor.ts";
import type { Postgres } from "../postgres/client.ts";
import type { KeptStatus } from "../postgres/schema/idempotency.ts";
import { ProblemError } from "../problem.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { tenantOf } from "../tree/tenant-of.ts";
import type { HttpEnv } from "./http-env.ts";
import { type Claim, KeptAnswers, type Wanted } from "./kept-answers.ts";
import { readBody } from "./read-body.ts";

/** The headers that are kept with an answer; the others concern one answer alone. */
const keptHeaders = ["content-type", "etag", "location", "cache-control"];
const writes: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH", "DELETE"]);

interface Once {
  answers: KeptAnswers;
  key: string;
  caller: Actor;
  tenant: NodeAddress;
}

/**
 * Mount after `attachActor`. Requests without the header, and of callers who are not known, pass through. The request is
 * compared and carried out once its body was read: behind the route's own check of the caller.
 */
export function idempotent({
  postgres,
  tree,
  now = Date.now,
  renewEveryMs,
}: {
  postgres: Postgres;
  tree: Pick<NodeTree, "ancestors">;
  now?: () => number;
  renewEveryMs?: number;
}) {
  const answers = new KeptAnswers(postgres, now, renewEveryMs);
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
    const tenant = tenantOf(caller.node, tree);
    c.set("once", (rest) => carryOutOnce(c, rest, { answers, key, caller, tenant }));
    await next();
  });
}

async function carryOutOnce(
  c: Context<HttpEnv>,
  next: Next,
  { answers, key, caller, tenant }: Once,
): Promise<Response | undefined> {
  const { pathname, search, searchParams } = new URL(c.req.url);
  // There is nothing to be carried out once, and the answer may be large.
  if (searchParams.get("dry_run") === "true") {
    await next();
    return undefined;
  }
  const sent = await readBody(c);
  const requestHash = hash(
    "sha256",
    Buffer.concat([
      Buffer.from(`${c.req.method} ${pathname}${search}\n${c.req.header("if-match") ?? ""}\n${rightsOf(caller)}\n`),
      sent,
    ]),
    "hex",
  );
  const by = `${caller.kind} ${caller.id}`;
  const keyHash = hash("sha256", `${by} ${key}`, "hex");
  const claim = await claimOrRead(answers, { keyHash, requestHash, caller: by, tenant }, key);
  if (!("claim" in claim)) {
    const { body, status, headers } = claim;
    return status === 204 ? c.body(null, status, headers) : c.body(body, status, headers);
  }
  let isCarriedOut = false;
  try {
    await next();
    isCarriedOut = c.res.ok && !c.error;
  } finally {
    // What was refused or failed changed nothing: it may be tried again with the same key.
    if (!isCarriedOut) await answers.release(claim).catch(() => undefined);
  }
  if (!isCarriedOut) return undefined;
  const answer = await c.res
    .clone()
    .arrayBuffer()
    .catch(() => undefined);
  const headers: Record<string, string> = {};
  for (const name of keptHeaders) {
    const value = c.res.headers.get(name);
    if (value !== null) headers[name] = value;
  }
  const body = answer ? seal(Buffer.from(answer), key, keyHash) : null;
  await answers.keep(claim, { status: c.res.status as KeptStatus, headers, body });
  return undefined;
}

/** An answer is not repeated to a caller whose rights have changed: it may hold what the new ones do not show. */
function rightsOf({ grants }: Actor): string {
  return JSON.stringify(grants.map(({ node, actions }) => [node, ...[...actions].sort()]).sort());
}

/** The claim of a key that was free, else the answer that it got. A repeated request is no further key, however many there are. */
async function claimOrRead(
  answers: KeptAnswers,
  wanted: Wanted,
  key: string,
): Promise<Claim | { body: Uint8Array<ArrayBuffer>; status: KeptStatus; headers: Record<string, string> }> {
  const mayUse = await answers.mayUse(wanted.caller, wanted.tenant);
  const claim = mayUse ? await answers.claim(wanted) : undefined;
  if (claim) return claim;
  const row = await answers.read(wanted.keyHash);
  if (!row && !mayUse)
    throw new ProblemError("too_fast", "too many keys were used within a day; send it later, or without a key", {
      field: "Idempotency-Key",
      retryAfterSeconds: 3_600,
    });
  if (row && row.requestHash !== wanted.requestHash)
    throw new ProblemError(
      "idempotency_key_reused",
      "the key was used for another request, or with other permissions",
      {
        field: "Idempotency-Key",
      },
    );
  if (!row || row.status === null)
    throw new ProblemError("conflict", "the request with this key is still in progress; try again", {
      field: "Idempotency-Key",
      retryAfterSeconds: 1,
    });
  if (row.body === null)
    throw new ProblemError(
      "conflict",
      "the request with this key was carried out, but its answer was too large to store",
      {
        field: "Idempotency-Key",
      },
    );
  return {
    body: new Uint8Array(unseal(row.body, key, wanted.keyHash)),
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
