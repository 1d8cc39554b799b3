/**
 * How routes get the bodies of requests: whole, once, and never more of one than the route takes, however it comes and
 * whatever its headers say. Every route of `createRouter` reads its body here, after it has asked who the caller is and
 * what they may; a route that takes more than most says so in its description, as `x-max-body-bytes`.
 */
import type { Readable } from "node:stream";
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { receiveBody } from "../ingest/accept/receive-body.ts";
import { brokenBound, requestBounds } from "../json/json-bounds.ts";
import { parseJson } from "../json/parse-json.ts";
import { ProblemError } from "../problem.ts";
import { type BodyHolder, BodyMemory } from "./body-memory.ts";
import type { HttpEnv } from "./http-env.ts";

/** For a caller who is known, where the route names no other bound: the largest event there can be, coded, fits. */
const callerBytes = 256 * 1024;
/** For anybody else: credentials, passkeys and their proofs. */
const strangerBytes = 16 * 1024;
/** How long a sender may take for any body; a second more for each mebibyte that the route takes. */
const anyBodyMs = 10_000;

/** Mount before all that reads bodies. What a request holds is given back when it is answered. */
export function boundBodies(memory: BodyMemory = new BodyMemory()) {
  return createMiddleware<HttpEnv>(async (c, next) => {
    const reservation = memory.reservation();
    c.set("bodyReservation", reservation);
    try {
      await next();
    } finally {
      reservation.release();
    }
  });
}

/** Reads the body for the route's own checks and its handler. */
export function receive(maxBytes?: number) {
  return createMiddleware<HttpEnv>(async (c, next) => {
    await readBody(c, maxBytes);
    await next();
  });
}

/** Carries the rest of the request out once where `idempotent` says so. */
export const carryOut = createMiddleware<HttpEnv>(async (c, next) => {
  const once = c.get("once");
  if (!once) return next();
  return once(next);
});

/**
 * The bytes of the body; a second call gives the same. JSON among them neither nests nor holds more than a request may.
 * Throws ProblemError: body_too_large, unreadable_body (cut off, too slow, not UTF-8, JSON beyond its bounds),
 * unsupported_media_type (compressed), too_fast, overloaded.
 */
export function readBody(c: Context<HttpEnv>, maxBytes?: number, holder?: BodyHolder): Promise<Buffer> {
  const begun = c.get("body");
  if (begun) return begun;
  const reading = read(c, maxBytes, holder);
  c.set("body", reading);
  return reading;
}

async function read(c: Context<HttpEnv>, wanted: number | undefined, named: BodyHolder | undefined): Promise<Buffer> {
  const actor = c.get("actor");
  const holder: BodyHolder =
    named ?? (actor ? { kind: "caller", id: actor.id } : { kind: "stranger", id: c.get("client")().address ?? "" });
  const maxBytes = wanted ?? (holder.kind === "stranger" ? strangerBytes : callerBytes);
  const { headers } = c.req.raw;
  const coding = headers.get("content-encoding");
  if (coding !== null && coding.trim().toLowerCase() !== "identity")
    throw new ProblemError("unsupported_media_type", "only events can be sent compressed");
  if (Number(headers.get("content-length")) > maxBytes)
    throw new ProblemError("body_too_large", `the body is larger than ${maxBytes} bytes`);
  const reservation = c.get("bodyReservation");
  // Under node-server the socket's own stream: nothing is buffered beside it.
  const { incoming } = (c.env ?? {}) as { incoming?: Readable };
  const received = await receiveBody(incoming ?? c.req.raw.body, {
    maxBytes,
    timeoutMs: anyBodyMs + maxBytes / 1024,
    onBytes: (taken) => reservation.take(holder, taken),
  });
  const isJson = /\bjson\b/i.test(headers.get("content-type") ?? "");
  const bytes = isJson && startsWithMark(received) ? received.subarray(3) : received;
  const fault = isJson ? brokenBound(bytes, requestBounds) : undefined;
  if (fault !== undefined) throw new ProblemError("unreadable_body", `the body ${fault}`);
  // Hono reads the body where this is absent, and awaits it, whatever its type says.
  const text = textOf(bytes, isJson);
  Object.assign(c.req.bodyCache, { text: Promise.resolve(text) });
  Object.assign(c.req, { json: async () => parseJson(text) });
  return bytes;
}

/** A byte order mark, which some senders put before JSON. */
function startsWithMark(bytes: Buffer): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}

function textOf(bytes: Buffer, isJson: boolean): string {
  try {
    return new TextDecoder("utf-8", { fatal: isJson }).decode(bytes);
  } catch {
    throw new ProblemError("unreadable_body", "the body is not valid UTF-8");
  }
}
