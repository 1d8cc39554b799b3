/** Compresses answers, where their size gives nothing away. */
import { compress } from "hono/compress";
import { createMiddleware } from "hono/factory";
import type { HttpEnv } from "./http-env.ts";

/** Smaller ones fit a packet as they are. */
const minBytes = 1_024;

/**
 * Answers that hold what nobody else may know, such as sessions, keys and the addresses of channels. The length of a packed
 * answer tells whether a guess beside a secret is right; of answers without secrets it tells nothing.
 */
const secretPaths = /^\/v1\/(?:me|session|keys|channels|users|passkeys|unsubscribe)(?:\/|$)/;

const pack = compress({ encoding: "gzip", contentTypeFilter: /^application\/json\b/ });

/**
 * Packs the answer to GET where it is JSON of some length that was made in one piece. Never a refusal, which repeats what was
 * sent; never an answer with an `ETag`, which names its bytes and comes back as `If-Match`; never what is streamed or packed
 * by its format, such as a file.
 */
export const compressAnswers = createMiddleware<HttpEnv>(async (c, next) => {
  await next();
  const { method, path } = c.req;
  if (!c.req.header("accept-encoding")) return;
  if (method !== "GET" || secretPaths.test(path) || path.includes("/files/")) return;
  const { headers, status } = c.res;
  if (status !== 200 || headers.has("etag") || headers.has("set-cookie")) return;
  if (!headers.get("content-type")?.startsWith("application/json")) return;
  const body = await c.res.arrayBuffer();
  c.res = new Response(body, c.res);
  c.res.headers.set("content-length", String(body.byteLength));
  if (body.byteLength >= minBytes) await pack(c, async () => {});
});
