/**
 * An emitter as an application would have one: it batches, compresses, retries and slows its caller down, and knows
 * nothing of the service but its contract. An event's id and time are set by the caller, once, so that a retry counts once.
 */
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import type { Rejection, UsageEvent, Verdict } from "../contract/events.ts";
import type { Connection } from "./connection.ts";

const compress = promisify(gzip);

/** Answers that a repeat of the same request may change; every other refusal is about the request itself. */
const passingStatuses: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);
const firstBackoffMs = 100;
const longestBackoffMs = 10_000;
const requestTimeoutMs = 60_000;
const keptRejections = 20;

export interface EmitterOptions extends Connection {
  /** Default 1,000. */
  eventsPerRequest?: number;
  /** Requests on their way at once; more than that makes `send` wait. Default 4. */
  concurrency?: number;
  /** `stored` waits until the events can be queried; default `durable`: until they are on the service's disk. */
  ack?: "durable" | "stored";
  /** Ends retries: what is on its way then rejects with the signal's reason. */
  signal?: AbortSignal;
  random?: () => number;
}

/** What the service answered so far. A retry whose first answer was lost counts as duplicates. */
export interface Totals {
  requests: number;
  retries: number;
  accepted: number;
  duplicates: number;
  rejected: number;
  /** The first rejections, to show. */
  rejections: Rejection[];
}

/** The service refused a request for good: a key without the right, a body that it cannot read. */
export class RequestRefusedError extends Error {
  override name = "RequestRefusedError";
  readonly status: number;
  constructor(status: number, answer: string) {
    super(`the service refused a request of events with ${status}: ${answer.slice(0, 1_000)}`);
    this.status = status;
  }
}

/**
 * How long to wait before another attempt, in ms: full jitter below a bound that doubles, so that emitters who failed
 * together do not come back together; never before the service's own `Retry-After` (seconds, or an HTTP date).
 */
export function backoffMs(attempt: number, retryAfter: string | null, nowMs: number, random: () => number): number {
  const jitter = random() * Math.min(longestBackoffMs, firstBackoffMs * 2 ** attempt);
  if (retryAfter === null) return jitter;
  const seconds = Number(retryAfter);
  const asked = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(retryAfter) - nowMs;
  return Math.max(0, Number.isNaN(asked) ? 0 : asked) + jitter;
}

export class Emitter {
  readonly totals: Totals = { requests: 0, retries: 0, accepted: 0, duplicates: 0, rejected: 0, rejections: [] };
  private readonly options: Required<Omit<EmitterOptions, "signal">> & { signal: AbortSignal | undefined };
  private buffered: UsageEvent[] = [];
  private readonly onTheWay = new Set<Promise<void>>();
  private failure: unknown;

  constructor(options: EmitterOptions) {
    this.options = {
      eventsPerRequest: 1_000,
      concurrency: 4,
      ack: "durable",
      random: Math.random,
      ...options,
      signal: options.signal,
    };
  }

  /**
   * Takes events; resolves when there is room for more, not when these are answered. Events of one call are not split
   * unless they exceed a request. Rejects after a request was refused for good.
   */
  async send(events: readonly UsageEvent[]): Promise<void> {
    for (const event of events) {
      this.buffered.push(event);
      if (this.buffered.length >= this.options.eventsPerRequest) await this.dispatch();
    }
  }

  /** Sends what is held back and waits until every event taken so far is answered. */
  async flush(): Promise<Totals> {
    await this.dispatch();
    await Promise.all(this.onTheWay);
    if (this.failure !== undefined) throw this.failure;
    return this.totals;
  }

  private async dispatch(): Promise<void> {
    while (this.onTheWay.size >= this.options.concurrency) await Promise.race(this.onTheWay);
    if (this.failure !== undefined) throw this.failure;
    if (this.buffered.length === 0) return;
    const events = this.buffered;
    this.buffered = [];
    const request = this.post(events)
      .catch((error: unknown) => {
        this.failure ??= error;
      })
      .finally(() => this.onTheWay.delete(request));
    this.onTheWay.add(request);
  }

  /** One request, repeated with the same bytes until it is answered. */
  private async post(events: readonly UsageEvent[]): Promise<void> {
    const lines = events.map((event) => JSON.stringify(event)).join("\n");
    const body = await compress(lines, { level: constants.Z_BEST_SPEED });
    for (let attempt = 0; ; attempt++) {
      this.options.signal?.throwIfAborted();
      const answer = await this.attempt(body);
      if ("verdict" in answer) return this.count(answer.verdict);
      this.totals.retries++;
      const wait = backoffMs(attempt, answer.retryAfter, Date.now(), this.options.random);
      await delay(wait, undefined, { signal: this.options.signal });
    }
  }

  private async attempt(body: Buffer): Promise<{ verdict: Verdict } | { retryAfter: string | null }> {
    const { url, key, ack, signal } = this.options;
    let response: Response;
    let text: string;
    try {
      const timeout = AbortSignal.timeout(requestTimeoutMs);
      response = await fetch(`${url}/v1/events?ack=${ack}`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${key}`,
          "content-type": "application/x-ndjson",
          "content-encoding": "gzip",
        },
        body: new Uint8Array(body),
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
      text = await response.text();
    } catch (error) {
      if (signal?.aborted) throw error;
      return { retryAfter: null };
    }
    if (response.ok) return { verdict: JSON.parse(text) as Verdict };
    if (!passingStatuses.has(response.status)) throw new RequestRefusedError(response.status, text);
    return { retryAfter: response.headers.get("retry-after") };
  }

  private count(verdict: Verdict): void {
    const { totals } = this;
    totals.requests++;
    totals.accepted += verdict.accepted;
    totals.duplicates += verdict.duplicates;
    totals.rejected += verdict.rejected.length;
    totals.rejections.push(...verdict.rejected.slice(0, keptRejections - totals.rejections.length));
  }
}
