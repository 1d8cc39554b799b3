/**
 * How often somebody may try to sign in. Failures are counted by account and by client address, so that guessing is slow
 * from wherever it comes; but from where a person signed in before, a browser or a network, their attempts are counted apart:
 * what others try from elsewhere keeps nobody out, nor does what others try from the same network where the browser is known.
 */

import { createHash } from "node:crypto";
import { and, desc, eq, gt, inArray, lt } from "drizzle-orm";
import type { Redis } from "ioredis";
import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import { networkOf } from "../address-ranges.ts";
import { dayMs } from "../contract/durations.ts";
import type { Postgres } from "../postgres/client.ts";
import { signInPlaces, users } from "../postgres/schema/accounts.ts";

/** Where an attempt comes from. */
export interface SignInOrigin {
  address: string;
  /** What the browser was given when it signed in; undefined for one that never did. */
  device?: string | undefined;
}

/** An attempt that may be made. */
export interface Attempt {
  /** Whether the account was signed in to from here before. */
  isUsual: boolean;
  /** The password is right, and a code is asked for. */
  passwordAccepted(): Promise<void>;
  /** 0 when a code may be tried, else the ms until one may. Wrong ones count for the whole account. */
  beforeCode(): Promise<number>;
  succeeded(): Promise<void>;
}

const windowSeconds = 15 * 60;
/** In the window, for one account from one origin. */
const maxFailuresOfOrigin = 10;
/** For one account, from all origins where it was never signed in to. */
const maxFailuresOfAccount = 50;
/** From one network, on any account: many people may share one address. */
const maxFailuresOfNetwork = 100;
/** Codes of one account, from all origins where it was never signed in to. */
const maxCodesOfAccount = 10;
/** Right passwords of one account, from wherever: each costs a hash, and no person signs in so often. */
const maxSuccessesOfAccount = 100;
/** Reset mails to one account, asked for from one origin. */
const maxResetsOfOrigin = 3;
/** Reset mails to one account, asked for from all origins. */
const maxResetsOfAccount = 10;
/** Reset mails to any account, asked for from one network. */
const maxResetsOfNetwork = 50;
/** An origin, stored as a `place`, that was not used for this long is forgotten. */
const placeLifetimeMs = 180 * dayMs;
/** Each place has tries of its own. Of more than so many of one account the one that was not used for the longest time is forgotten. */
const maxPlacesOfAccount = 100;

export class SignInLimits {
  readonly #postgres: Postgres;
  readonly #now: () => number;
  readonly #limit: Record<
    "origin" | "account" | "network" | "codes" | "successes" | "own" | "resetOrigin" | "resetAccount" | "resetNetwork",
    RateLimiterAbstract
  >;

  /** With `redis` the attempts at all processes count together; while it is away each process counts its own. */
  constructor(postgres: Postgres, redis: Redis | undefined, now: () => number) {
    this.#postgres = postgres;
    this.#now = now;
    const limiter = (name: string, points: number) => {
      const limits = { keyPrefix: `tidemark-${name}`, points, duration: windowSeconds };
      const inMemory = new RateLimiterMemory(limits);
      return redis ? new RateLimiterRedis({ ...limits, storeClient: redis, insuranceLimiter: inMemory }) : inMemory;
    };
    this.#limit = {
      origin: limiter("sign-in-place", maxFailuresOfOrigin),
      account: limiter("sign-in-account", maxFailuresOfAccount),
      network: limiter("sign-in-network", maxFailuresOfNetwork),
      codes: limiter("sign-in-codes", maxCodesOfAccount),
      successes: limiter("sign-in-successes", maxSuccessesOfAccount),
      own: limiter("own-account", maxFailuresOfOrigin),
      resetOrigin: limiter("reset-place", maxResetsOfOrigin),
      resetAccount: limiter("reset-account", maxResetsOfAccount),
      resetNetwork: limiter("reset-network", maxResetsOfNetwork),
    };
  }

  /** The attempt, or the ms until one may be made. `account`: an address in lower case, whether there is such an account or not. */
  async begin(account: string, origin: SignInOrigin): Promise<Attempt | number> {
    const limit = this.#limit;
    const restMs = await waitOf(limit.successes, account);
    if (restMs > 0) return restMs;
    const usual = await this.#usualOrigin(account, origin);
    const network = networkOf(origin.address);
    const here = keyOf(usual ?? networkPlace(origin), account);
    const counted: [RateLimiterAbstract, string][] = usual
      ? [[limit.origin, here]]
      : [
          [limit.origin, here],
          [limit.network, network],
          [limit.account, account],
        ];
    for (const [limiter, key] of counted) {
      const waitMs = await consume(limiter, key);
      if (waitMs > 0) return waitMs;
    }
    const notGuessed = () => Promise.all(counted.slice(1).map(([limiter, key]) => limiter.reward(key)));
    let codesTried = 0;
    return {
      isUsual: usual !== undefined,
      passwordAccepted: async () => {
        await Promise.all([consume(limit.successes, account), notGuessed()]);
      },
      beforeCode: async () => {
        if (usual) return 0;
        codesTried++;
        return await consume(limit.codes, account);
      },
      succeeded: async () => {
        await Promise.all([
          limit.origin.delete(here),
          consume(limit.successes, account),
          notGuessed(),
          ...(codesTried > 0 ? [limit.codes.reward(account)] : []),
        ]);
      },
    };
  }

  /** 0, or the ms until somebody signed in, or with a link, may try a password or a code. `id`: the user's or the link's. */
  async throttleSelfCheck(id: string): Promise<number> {
    return (await waitOf(this.#limit.successes, id)) || (await consume(this.#limit.own, id));
  }

  async selfCheckSucceeded(id: string): Promise<void> {
    await Promise.all([this.#limit.own.delete(id), consume(this.#limit.successes, id)]);
  }

  /** Whether a mail to set a new password may be asked for. */
  async mayReset(account: string, origin: SignInOrigin): Promise<boolean> {
    const limit = this.#limit;
    const usual = await this.#usualOrigin(account, origin);
    if ((await consume(limit.resetOrigin, keyOf(usual ?? networkPlace(origin), account))) > 0) return false;
    if (usual) return true;
    return (
      (await consume(limit.resetNetwork, networkOf(origin.address))) === 0 &&
      (await consume(limit.resetAccount, account)) === 0
    );
  }

  /** The user has signed in from here. */
  async remember(userId: string, origin: SignInOrigin): Promise<void> {
    const lastUsedAt = new Date(this.#now());
    const { db } = this.#postgres;
    await db.delete(signInPlaces).where(lt(signInPlaces.lastUsedAt, new Date(this.#now() - placeLifetimeMs)));
    const rows = placesOf(origin).map((hash) => ({ userId, place: hash, lastUsedAt }));
    await db
      .insert(signInPlaces)
      .values(rows)
      .onConflictDoUpdate({ target: [signInPlaces.userId, signInPlaces.place], set: { lastUsedAt } });
    const surplus = db
      .select({ place: signInPlaces.place })
      .from(signInPlaces)
      .where(eq(signInPlaces.userId, userId))
      .orderBy(desc(signInPlaces.lastUsedAt), signInPlaces.place)
      .offset(maxPlacesOfAccount);
    await db.delete(signInPlaces).where(and(eq(signInPlaces.userId, userId), inArray(signInPlaces.place, surplus)));
  }

  /** The browser before the network. Always one query, whether there is such an account or not. */
  async #usualOrigin(account: string, origin: SignInOrigin): Promise<string | undefined> {
    const asked = placesOf(origin);
    const rows = await this.#postgres.db
      .select({ place: signInPlaces.place })
      .from(signInPlaces)
      .innerJoin(users, eq(users.id, signInPlaces.userId))
      .where(
        and(
          eq(users.email, account),
          inArray(signInPlaces.place, asked),
          gt(signInPlaces.lastUsedAt, new Date(this.#now() - placeLifetimeMs)),
        ),
      );
    return asked.find((one) => rows.some((row) => row.place === one));
  }
}

/** The places that stand for an origin, the browser first: sha256, as browsers are secrets. */
function placesOf(origin: SignInOrigin): string[] {
  const { device } = origin;
  return [...(device === undefined ? [] : [sha256(`device\n${device}`)]), networkPlace(origin)];
}

const networkPlace = ({ address }: SignInOrigin) => sha256(`network\n${networkOf(address)}`);
const keyOf = (place: string, account: string) => sha256(`${place}\n${account}`);

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
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

/** 0, or the ms until the limiter has room; counts nothing. */
async function waitOf(limiter: RateLimiterAbstract, key: string): Promise<number> {
  const known = await limiter.get(key);
  return known && known.remainingPoints <= 0 ? Math.max(known.msBeforeNext, 1) : 0;
}
