/**
 * Requests between ingest nodes. Each is signed with the cluster's secret over its time, path and body, so that whoever
 * can reach a node but does not know the secret can neither make one nor change one. Repeating one within the minute that
 * a signature lasts does no harm: events count once, and everything else asked here may be asked again.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
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

export interface Peers {
  /** What the node answers. Throws PeerUnavailableError, NotMineError. */
  ask<Answer extends z.ZodType>(
    peer: { url: string },
    path: string,
    body: Buffer,
    answer: Answer,
    withinMs: number,
  ): Promise<z.output<Answer>>;
  /** Whether a request with these headers and this body was signed with the secret, not long ago. */
  isFromPeer(headers: Headers, path: string, body: Buffer): boolean;
}

export function createPeers(secret: string, now: () => number = Date.now): Peers {
  const sign = (time: string, path: string, body: Buffer) =>
    createHmac("sha256", secret).update(`${time}\n${path}\n`).update(body).digest();
  return {
    async ask(peer, path, body, answer, withinMs) {
      const time = String(now());
      const response = await fetch(`${peer.url}${path}`, {
        method: "POST",
        headers: {
          "content-type": "application/octet-stream",
          [timeHeader]: time,
          [signatureHeader]: sign(time, path, body).toString("hex"),
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
    isFromPeer(headers, path, body) {
      const time = headers.get(timeHeader) ?? "";
      const given = Buffer.from(headers.get(signatureHeader) ?? "", "hex");
      if (!/^\d{1,15}$/.test(time) || Math.abs(now() - Number(time)) > signatureLastsMs) return false;
      const expected = sign(time, path, body);
      return given.length === expected.length && timingSafeEqual(given, expected);
    },
  };
}
