/**
 * Turns at something that only a limited number may use at once, shared fairly: between tenants first, then between the callers
 * of one. Whoever has fewer turns now goes first, however many others of theirs are waiting; of one caller's, the one that came
 * first.
 */

export interface Caller {
  /** Whose callers share: the first node below the root that the caller stands below. */
  tenant: string;
  /** A key or a user. */
  id: string;
}

export interface TurnLimits {
  /** At once, in all. A tenant that has no turn gets one at once beyond this too, up to `maxWithFirst`. */
  most: number;
  maxWithFirst: number;
  maxOfTenant: number;
  maxOfCaller: number;
  /** How many of one caller, and of one tenant, may wait. */
  maxWaitingOfCaller: number;
  maxWaitingOfTenant: number;
  /** How long one waits, in ms. */
  patienceMs: number;
}

/** `crowded`: more of the same caller or tenant wait than may; `late`: no turn came in time. */
export class NoTurnError extends Error {
  override name = "NoTurnError";
  readonly reason: "crowded" | "late";
  readonly retryAfterSeconds: number;
  constructor(reason: "crowded" | "late", retryAfterSeconds: number) {
    super(`there is no turn: ${reason}`);
    this.reason = reason;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

interface Waiting {
  caller: Caller;
  begin: () => void;
}

export class FairTurns {
  readonly #limits: TurnLimits;
  readonly #tenants = new Map<string, number>();
  readonly #callers = new Map<string, number>();
  #running = 0;
  #waiting: Waiting[] = [];

  constructor(limits: TurnLimits) {
    this.#limits = limits;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Resolves when it is the caller's turn, with the function that ends it; calling that again changes nothing. Throws NoTurnError, and
   * the reason of `signal` when that is aborted before.
   */
  async take(caller: Caller, signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (!this.#mayRun(caller)) await this.#wait(caller, signal);
    else this.#count(caller, 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#count(caller, -1);
      this.#letIn();
    };
  }

  #mayRun(caller: Caller): boolean {
    const { most, maxWithFirst, maxOfTenant, maxOfCaller } = this.#limits;
    const ofTenant = this.#tenants.get(caller.tenant) ?? 0;
    if (ofTenant >= maxOfTenant || (this.#callers.get(caller.id) ?? 0) >= maxOfCaller) return false;
    return this.#running < (ofTenant === 0 ? maxWithFirst : most);
  }

  #count({ tenant, id }: Caller, change: 1 | -1): void {
    this.#running += change;
    add(this.#tenants, tenant, change);
    add(this.#callers, id, change);
  }

  #wait(caller: Caller, signal: AbortSignal | undefined): Promise<void> {
    const { maxWaitingOfCaller, maxWaitingOfTenant, patienceMs } = this.#limits;
    const ofTenant = this.#waiting.filter((one) => one.caller.tenant === caller.tenant);
    const ofCaller = ofTenant.filter((one) => one.caller.id === caller.id);
    if (ofTenant.length >= maxWaitingOfTenant || ofCaller.length >= maxWaitingOfCaller)
      throw new NoTurnError("crowded", 2);
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", giveUp);
        this.#waiting = this.#waiting.filter((one) => one !== entry);
      };
      const giveUp = () => {
        end();
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        end();
        reject(new NoTurnError("late", 5));
      }, patienceMs);
      const entry: Waiting = {
        caller,
        begin: () => {
          end();
          this.#count(caller, 1);
          resolve();
        },
      };
      signal?.addEventListener("abort", giveUp, { once: true });
      this.#waiting.push(entry);
    });
  }

  #letIn(): void {
    for (;;) {
      let next: Waiting | undefined;
      for (const one of this.#waiting)
        if (this.#mayRun(one.caller) && (!next || this.#isBefore(one.caller, next.caller))) next = one;
      if (!next) return;
      next.begin();
    }
  }

  #isBefore(a: Caller, b: Caller): boolean {
    const ofTenants = (this.#tenants.get(a.tenant) ?? 0) - (this.#tenants.get(b.tenant) ?? 0);
    if (ofTenants !== 0) return ofTenants < 0;
    return (this.#callers.get(a.id) ?? 0) < (this.#callers.get(b.id) ?? 0);
  }
}

function add(counts: Map<string, number>, key: string, change: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
