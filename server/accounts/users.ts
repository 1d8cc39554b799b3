/** People who sign in with e-mail and password. */
import { createHash } from "node:crypto";
import { hash, verify } from "@node-rs/argon2";
import { eq } from "drizzle-orm";
import type { Redis } from "ioredis";
import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import type { Postgres } from "../postgres/client.ts";
import { sessions, userRoles, users } from "../postgres/schema/accounts.ts";
import { newId } from "./actor.ts";
import { newSecret } from "./credential-cache.ts";

export interface AdminAccount {
  /** Set when the account is new and no password was given: the only copy. */
  generatedPassword?: string;
}

export type SignInResult =
  | { outcome: "signed_in"; userId: string }
  | { outcome: "refused" }
  | { outcome: "too_fast"; retryAfterSeconds: number };

/** argon2id as OWASP advises: 19 MiB, two passes; some 30 ms of one core. */
const hashing = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

const windowSeconds = 15 * 60;
/** Failures in the window, of one address on one account. */
const maxFailuresOfPair = 10;
/** Of one address on any account: many people may share one address. */
const maxFailuresOfAddress = 100;

/** With `redis` the attempts at all processes count together; while it is away each process counts its own. */
export function createUsers(postgres: Postgres, { redis }: { redis?: Redis } = {}): Users {
  return new Users(postgres, redis);
}

export class Users {
  readonly #postgres: Postgres;
  readonly #pairs: RateLimiterAbstract;
  readonly #addresses: RateLimiterAbstract;
  /** What passwords of unknown accounts are compared with, so that they take as long as known ones. */
  readonly #decoy: Promise<string>;
  /** One password at a time: hashing shares its threads with the disk, whose syncs must not wait behind it. */
  #hashing: Promise<unknown> = Promise.resolve();

  constructor(postgres: Postgres, redis: Redis | undefined) {
    this.#postgres = postgres;
    const limiter = (keyPrefix: string, points: number) => {
      const limits = { keyPrefix, points, duration: windowSeconds };
      const inMemory = new RateLimiterMemory(limits);
      return redis ? new RateLimiterRedis({ ...limits, storeClient: redis, insuranceLimiter: inMemory }) : inMemory;
    };
    this.#pairs = limiter("tidemark-sign-in-pair", maxFailuresOfPair);
    this.#addresses = limiter("tidemark-sign-in-address", maxFailuresOfAddress);
    this.#decoy = this.#hash(newSecret());
  }

  /**
   * Makes the first administrator, the owner of `all`. For an account that exists a given password is put in
   * force, and its sessions end if that changes it: so a lost password is replaced by setting one and starting again.
   */
  async ensureAdmin({ email, password }: { email: string; password?: string | undefined }): Promise<AdminAccount> {
    const account = accountOf(email);
    const [existing] = await this.#postgres.db.select().from(users).where(eq(users.email, account));
    if (existing) {
      if (password !== undefined && !(await this.#matches(existing.passwordHash, password)))
        await this.#replacePassword(existing.id, password);
      return {};
    }
    const chosen = password ?? newSecret().slice(0, 20);
    const passwordHash = await this.#hash(chosen);
    const isMade = await this.#postgres.transaction(async (tx) => {
      const [made] = await tx
        .insert(users)
        .values({ id: newId("usr"), email: account, passwordHash })
        .onConflictDoNothing()
        .returning({ id: users.id });
      if (made) await tx.insert(userRoles).values({ userId: made.id, node: "all", role: "owner" });
      return made !== undefined;
    });
    return isMade && password === undefined ? { generatedPassword: chosen } : {};
  }

  /** `address`: where the attempt comes from. Unknown accounts and wrong passwords take the same time and answer. */
  async signIn(email: string, password: string, address: string): Promise<SignInResult> {
    const account = accountOf(email);
    const pair = createHash("sha256").update(`${address}\n${account}`).digest("base64url");
    const blockedMs = Math.max(await consume(this.#addresses, address), await consume(this.#pairs, pair));
    if (blockedMs > 0) return { outcome: "too_fast", retryAfterSeconds: Math.ceil(blockedMs / 1000) };
    const [user] = await this.#postgres.db.select().from(users).where(eq(users.email, account));
    const isRight = await this.#matches(user?.passwordHash ?? (await this.#decoy), password);
    if (!user || !isRight || user.disabledAt) return { outcome: "refused" };
    await Promise.all([this.#pairs.delete(pair), this.#addresses.reward(address)]);
    return { outcome: "signed_in", userId: user.id };
  }

  async #replacePassword(userId: string, password: string): Promise<void> {
    const passwordHash = await this.#hash(password);
    await this.#postgres.transaction(async (tx) => {
      await tx.update(users).set({ passwordHash }).where(eq(users.id, userId));
      await tx.delete(sessions).where(eq(sessions.userId, userId));
    });
  }

  #hash(password: string): Promise<string> {
    return this.#inTurn(() => hash(password, hashing));
  }

  #matches(passwordHash: string, password: string): Promise<boolean> {
    return this.#inTurn(() => verify(passwordHash, password));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#hashing.then(work);
    this.#hashing = result.catch(() => {});
    return result;
  }
}

function accountOf(email: string): string {
  return email.trim().toLowerCase();
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
