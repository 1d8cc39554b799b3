/**
 * Signing in with passkeys (WebAuthn Level 3, discoverable credentials with user verification): what one has and what one
 * knows or is, in one step, so no password and no code is asked for beside it. Guessing is hopeless, so nothing counts
 * failed attempts and nobody can be locked out by them.
 */
import { isIP } from "node:net";
import { and, asc, eq } from "drizzle-orm";
import type { Logger } from "pino";
import { type Author, recordChange } from "../audit/record-change.ts";
import type {
  NewPasskey,
  PasskeyCreationOptions,
  PasskeyRequestOptions,
  SignInWithPasskey,
} from "../contract/passkeys.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { users } from "../postgres/schema/accounts.ts";
import { passkeys } from "../postgres/schema/passkeys.ts";
import { ProblemError } from "../problem.ts";
import { newId } from "./actor.ts";
import { type Ceremony, Challenges, challengeLifetimeMs } from "./challenges.ts";

/** To whom passkeys of this service belong, as browsers see to it. */
export interface RelyingParty {
  /** The name in `origin`. */
  id: string;
  /** The only one whose pages may use them. */
  origin: string;
}

export type PasskeyRecord = Pick<typeof passkeys.$inferSelect, "id" | "name" | "createdAt" | "lastUsedAt">;

/** ES256, which every authenticator has, and RS256 for older ones of Windows (COSE's numbers). */
const algorithms = [-7, -257];
const maxOfUser = 20;

/** Undefined where browsers have no passkeys: an address in the place of a name, or neither TLS nor this machine. */
export function relyingPartyOf(publicUrl: string): RelyingParty | undefined {
  const { protocol, hostname, origin } = new URL(publicUrl);
  if (isIP(hostname.replace(/^\[|\]$/g, ""))) return undefined;
  return protocol === "https:" || /(^|\.)localhost$/.test(hostname) ? { id: hostname, origin } : undefined;
}

/** Undefined where `publicUrl` can have none. */
export function createPasskeys(
  { postgres, publicUrl, log }: { postgres: Postgres; publicUrl: string; log: Logger },
  now: () => number = Date.now,
): Passkeys | undefined {
  const relyingParty = relyingPartyOf(publicUrl);
  return relyingParty && new Passkeys(postgres, relyingParty, log, now);
}

export class Passkeys {
  readonly relyingParty: RelyingParty;
  readonly #postgres: Postgres;
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #challenges: Challenges;

  constructor(postgres: Postgres, relyingParty: RelyingParty, log: Logger, now: () => number) {
    this.relyingParty = relyingParty;
    this.#postgres = postgres;
    this.#log = log;
    this.#now = now;
    this.#challenges = new Challenges(postgres, now);
  }

  /** The caller has made sure of the person: who can answer these has a way into the account. */
  async creationOptions({ id, email }: { id: string; email: string }): Promise<PasskeyCreationOptions> {
    const known = await this.#postgres.db.select().from(passkeys).where(eq(passkeys.userId, id));
    return {
      challenge: await this.#challenges.issue({ kind: "add", userId: id }),
      rp: { id: this.relyingParty.id, name: "Tidemark" },
      user: { id: userHandle(id), name: email, displayName: email },
      pubKeyCredParams: algorithms.map((alg) => ({ type: "public-key", alg })),
      timeout: challengeLifetimeMs,
      attestation: "none",
      authenticatorSelection: { residentKey: "required", requireResidentKey: true, userVerification: "required" },
      excludeCredentials: known.map(({ credentialId, transports }) => ({
        type: "public-key",
        id: credentialId,
        transports,
      })),
    };
  }

  /**
   * Throws `invalid_request` where the credential does not answer `creationOptions` of the same user, `conflict` where it
   * is known already or the user has as many as one may have.
   */
  async add(userId: string, { name, credential }: NewPasskey, by: Author): Promise<PasskeyRecord> {
    const { verifyRegistrationResponse } = await webAuthn();
    const answered = this.#expect({ kind: "add", userId });
    const verified = await verifyRegistrationResponse({
      response: { ...credential, clientExtensionResults: {} },
      ...answered.expected,
      supportedAlgorithmIDs: algorithms,
    }).catch((error: unknown) => {
      this.#log.info({ err: error, userId }, "a passkey was not added");
      return undefined;
    });
    const made = verified?.registrationInfo?.credential;
    if (!made)
      throw new ProblemError("invalid_request", "is not an answer to what this server asked for", {
        field: "credential",
      });
    return await this.#postgres.transaction(async (tx) => {
      await tx.select().from(users).where(eq(users.id, userId)).for("update");
      const own = await tx.select().from(passkeys).where(eq(passkeys.userId, userId));
      if (own.length >= maxOfUser) throw new ProblemError("conflict", `you can have at most ${maxOfUser} passkeys`);
      if (!(await this.#challenges.take(tx, answered.challenge())))
        throw new ProblemError("invalid_request", "was already used", { field: "credential" });
      const { id: credentialId, publicKey, counter } = made;
      const { transports } = credential.response;
      const row = {
        id: newId("psk"),
        userId,
        credentialId,
        publicKey: Buffer.from(publicKey),
        counter,
        transports,
        name,
      };
      const [added] = await tx.insert(passkeys).values(row).onConflictDoNothing().returning();
      if (!added) throw new ProblemError("conflict", "this passkey has already been added", { field: "credential" });
      await recordPasskey(tx, "added", { by, userId, after: added });
      return added;
    });
  }

  /** The oldest first. */
  async list(userId: string): Promise<PasskeyRecord[]> {
    const { db } = this.#postgres;
    return db
      .select()
      .from(passkeys)
      .where(eq(passkeys.userId, userId))
      .orderBy(asc(passkeys.createdAt), asc(passkeys.id));
  }

  /** Undefined where the user has no such passkey. `check` throws where it is not what the caller saw. */
  async rename(
    { userId, id, name }: { userId: string; id: string; name: string },
    { by, check }: { by: Author; check: (current: PasskeyRecord) => void },
  ): Promise<PasskeyRecord | undefined> {
    const own = and(eq(passkeys.id, id), eq(passkeys.userId, userId));
    return await this.#postgres.transaction(async (tx) => {
      const [before] = await tx.select().from(passkeys).where(own).for("update");
      if (!before) return undefined;
      check(before);
      const [after] = await tx.update(passkeys).set({ name }).where(own).returning();
      await recordPasskey(tx, "renamed", { by, userId, before, after });
      return after;
    });
  }

  /**
   * False where the user has no such passkey. Throws `conflict` with `lastRefusal`, where there is one, for the last passkey
   * of a user without a password.
   */
  async remove(
    { userId, id, lastRefusal }: { userId: string; id: string; lastRefusal: string | undefined },
    { by, check }: { by: Author; check: (current: PasskeyRecord) => void },
  ): Promise<boolean> {
    return await this.#postgres.transaction(async (tx) => {
      // Locked first, so that of two that are removed at once the second is seen to be the last.
      const [user] = await tx.select().from(users).where(eq(users.id, userId)).for("update");
      const own = await tx.select().from(passkeys).where(eq(passkeys.userId, userId));
      const removed = own.find((one) => one.id === id);
      if (!user || !removed) return false;
      check(removed);
      if (lastRefusal !== undefined && own.length === 1 && user.passwordHash === null)
        throw new ProblemError("conflict", lastRefusal, { field: "even_if_last" });
      await tx.delete(passkeys).where(eq(passkeys.id, id));
      await recordPasskey(tx, "removed", { by, userId, before: removed });
      return true;
    });
  }

  /** For no particular user: the browser offers all that it has for this service. */
  async requestOptions(): Promise<PasskeyRequestOptions> {
    return {
      challenge: await this.#challenges.issue({ kind: "sign_in" }),
      rpId: this.relyingParty.id,
      timeout: challengeLifetimeMs,
      userVerification: "required",
    };
  }

  /**
   * The user whom the credential signs in; undefined where it does not answer `requestOptions`, is not known (any more),
   * its counter did not grow (then there is a copy of it somewhere), or its user is disabled.
   */
  async signIn({ credential }: SignInWithPasskey): Promise<string | undefined> {
    const { verifyAuthenticationResponse } = await webAuthn();
    return await this.#postgres.transaction(async (tx) => {
      // Locked, so that of two answers with the same counter one is refused.
      const [known] = await tx
        .select({ passkey: passkeys, disabledAt: users.disabledAt })
        .from(passkeys)
        .innerJoin(users, eq(users.id, passkeys.userId))
        .where(eq(passkeys.credentialId, credential.id))
        .for("update", { of: passkeys });
      if (!known || known.disabledAt) return undefined;
      const { id, userId, credentialId, publicKey, counter } = known.passkey;
      if (credential.response.userHandle !== userHandle(userId)) return undefined;
      const answered = this.#expect({ kind: "sign_in" });
      const verified = await verifyAuthenticationResponse({
        response: { ...credential, clientExtensionResults: {} },
        ...answered.expected,
        credential: { id: credentialId, publicKey: new Uint8Array(publicKey), counter },
      }).catch((error: unknown) => {
        this.#log.warn({ err: error, passkey: id, userId }, "a passkey signed nobody in");
        return undefined;
      });
      if (!verified?.verified || !(await this.#challenges.take(tx, answered.challenge()))) return undefined;
      await tx
        .update(passkeys)
        .set({ counter: verified.authenticationInfo.newCounter, lastUsedAt: new Date(this.#now()) })
        .where(eq(passkeys.id, id));
      return userId;
    });
  }

  /** What an answer must hold, and once it was checked, the challenge that it is to. */
  #expect(ceremony: Ceremony) {
    let challenge = "";
    const expected = {
      expectedOrigin: this.relyingParty.origin,
      expectedRPID: this.relyingParty.id,
      requireUserVerification: true,
      expectedChallenge: (given: string) => {
        challenge = given;
        return this.#challenges.isIssued(given, ceremony);
      },
    };
    return { expected, challenge: () => challenge };
  }
}

/** Loaded when the first person needs it: that takes 0.7 s and 28 MB, which a start does not have to wait for. */
const webAuthn = () => import("@simplewebauthn/server");

/** Opaque, as WebAuthn asks for: user ids are random. */
function userHandle(userId: string): string {
  return Buffer.from(userId).toString("base64url");
}

/** Recorded at the root: who may see the changes of a user's own account is nobody's below. */
async function recordPasskey(
  tx: Queries,
  what: "added" | "renamed" | "removed",
  {
    by,
    userId,
    before,
    after,
  }: { by: Author; userId: string; before?: PasskeyRecord; after?: PasskeyRecord | undefined },
): Promise<void> {
  const shown = (one: PasskeyRecord | undefined) => one && { passkey: one.id, name: one.name };
  const action = `user.passkey_${what}`;
  await recordChange(tx, { by, node: "all", action, subject: userId, before: shown(before), after: shown(after) });
}
