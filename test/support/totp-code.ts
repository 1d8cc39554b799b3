import { HOTP, Secret } from "otpauth";

/** What an authenticator app shows in a step of 30 s since 1970: six digits. */
export function totpCode(secret: string, step: number): string {
  return HOTP.generate({ secret: Secret.fromBase32(secret), counter: step });
}
