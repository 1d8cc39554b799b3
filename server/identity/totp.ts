/** One-time passwords by time, RFC 6238 with SHA-1, six digits and steps of 30 s, as every authenticator app has them. */
import { Secret, TOTP } from "otpauth";

const stepMs = 30_000;
/** Steps before and after the present one that are taken, for clocks that differ. */
const tolerance = 1;

/** Base32 of 160 random bits. */
export function newTotpSecret(): string {
  return randomBase32(20);
}

/** This many random bytes, in letters and digits that nobody mistakes for each other. */
export function randomBase32(bytes: number): string {
  return new Secret({ size: bytes }).base32;
}

/** What an authenticator app reads. */
export function totpAddress(secret: string, account: string): string {
  return new TOTP({ issuer: "Tidemark", label: account, secret }).toString();
}

/**
 * The step that the code belongs to; undefined when it is wrong or its step is `afterStep` or earlier, so that no code is
 * taken twice.
 */
export function totpStep(secret: string, code: string, nowMs: number, afterStep: number): number | undefined {
  const delta = new TOTP({ secret }).validate({ token: code, timestamp: nowMs, window: tolerance });
  if (delta === null) return undefined;
  const step = Math.floor(nowMs / stepMs) + delta;
  return step > afterStep ? step : undefined;
}
