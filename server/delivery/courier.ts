/**
 * Sends what is due in the outbox, in every process that runs jobs: woken by the notice of a commit, by its own clock when the
 * next one is due, and by a periodic job in case both were lost. Postgres alone decides what is due.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import type { DeliveryKind } from "../contract/deliveries.ts";
import { isPostgresUnavailable } from "../postgres/client.ts";
import type { Subscriber } from "../postgres/notices.ts";
import { attempt, type SendingDeps } from "./attempt.ts";
import { deliveriesNotice } from "./enqueue.ts";
import { holdDelivery } from "./held-mails.ts";
import {
  type Attempt,
  claimDue,
  type DeliveryRow,
  nextDueMs,
  noteAttempt,
  notePace,
  renewClaims,
  renewEveryMs,
} from "./outbox.ts";
import { again } from "./posted.ts";

export interface CourierDeps extends SendingDeps {
  log: Pick<Logger, "warn" | "error">;
  /** Called for every attempt that is recorded. */
  onAttempt?: (kind: DeliveryKind, result: Attempt["result"]) => void;
}

/** Deliveries that are sent at once, and beyond them one of each tenant that has none. */
const concurrency = 16;
const beyondConcurrency = 16;
const longestRestMs = 60_000;
const afterFailureMs = 1_000;
/** How long deliveries under way may take when the service stops; the next process sends the rest. */
const stopGraceMs = 5_000;

export class Courier {
  readonly #deps: CourierDeps;
  readonly #subscriber: Subscriber;
  readonly #sending = new Map<DeliveryRow, Promise<void>>();
  readonly #renewal: NodeJS.Timeout;
  #isStopped = false;
  #isAwake = false;
  #isAsked = false;
  #rest: NodeJS.Timeout | undefined;

  constructor(deps: CourierDeps) {
    this.#deps = deps;
    const wake = () => this.wake();
    this.#subscriber = { notified: wake, listening: wake };
    deps.postgres.notices.subscribe(deliveriesNotice, this.#subscriber).catch((error: unknown) => {
      deps.log.warn({ err: error }, "messages are sent late until Postgres can be reached");
    });
    this.#renewal = setInterval(() => void this.#renew(), renewEveryMs);
    this.#renewal.unref();
  }

  /** Looks for what is due now; a call while it looks makes it look once more. */
  wake(): void {
    this.#isAsked = true;
    if (this.#isAwake || this.#isStopped) return;
    this.#isAwake = true;
    void this.#work().finally(() => {
      this.#isAwake = false;
      if (this.#isAsked) this.wake();
    });
  }

  /** Takes nothing more, and waits a while for what is being sent. */
  async close(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#rest);
    clearInterval(this.#renewal);
    this.#deps.postgres.notices.unsubscribe(deliveriesNotice, this.#subscriber);
    const outOfTime = new AbortController();
    await Promise.race([
      Promise.allSettled(this.#sending.values()),
      delay(stopGraceMs, undefined, { signal: outOfTime.signal }).catch(() => undefined),
    ]);
    outOfTime.abort();
  }

  async #work(): Promise<void> {
    clearTimeout(this.#rest);
    let restMs = longestRestMs;
    try {
      while (this.#isAsked && !this.#isStopped) {
        this.#isAsked = false;
        const room = Math.max(0, concurrency - this.#sending.size);
        const beyond = Math.min(beyondConcurrency, concurrency + beyondConcurrency - this.#sending.size);
        // Each that ends wakes it again.
        if (room + beyond <= 0) return;
        const claimed = await claimDue(this.#deps.postgres, room, beyond);
        for (const row of claimed) this.#begin(row);
        if (claimed.length > 0) this.#isAsked = true;
      }
      restMs = Math.min(longestRestMs, (await nextDueMs(this.#deps.postgres)) ?? longestRestMs);
    } catch (error) {
      this.#deps.log.warn({ err: error }, "the outbox could not be read; trying again");
      restMs = afterFailureMs;
    }
    if (this.#isStopped) return;
    // What is due now and was not taken belongs to a receiver that is busy, or to another process.
    this.#rest = setTimeout(() => this.wake(), Math.max(restMs, 50) + (restMs <= 0 ? afterFailureMs : 0));
    this.#rest.unref();
  }

  #begin(row: DeliveryRow): void {
    const sending = this.#send(row)
      .catch((error: unknown) => this.#deps.log.warn({ err: error, delivery: row.id }, "an attempt could not be noted"))
      .finally(() => {
        this.#sending.delete(row);
        this.wake();
      });
    this.#sending.set(row, sending);
  }

  async #send(row: DeliveryRow): Promise<void> {
    const at = new Date((this.#deps.now ?? Date.now)());
    const startedAtMs = performance.now();
    const outcome = await attempt(this.#deps, row).catch((error: unknown) => {
      // Nothing was sent: once Postgres is back, it is due as before.
      if (isPostgresUnavailable(error)) return undefined;
      this.#deps.log.error({ err: error, delivery: row.id }, "a delivery could not be made");
      return again("the message could not be sent; the server's log has the reason");
    });
    if (!outcome) return;
    if (outcome.result === "held") {
      await this.#deps.postgres.transaction((tx) => holdDelivery(tx, this.#deps, row, outcome));
      return;
    }
    const made: Attempt = { ...outcome, at, ms: Math.round(performance.now() - startedAtMs) };
    await this.#note(row, made);
    if (row.channel !== null) await notePace(this.#deps.postgres, row.channel, made.ms).catch(() => undefined);
    this.#deps.onAttempt?.(row.kind, made.result);
  }

  /** A delivery that was accepted is recorded however long Postgres is away: only the end of the process forgets it. */
  async #note(row: DeliveryRow, made: Attempt): Promise<void> {
    for (let pauseMs = 100; ; pauseMs = Math.min(5_000, pauseMs * 2)) {
      try {
        await this.#deps.postgres.transaction((tx) => noteAttempt(tx, row, made));
        return;
      } catch (error) {
        if (this.#isStopped) throw error;
        await delay(pauseMs, undefined, { ref: false });
      }
    }
  }

  async #renew(): Promise<void> {
    if (this.#sending.size === 0) return;
    await renewClaims(this.#deps.postgres, [...this.#sending.keys()]).catch(() => undefined);
  }
}
