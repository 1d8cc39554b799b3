/**
 * How often somebody may try to sign in. Failures are counted by account and by client address, so that guessing is slow
 * from wherever it comes; but from where a person signed in before, a browser or a network, their attempts are counted apart:
 * what others try from elsewhere keeps nobody out, nor does what others try from the same network where the browser is known.
 */
import { createHash } from "node:crypto";
import { and, eq, gt, inArray, lt } from "drizzle-orm";
import type { Redis } from "ioredis";
import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import { networkOf } from "../address-ranges.ts";
import type { Postgres } from "../postgres/client.ts";
import { signInPlaces, users } from "../postgres/schema/accounts.ts";

/** From where somebody asks. */
export interface Place {
  address: string;
  /** What the browser was given when it signed in; undefined for one that never did. */
  device?: string | undefined;
}

/** An attempt that may be made. */
export interface Attempt {
  /** Whether the account was signed in to from here before. */
  isUsual: boolean;
  /** The password is right, and a code is asked for. */
  knowsPassword(): Promise<void>;
  /** 0 when a code may be tried, else the ms until one may. Wrong ones count for the whole account. */
  beforeCode(): Promise<number>;
  succeeded(): Promise<void>;
}

const windowSeconds = 15 * 60;
/** In the window, of one account from one place. */
const maxFailuresOfPlace = 10;
/** Of one account from all places where it was never signed in to. */
const maxFailuresOfAccount = 50;
/** Of one network on any account: many people may share one address. */
const maxFailuresOfNetwork = 100;
/** Codes of one account, from all places where it was never signed in to. */
const maxCodesOfAccount = 10;
/** Mails to one account that one place may ask for, all places together, and one network for any account. */
const maxResetsOfPlace = 3;
const maxResetsOfAccount = 10;
const maxResetsOfNetwork = 50;
/** A place that was not used for so long is none any more. */
const placeLifetimeMs = 180 * 24 * 60 * 60 * 1000;

export class SignInLimits {
  readonly #postgres: Postgres;
  readonly #now: () => number;
  readonly #limit: Record<
    "place" | "account" | "network" | "codes" | "own" | "resetPlace" | "resetAccount" | "resetNetwork",
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
      place: limiter("sign-in-place", maxFailuresOfPlace),
      account: limiter("sign-in-account", maxFailuresOfAccount),
      network: limiter("sign-in-network", maxFailuresOfNetwork),
      codes: limiter("sign-in-codes", maxCodesOfAccount),
      own: limiter("own-account", maxFailuresOfPlace),
      resetPlace: limiter("reset-place", maxResetsOfPlace),
      resetAccount: limiter("reset-account", maxResetsOfAccount),
      resetNetwork: limiter("reset-network", maxResetsOfNetwork),
    };
  }

  /** The attempt, or the ms until one may be made. `account`: an address in lower case, whether there is such an account or not. */
  async begin(account: string, place: Place): Promise<Attempt | number> {
    const limit = this.#limit;
    const usual = await this.#usualPlace(account, place);
    const network = networkOf(place.address);
    const here = keyOf(usual ?? networkPlace(place), account);
    const counted: [RateLimiterAbstract, string][] = usual
      ? [[limit.place, here]]
      : [
          [limit.place, here],
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
      knowsPassword: async () => {
        await notGuessed();
      },
      beforeCode: async () => {
        if (usual) return 0;
        codesTried++;
        return await consume(limit.codes, account);
      },
      succeeded: async () => {
        await Promise.all([
          limit.place.delete(here),
          notGuessed(),
          ...(codesTried > 0 ? [limit.codes.reward(account)] : []),
        ]);
      },
    };
  }

  /** Of who is signed in, or has a link, and gives a password or a code: 0, or the ms until it may be tried. `id`: the user's or the link's. */
  beforeOwn(id: string): Promise<number> {
    return consume(this.#limit.own, id);
  }

  async ownSucceeded(id: string): Promise<void> {
    await this.#limit.own.delete(id);
  }

  /** Whether a mail to set a new password may be asked for. */
  async mayReset(account: string, place: Place): Promise<boolean> {
    const limit = this.#limit;
    const usual = await this.#usualPlace(account, place);
    if ((await consume(limit.resetPlace, keyOf(usual ?? networkPlace(place), account))) > 0) return false;
    if (usual) return true;
    return (
      (await consume(limit.resetNetwork, networkOf(place.address))) === 0 &&
      (await consume(limit.resetAccount, account)) === 0
    );
  }

  /** The user has signed in from here. */
  async remember(userId: string, place: Place): Promise<void> {
    const lastUsedAt = new Date(this.#now());
    const { db } = this.#postgres;
    await db.delete(signInPlaces).where(lt(signInPlaces.lastUsedAt, new Date(this.#now() - placeLifetimeMs)));
    const rows = placesOf(place).map((hash) => ({ userId, place: hash, lastUsedAt }));
    await db
      .insert(signInPlaces)
      .values(rows)
      .onConflictDoUpdate({ target: [signInPlaces.userId, signInPlaces.place], set: { lastUsedAt } });
  }

  /** The browser before the network. One query whether there is such an account or not. */
  async #usualPlace(account: string, place: Place): Promise<string | undefined> {
    const asked = placesOf(place);
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

/** What is stored of a place, the browser first: sha256, as browsers are secrets. */
function placesOf(place: Place): string[] {
  const { device } = place;
  return [...(device === undefined ? [] : [sha256(`device\n${device}`)]), networkPlace(place)];
}

const networkPlace = ({ address }: Place) => sha256(`network\n${networkOf(address)}`);
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
