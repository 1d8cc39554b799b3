/**
 * Requests between ingest nodes. Each is signed with the cluster's secret over its time, path and the hash of its
 * body, so that whoever can reach a node but does not know the secret can neither make one nor change one, nor have a body read. Repeating one within the minute that
 * a signature lasts does no harm: events count once, and everything else asked here may be asked again.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
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
const signatureHeader = "tidemark-signature";
const bodyHashHeader = "tidemark-body-sha256";

export interface Peers {
  /** What the node answers. Throws PeerUnavailableError, NotMineError. */
  ask<Answer extends z.ZodType>(
    peer: { url: string },
    path: string,
    body: Buffer,
    answer: Answer,
    withinMs: number,
  ): Promise<z.output<Answer>>;
  /** Whether these headers were signed with the secret, not long ago; asked before the body is read. */
  isFromPeer(headers: Headers, path: string): boolean;
  /** Whether `body` is the one that the headers were signed for. */
  isSignedBody(headers: Headers, body: Buffer): boolean;
}

export function createPeers(secret: string, now: () => number = Date.now): Peers {
  const sign = (time: string, path: string, bodyHash: string) =>
    createHmac("sha256", secret).update(`${time}\n${path}\n${bodyHash}`).digest();
  return {
    async ask(peer, path, body, answer, withinMs) {
      const time = String(now());
      const bodyHash = hashOf(body);
      const response = await fetch(`${peer.url}${path}`, {
        method: "POST",
        headers: {
          "content-type": "application/octet-stream",
          [timeHeader]: time,
          [bodyHashHeader]: bodyHash,
          [signatureHeader]: sign(time, path, bodyHash).toString("hex"),
        },
        body: new Uint8Array(body),
        signal: AbortSignal.timeout(withinMs),
      }).catch((cause: unknown) => {
        throw new PeerUnavailableError(`${peer.url} does not answer`, { cause });
      });
      if (response.status === 409) {
        await response.arrayBuffer().catch(() => undefined);
        throw new NotMineError(`${peer.url} answers that this is not its own`);
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
      const given = Buffer.from(headers.get(signatureHeader) ?? "", "hex");
      if (!/^\d{1,15}$/.test(time) || Math.abs(now() - Number(time)) > signatureLastsMs) return false;
      const expected = sign(time, path, headers.get(bodyHashHeader) ?? "");
      return given.length === expected.length && timingSafeEqual(given, expected);
    },
    isSignedBody: (headers, body) => headers.get(bodyHashHeader) === hashOf(body),
  };
}

function hashOf(body: Buffer): string {
  return createHash("sha256").update(body).digest("hex");
}
