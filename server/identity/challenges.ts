/**
 * Challenges of WebAuthn: each is for one ceremony of one subject, for five minutes, and is taken once. Signed instead of
 * stored: anybody may ask for one to sign in with, and whoever asks a million times fills nothing and uses up no limit that
 * others share. Only the ones that were carried out are remembered, and these cost a signature of a known passkey.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { lt } from "drizzle-orm";
import type { Postgres, Queries } from "../postgres/client.ts";
import { challengeSecret, usedChallenges } from "../postgres/schema/passkeys.ts";
import { hashSecret, newSecret } from "./credential-cache.ts";

export const challengeLifetimeMs = 5 * 60 * 1000;

/** What a challenge may be answered for: signing in as anybody, or adding a passkey to one user. */
export type Ceremony = { kind: "sign_in" } | { kind: "add"; userId: string };

const nonceBytes = 16;
const expiryBytes = 8;
const macBytes = 32;

export class Challenges {
  readonly #postgres: Postgres;
  readonly #now: () => number;
  #secret: string | undefined;

  constructor(postgres: Postgres, now: () => number) {
    this.#postgres = postgres;
    this.#now = now;
  }

  /** In base64url: nonce, end in ms since 1970 (64 bits, big-endian), HMAC-SHA256 of both and of the ceremony. */
  async issue(ceremony: Ceremony): Promise<string> {
    const expiry = Buffer.alloc(expiryBytes);
    expiry.writeBigUInt64BE(BigInt(this.#now() + challengeLifetimeMs));
    const content = Buffer.concat([randomBytes(nonceBytes), expiry]);
    return Buffer.concat([content, await this.#sign(content, ceremony)]).toString("base64url");
  }

  /** Whether it was issued for this ceremony and has not ended; `take` says whether it was taken already. */
  async isIssued(challenge: string, ceremony: Ceremony): Promise<boolean> {
    const bytes = Buffer.from(challenge, "base64url");
    // Only as it was written: the same bytes in other letters would be a challenge that was not taken yet.
    if (bytes.length !== nonceBytes + expiryBytes + macBytes || bytes.toString("base64url") !== challenge) return false;
    const content = bytes.subarray(0, nonceBytes + expiryBytes);
    const isOurs = timingSafeEqual(bytes.subarray(content.length), await this.#sign(content, ceremony));
    return isOurs && content.readBigUInt64BE(nonceBytes) > BigInt(this.#now());
  }

  /** Uses it up, in the transaction of what it was asked for; false where it was used before. */
  async take(tx: Queries, challenge: string): Promise<boolean> {
    const nowMs = this.#now();
    await tx.delete(usedChallenges).where(lt(usedChallenges.expiresAt, new Date(nowMs)));
    const taken = await tx
      .insert(usedChallenges)
      .values({ challengeHash: hashSecret(challenge), expiresAt: new Date(nowMs + challengeLifetimeMs) })
      .onConflictDoNothing()
      .returning();
    return taken.length > 0;
  }

  async #sign(content: Buffer, ceremony: Ceremony): Promise<Buffer> {
    this.#secret ??= await readSecret(this.#postgres);
    const subject = ceremony.kind === "add" ? ceremony.userId : "";
    return createHmac("sha256", this.#secret).update(`${ceremony.kind}\n${subject}\n`).update(content).digest();
  }
}

/** The same for every process on this Postgres, whoever comes first. */
async function readSecret({ db }: Postgres): Promise<string> {
  await db.insert(challengeSecret).values({ secret: newSecret() }).onConflictDoNothing();
  const [row] = await db.select().from(challengeSecret);
  if (!row) throw new Error("the secret of challenges was not stored");
  return row.secret;
}
