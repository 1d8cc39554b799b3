/** People who sign in with e-mail and password. */
import { createHash } from "node:crypto";
import { eq } from "drizzle-orm";
import type { Redis } from "ioredis";
import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import { type Author, recordChange, system } from "../audit/record-change.ts";
import type { Postgres } from "../postgres/client.ts";
import { userRoles, users } from "../postgres/schema/accounts.ts";
import { claimForAddress, lockAddress } from "./account-use.ts";
import { newId } from "./actor.ts";
import { newSecret } from "./credential-cache.ts";
import type { NodeTree } from "./node-tree.ts";
import { type LinkState, setPasswordByLink, stateOfLink } from "./password-links.ts";
import { Passwords } from "./passwords.ts";
import { offersTo, takeRoles } from "./role-offers.ts";
import { takeSecondFactor } from "./second-factor.ts";
import { issueToken, replacePassword } from "./user-tokens.ts";

export interface AdminAccount {
  /** Set when the account is new and no password was given: the only copy. */
  generatedPassword?: string;
}

export type SignInResult =
  | { outcome: "signed_in"; userId: string }
  | { outcome: "refused" }
  /** The password is right; a code of the second factor is needed too. */
  | { outcome: "code_needed" }
  | { outcome: "too_fast"; retryAfterSeconds: number };

const windowSeconds = 15 * 60;
/** Failures in the window, of one address on one account. */
const maxFailuresOfPair = 10;
/** Of one address on any account: many people may share one address. */
const maxFailuresOfAddress = 100;
/** Mails to one account that one address may ask for in the window. */
const maxResets = 3;

/** With `redis` the attempts at all processes count together; while it is away each process counts its own. */
export function createUsers(
  { postgres, tree }: UsersDeps,
  { redis, now = Date.now }: { redis?: Redis | undefined; now?: (() => number) | undefined } = {},
): Users {
  return new Users({ postgres, tree }, redis, now);
}

interface UsersDeps {
  postgres: Postgres;
  tree: Pick<NodeTree, "isWithin">;
}

export class Users {
  readonly #postgres: Postgres;
  readonly #tree: Pick<NodeTree, "isWithin">;
  readonly #pairs: RateLimiterAbstract;
  readonly #addresses: RateLimiterAbstract;
  readonly #resets: RateLimiterAbstract;
  readonly #passwords = new Passwords();
  readonly #now: () => number;

  constructor({ postgres, tree }: UsersDeps, redis: Redis | undefined, now: () => number) {
    this.#postgres = postgres;
    this.#tree = tree;
    this.#now = now;
    const limiter = (keyPrefix: string, points: number) => {
      const limits = { keyPrefix, points, duration: windowSeconds };
      const inMemory = new RateLimiterMemory(limits);
      return redis ? new RateLimiterRedis({ ...limits, storeClient: redis, insuranceLimiter: inMemory }) : inMemory;
    };
    this.#pairs = limiter("tidemark-sign-in-pair", maxFailuresOfPair);
    this.#addresses = limiter("tidemark-sign-in-address", maxFailuresOfAddress);
    this.#resets = limiter("tidemark-reset", maxResets);
  }

  /**
   * Makes the first administrator, the owner of `all`. For an account that exists a given password is put in
   * force, and its sessions end if that changes it: so a lost password is replaced by setting one and starting again.
   */
  async ensureAdmin({ email, password }: { email: string; password?: string | undefined }): Promise<AdminAccount> {
    const account = accountOf(email);
    const [existing] = await this.#postgres.db.select().from(users).where(eq(users.email, account));
    if (existing) {
      if (password !== undefined && !(await this.#passwords.matches(existing.passwordHash, password))) {
        const passwordHash = await this.#passwords.hash(password);
        await this.#postgres.transaction((tx) => replacePassword(tx, existing, passwordHash, system));
      }
      return {};
    }
    const chosen = password ?? newSecret().slice(0, 20);
    const passwordHash = await this.#passwords.hash(chosen);
    const isMade = await this.#postgres.transaction(async (tx) => {
      const [made] = await tx
        .insert(users)
        .values({ id: newId("usr"), email: account, passwordHash, emailVerifiedAt: new Date(this.#now()) })
        .onConflictDoNothing()
        .returning({ id: users.id });
      if (made) {
        const roles = [{ node: "all", role: "owner" as const }];
        await tx.insert(userRoles).values(roles.map((role) => ({ ...role, userId: made.id })));
        const after = { email: account, roles };
        await recordChange(tx, { by: system, node: "all", action: "user.created", subject: made.id, after });
      }
      return made !== undefined;
    });
    return isMade && password === undefined ? { generatedPassword: chosen } : {};
  }

  /**
   * `address`: where the attempt comes from; `code`: of the second factor, where the account has one. Unknown accounts and
   * wrong passwords take the same time and answer. Attempts are counted by address and account together, so that nobody
   * is kept out by what others try from elsewhere.
   */
  async signIn(email: string, password: string, address: string, code?: string): Promise<SignInResult> {
    const account = accountOf(email);
    const pair = pairOf(address, account);
    const blockedMs = Math.max(await consume(this.#addresses, address), await consume(this.#pairs, pair));
    if (blockedMs > 0) return { outcome: "too_fast", retryAfterSeconds: Math.ceil(blockedMs / 1000) };
    const [user] = await this.#postgres.db.select().from(users).where(eq(users.email, account));
    const isRight = await this.#passwords.matches(user?.passwordHash, password);
    if (!user || !isRight || user.disabledAt) return { outcome: "refused" };
    if (user.totpSince) {
      if (code === undefined) return { outcome: "code_needed" };
      if (!(await takeSecondFactor(this.#postgres, user, code, this.#now()))) return { outcome: "refused" };
    }
    await Promise.all([this.#pairs.delete(pair), this.#addresses.reward(address)]);
    return { outcome: "signed_in", userId: user.id };
  }

  /**
   * The account of an e-mail address that an identity provider has verified; made, with the roles that wait for it, for who
   * is invited and comes for the first time. Undefined where there is none, or it is disabled.
   */
  async arrive(email: string, address: string | null): Promise<string | undefined> {
    const account = accountOf(email);
    const nowMs = this.#now();
    return await this.#postgres.transaction(async (tx) => {
      await lockAddress(tx, account);
      const [user] = await tx.select().from(users).where(eq(users.email, account)).for("update");
      if (user?.disabledAt) return undefined;
      const author = (id: string): Author => ({ kind: "user", id, name: account, address });
      if (user) {
        await claimForAddress(tx, user, { by: author(user.id), nowMs });
        return user.id;
      }
      const offers = await offersTo(tx, account, nowMs);
      const [first] = offers;
      if (!first) return undefined;
      const { id, name } = first;
      await tx.insert(users).values({ id, email: account, name, emailVerifiedAt: new Date(nowMs) });
      for (const offer of offers) await takeRoles(tx, offer, id, author(id));
      return id;
    });
  }

  /**
   * A token to set a new password with, for an account that has one and is not asked for too often; undefined otherwise,
   * which the one who asks is not told.
   */
  async requestReset(email: string, address: string): Promise<{ email: string; token: string } | undefined> {
    const account = accountOf(email);
    if ((await consume(this.#resets, pairOf(address, account))) > 0) return undefined;
    const [user] = await this.#postgres.db.select().from(users).where(eq(users.email, account));
    if (!user?.passwordHash || user.disabledAt) return undefined;
    const reset = { userId: user.id, purpose: "password_reset", shownTo: null } as const;
    return { email: account, token: await issueToken(this.#postgres.db, reset, this.#now()) };
  }

  /** With the token of an invitation or of a reset; what is not one costs no hashing. The link's state where it is not usable. */
  async setPassword(
    token: string,
    password: string,
    address: string | null,
  ): Promise<{ userId: string } | Exclude<LinkState, "usable">> {
    const link = { token, nowMs: this.#now(), tree: this.#tree };
    const state = await stateOfLink(this.#postgres, link);
    if (state !== "usable") return state;
    const passwordHash = await this.#passwords.hash(password);
    return await setPasswordByLink(this.#postgres, { ...link, passwordHash, address });
  }

  /** Whether it is the user's password; attempts count as those to sign in do. */
  async isPassword(userId: string, password: string, address: string): Promise<boolean | "too_fast"> {
    const [user] = await this.#postgres.db.select().from(users).where(eq(users.id, userId));
    if (!user) return false;
    const pair = pairOf(address, user.email);
    if ((await consume(this.#pairs, pair)) > 0) return "too_fast";
    const isRight = await this.#passwords.matches(user.passwordHash, password);
    if (isRight) await this.#pairs.delete(pair);
    return isRight;
  }

  /** The caller has checked the present password. All sessions of the user end. */
  async changePassword(userId: string, password: string, by: Author): Promise<void> {
    const passwordHash = await this.#passwords.hash(password);
    await this.#postgres.transaction(async (tx) => {
      const [user] = await tx.select().from(users).where(eq(users.id, userId)).for("update");
      if (user) await replacePassword(tx, user, passwordHash, by);
    });
  }
}

/** Lower case, so that one address is one account. */
export function accountOf(email: string): string {
  return email.trim().toLowerCase();
}

function pairOf(address: string, account: string): string {
  return createHash("sha256").update(`${address}\n${account}`).digest("base64url");
}

/** 0 when the attempt may be made, else the ms until one may. */
async function consume(limiter: RateLimiterAbstract, key: string): Promise<number> {
  try {
    await limiter.consume(key);
    return 0;
  } catch (refusal) {
    if (refusal instanceof RateLimiterRes) return Math.max(refusal.msBeforeNext, 1);
    throw refusal;
  }
}
