/**
 * Requests between ingest nodes. Each is signed with the cluster's secret over its method, path, time, a number that is used
 * once, the address that it is meant for, and the hash of its body: whoever can reach a node but does not know the secret can neither
 * make one nor change one, nor have a body read, nor send one again that was overheard, to this node, to another, or to this
 * one after a restart.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { z } from "zod";

/** The node did not answer, or answered that it cannot now: whether it did what was asked is unknown. */
export class PeerUnavailableError extends Error {
  override name = "PeerUnavailableError";
}

/** The node did nothing, because what was asked is another node's now. */
export class NotMineError extends Error {
  override name = "NotMineError";
}

const signatureLastsMs = 60_000;
const timeHeader = "tidemark-time";
const onceHeader = "tidemark-once";
const bodyHashHeader = "tidemark-body-sha256";
const signatureHeader = "tidemark-signature";
const method = "POST";

export interface Peers {
  /** What the node answers. Throws PeerUnavailableError, NotMineError. */
  ask<Answer extends z.ZodType>(
    peer: { url: string },
    path: string,
    body: Buffer,
    answer: Answer,
    withinMs: number,
  ): Promise<z.output<Answer>>;
  /**
   * Whether these headers were signed with the secret, for this node, not long ago, and are seen for the first time; asked
   * before the body is read.
   */
  isFromPeer(headers: Headers, path: string): boolean;
  /** Whether `body` is the one that the headers were signed for. */
  isSignedBody(headers: Headers, body: Buffer): boolean;
}

/** `url`: where others reach this node, which they sign; without it nothing is from a peer. */
export function createPeers(secret: string, now: () => number = Date.now, url = ""): Peers {
  const seen = createSeen(now);
  const sign = (to: string, time: string, once: string, path: string, bodyHash: string) =>
    createHmac("sha256", secret).update([method, path, time, once, to, bodyHash].join("\n")).digest();
  return {
    async ask(peer, path, body, answer, withinMs) {
      const time = String(now());
      const once = randomBytes(16).toString("hex");
      const bodyHash = hashOf(body);
      const response = await fetch(`${peer.url}${path}`, {
        method,
        headers: {
          "content-type": "application/octet-stream",
          [timeHeader]: time,
          [onceHeader]: once,
          [bodyHashHeader]: bodyHash,
          [signatureHeader]: sign(peer.url, time, once, path, bodyHash).toString("hex"),
        },
        body: new Uint8Array(body),
        redirect: "error",
        signal: AbortSignal.timeout(withinMs),
      }).catch((cause: unknown) => {
        throw new PeerUnavailableError(`${peer.url} does not answer`, { cause });
      });
      if (response.status === 409) {
        await response.arrayBuffer().catch(() => undefined);
        throw new NotMineError(`${peer.url} answers that the events belong to another node`);
      }
      try {
        if (response.status !== 200)
          throw new Error(`status ${response.status}: ${(await response.text()).slice(0, 500)}`);
        return answer.parse(await response.json());
      } catch (cause) {
        throw new PeerUnavailableError(`${peer.url} cannot do it now`, { cause });
      }
    },
    isFromPeer(headers, path) {
      const time = headers.get(timeHeader) ?? "";
      const once = headers.get(onceHeader) ?? "";
      const given = Buffer.from(headers.get(signatureHeader) ?? "", "hex");
      if (!/^\d{1,15}$/.test(time) || Math.abs(now() - Number(time)) > signatureLastsMs) return false;
      if (url === "" || !/^[0-9a-f]{32}$/.test(once) || seen.isForgotten(Number(time))) return false;
      const expected = sign(url, time, once, path, headers.get(bodyHashHeader) ?? "");
      // Only what was signed is remembered: strangers cannot fill the memory.
      return given.length === expected.length && timingSafeEqual(given, expected) && seen.isFirst(once);
    },
    isSignedBody: (headers, body) => headers.get(bodyHashHeader) === hashOf(body),
  };
}

/** What was seen within the time that a signature lasts, in both directions of clocks that differ. */
function createSeen(now: () => number) {
  const keptMs = 2 * signatureLastsMs;
  const sinceMs = now();
  let older = new Set<string>();
  let newer = new Set<string>();
  let turnedAtMs = sinceMs;
  return {
    /** A request signed before this process began may have been seen by the one before it. */
    isForgotten: (timeMs: number) => timeMs < sinceMs,
    isFirst(once: string): boolean {
      if (now() - turnedAtMs > keptMs) {
        [older, newer] = [newer, new Set()];
        turnedAtMs = now();
      }
      if (older.has(once) || newer.has(once)) return false;
      newer.add(once);
      return true;
    },
  };
}

function hashOf(body: Buffer): string {
  return createHash("sha256").update(body).digest("hex");
}

/** A body that a peer reads as JSON. */
export const asBody = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
