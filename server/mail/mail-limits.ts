/**
 * How many mails callers may cause that their receivers did not ask for: to one address, so that nobody's inbox is filled from
 * here, and in all, so that nobody writes to the world by this service. The caller learns nothing of it: the count of an address
 * is made of what others asked for, too.
 */
import type { Redis } from "ioredis";
import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";

/** Who causes a mail. */
export interface MailCauser {
  /** A user or a key. */
  id: string;
  /** Whose users and keys share: the first node below the root. */
  tenant: string;
}

const windowSeconds = 60 * 60;
/** In an hour. */
const most = { callerToAddress: 5, tenantToAddress: 10, address: 20, caller: 100, tenant: 500, tests: 20 } as const;
type Bound = keyof typeof most;

export class MailLimits {
  readonly #limit: Record<Bound, RateLimiterAbstract>;

  /** With `redis` all processes count together; while it is away each process counts its own. */
  constructor(redis?: Redis) {
    const limiter = (name: Bound): RateLimiterAbstract => {
      const limits = { keyPrefix: `tidemark-mail-${name}`, points: most[name], duration: windowSeconds };
      const inMemory = new RateLimiterMemory(limits);
      return redis ? new RateLimiterRedis({ ...limits, storeClient: redis, insuranceLimiter: inMemory }) : inMemory;
    };
    this.#limit = {
      callerToAddress: limiter("callerToAddress"),
      tenantToAddress: limiter("tenantToAddress"),
      address: limiter("address"),
      caller: limiter("caller"),
      tenant: limiter("tenant"),
      tests: limiter("tests"),
    };
  }

  /** Counts an invitation or a link, and says whether it may go. `address`: in lower case. */
  async mayInvite({ id, tenant }: MailCauser, address: string): Promise<boolean> {
    // What is refused for the caller's own doings counts for nobody else.
    return (
      (await this.#counts("callerToAddress", `${id}\n${address}`)) &&
      (await this.#counts("caller", id)) &&
      (await this.#counts("tenantToAddress", `${tenant}\n${address}`)) &&
      (await this.#counts("tenant", tenant)) &&
      (await this.#counts("address", address))
    );
  }

  /** Counts an address or a number that a caller puts on a list of messages, or sends one again, and says whether it may. `address`: in lower case. */
  async mayList({ id, tenant }: MailCauser, address: string): Promise<boolean> {
    return (
      (await this.#counts("caller", id)) &&
      (await this.#counts("tenantToAddress", `${tenant}\n${address}`)) &&
      (await this.#counts("tenant", tenant)) &&
      (await this.#counts("address", address))
    );
  }

  /** Counts a test of a channel that has the address, whosever the channel is. */
  mayTest(address: string): Promise<boolean> {
    return this.#counts("tests", address.toLowerCase());
  }

  async #counts(bound: Bound, key: string): Promise<boolean> {
    try {
      await this.#limit[bound].consume(key);
      return true;
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) return false;
      throw refusal;
    }
  }
}
