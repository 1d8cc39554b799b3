/**
 * Whether a message comes from a payment provider that knows the secret, by the rules of Standard Webhooks
 * (standardwebhooks.com): HMAC-SHA256 over `id.timestamp.body`. Two secrets may be in force at once, so that one can be
 * replaced without losing a message.
 */
import { timingSafeEqual } from "node:crypto";
import { Webhook } from "standardwebhooks";

export interface SignedMessage {
  /** `webhook-id` */
  id: string;
  /** `webhook-timestamp`: seconds since 1970. */
  timestamp: string;
  /** `webhook-signature`: one or more of `v1,BASE64`, by spaces. */
  signature: string;
  body: string;
}

/** How old a message may be: one that was overheard is of no use later. */
const toleranceMs = 5 * 60_000;
const secretPrefix = "whsec_";

/** The key in `whsec_BASE64`; undefined unless it has 24 to 64 bytes, as the standard asks. */
export function secretKey(secret: string): Buffer | undefined {
  if (!secret.startsWith(secretPrefix)) return undefined;
  const text = secret.slice(secretPrefix.length);
  const key = Buffer.from(text, "base64");
  const isWhole = key.toString("base64").replace(/=+$/, "") === text.replace(/=+$/, "");
  return isWhole && key.length >= 24 && key.length <= 64 ? key : undefined;
}

/** Undefined where the message is genuine, else why it is not. Every signature is compared with every key, whatever matches. */
export function signatureRefusal(message: SignedMessage, keys: readonly Buffer[], nowMs: number): string | undefined {
  if (!/^\d{1,12}$/.test(message.timestamp)) return "webhook-timestamp must be seconds since 1970";
  const sentAt = new Date(Number(message.timestamp) * 1000);
  if (Math.abs(nowMs - sentAt.getTime()) > toleranceMs) return "webhook-timestamp is more than 5 minutes away";
  const given = message.signature.split(" ").filter(isVersion1).map(macOf);
  let isGenuine = false;
  for (const key of keys) {
    // `verify` of the library reads the machine's clock and stops at the first signature that matches.
    const signature = new Webhook(key, { format: "raw" }).sign(message.id, sentAt, message.body);
    const expected = macOf(signature);
    for (const one of given) if (one.length === expected.length && timingSafeEqual(one, expected)) isGenuine = true;
  }
  return isGenuine ? undefined : "no signature in webhook-signature matches a secret that is in use";
}

const isVersion1 = (signature: string) => signature.startsWith("v1,");
const macOf = (signature: string) => Buffer.from(signature.slice("v1,".length), "base64");
