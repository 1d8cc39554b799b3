/** One-time passwords by time, RFC 6238 with SHA-1, six digits and steps of 30 s, as every authenticator app has them. */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const stepMs = 30_000;
/** Steps before and after the present one that are taken, for clocks that differ. */
const tolerance = 1;

/** Base32 of 160 random bits. */
export function newTotpSecret(): string {
  return toBase32(randomBytes(20));
}

/** What an authenticator app reads. */
export function totpAddress(secret: string, account: string): string {
  const label = encodeURIComponent(`Tidemark:${account}`);
  return `otpauth://totp/${label}?secret=${secret}&issuer=Tidemark&algorithm=SHA1&digits=6&period=30`;
}

/**
 * The step that the code belongs to; undefined when it is wrong or its step is `afterStep` or earlier, so that no code is
 * taken twice.
 */
export function totpStep(secret: string, code: string, nowMs: number, afterStep: number): number | undefined {
  const given = Buffer.from(code);
  const now = Math.floor(nowMs / stepMs);
  for (let step = Math.max(now - tolerance, afterStep + 1); step <= now + tolerance; step++) {
    const right = Buffer.from(totpCode(secret, step));
    if (given.length === right.length && timingSafeEqual(given, right)) return step;
  }
  return undefined;
}

/** The six digits of a step of 30 s since 1970. */
export function totpCode(secret: string, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac("sha1", fromBase32(secret)).update(counter).digest();
  const offset = (mac.at(-1) ?? 0) & 15;
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

export function toBase32(bytes: Uint8Array): string {
  let bits = "";
  for (const byte of bytes) bits += byte.toString(2).padStart(8, "0");
  return (bits.match(/.{1,5}/g) ?? []).map((five) => alphabet[Number.parseInt(five.padEnd(5, "0"), 2)]).join("");
}

function fromBase32(text: string): Buffer {
  let bits = "";
  for (const letter of text) bits += alphabet.indexOf(letter).toString(2).padStart(5, "0");
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((eight) => Number.parseInt(eight, 2)));
}
