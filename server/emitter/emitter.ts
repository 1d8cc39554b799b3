/**
 * Sends usage events to Tidemark from any program on Node 18 or newer. One file without dependencies: copy it.
 *
 *     const emitter = new Emitter({ url: "https://tidemark.example.com", key: "tmk_…" });
 *     emitter.offer({ type: "chat.posted", organization: "acme", user: "u1" });
 *     await emitter.close();
 *
 * An event gets its id and time once, here, and keeps them through every retry: however often it is sent, it counts once.
 * What waits is held in memory within bounds; when they are reached new events are refused, never old ones dropped.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";

const compress = promisify(gzip);

/** An event as the service takes it; `id` and `time` are set when they are missing. */
export interface EmittedEvent {
  id?: string | undefined;
  type: string;
  organization: string;
  /** RFC 3339. */
  time?: string | undefined;
  agent?: string | undefined;
  user?: string | undefined;
  session?: string | undefined;
  room?: string | undefined;
  interval?: string | undefined;
  job?: string | undefined;
  started_at?: string | undefined;
  value?: string | number | undefined;
  properties?: Record<string, string | number | boolean> | undefined;
}

export interface EventRejection {
  index: number;
  id: string | null;
  code: string;
  field: string | null;
  message: string;
}

export interface EmitterOptions {
  /** Of the service, without a slash at its end. */
  url: string;
  /** An API key that may ingest. */
  key: string;
  /** A request is sent when so many events wait; default 1,000, at most 10,000. */
  eventsPerRequest?: number;
  /** Or so many bytes of them; default 4 MiB. */
  bytesPerRequest?: number;
  /** Or when the oldest has waited so long; default 1,000. */
  maxAgeMs?: number;
  /** Requests on their way at once. Default 4. */
  concurrency?: number;
  /** Bytes of events held, those on their way included, before new ones are refused; default 64 MiB. */
  maxHeldBytes?: number;
  /** `stored` waits until the events can be queried; default `durable`: until they are on the service's disk. */
  ack?: "durable" | "stored";
  /** How long one attempt may take; default 60,000. */
  requestTimeoutMs?: number;
  /** Told of each event that the service did not take, and why: sending it again unchanged would change nothing. */
  onRejected?: (rejection: EventRejection, event: EmittedEvent) => void;
  /** Told of a request that was refused for good, with its events. Without it `send` and `flush` reject from then on. */
  onRefused?: (error: RequestRefusedError, events: EmittedEvent[]) => void;
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
  rejections: EventRejection[];
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

/** Someone or something that is there, and says so until it leaves. */
export interface Presence {
  /** The interval's id, by which the service knows its events. */
  readonly interval: string;
  /** Says now that it is still there; a timer does so by itself. */
  alive(): void;
  /** It left; calls after the first do nothing. */
  left(): void;
}

export interface PresenceOptions {
  /** What is present: `participant`, `recording`, … with the words of its events; default: a participant joins and leaves. */
  words?: { start: string; alive: string; end: string };
  /** Between two signs of life; default 30,000. The service ends the interval at the last one after three are missing. */
  aliveEveryMs?: number;
}

/** Answers that a repeat of the same request may change; every other refusal is about the request itself. */
const isPassing = (status: number) => status === 408 || status === 425 || status === 429 || status >= 500;
const firstBackoffMs = 100;
const longestBackoffMs = 10_000;
const keptRejections = 20;
/** Signs of life that may be missing before an interval ends. */
const missedSigns = 3;
const participantWords = { start: "participant.joined", alive: "participant.alive", end: "participant.left" };

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

/** A version 7 UUID (RFC 9562): its first 48 bits are the time, the others but six are random. */
export function uuidV7(nowMs = Date.now()): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(nowMs, 0, 6);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

export class Emitter {
  readonly totals: Totals = { requests: 0, retries: 0, accepted: 0, duplicates: 0, rejected: 0, rejections: [] };
  readonly #options: EmitterOptions & Required<Omit<EmitterOptions, "signal" | "onRejected" | "onRefused">>;
  /** Events as the JSON that is sent, in the order in which they came. */
  #waiting: string[] = [];
  #waitingBytes = 0;
  #heldBytes = 0;
  /** So many of the waiting ones go without waiting for more. */
  #due = 0;
  #ageTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #onTheWay = new Set<Promise<void>>();
  readonly #presences = new Set<ReturnType<typeof setInterval>>();
  readonly #stopped = new AbortController();
  #failure: unknown;

  constructor(options: EmitterOptions) {
    this.#options = {
      eventsPerRequest: 1_000,
      bytesPerRequest: 4 * 1024 * 1024,
      maxAgeMs: 1_000,
      concurrency: 4,
      maxHeldBytes: 64 * 1024 * 1024,
      ack: "durable",
      requestTimeoutMs: 60_000,
      random: Math.random,
      ...options,
    };
    const { signal } = options;
    if (signal?.aborted) this.#stopped.abort(signal.reason);
    signal?.addEventListener("abort", () => this.#stopped.abort(signal.reason), { once: true });
  }

  /** Events held, those on their way not included. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Takes an event without waiting; false when it was not taken: as much is held as may be, the emitter was closed, or a
   * request was refused for good and nobody was told.
   */
  offer(event: EmittedEvent): boolean {
    const isOver = this.#stopped.signal.aborted || this.#failure !== undefined;
    if (isOver || this.#heldBytes >= this.#options.maxHeldBytes) return false;
    this.#take(event);
    this.#pump();
    return true;
  }

  /**
   * Takes events; resolves when there is room for more, not when these are answered. Rejects after a request was refused
   * for good, unless `onRefused` is told of those.
   */
  async send(events: readonly EmittedEvent[]): Promise<void> {
    for (const event of events) {
      this.#take(event);
      if (!this.#isFull()) continue;
      this.#pump();
      while (this.#isFull() && this.#onTheWay.size > 0) await Promise.race(this.#onTheWay);
      this.#throwFailure();
    }
    this.#pump();
  }

  /** Sends what waits and resolves when every event taken so far is answered, however long that takes. */
  async flush(): Promise<Totals> {
    this.#due = this.#waiting.length;
    this.#pump();
    while (this.#onTheWay.size > 0) await Promise.race(this.#onTheWay);
    this.#throwFailure();
    return this.totals;
  }

  /**
   * Ends signs of life, sends what waits for at most `withinMs` (default 5,000), then gives up what is left. Answers how
   * many bytes of events were not answered: 0 when all were.
   */
  async close({ withinMs = 5_000 }: { withinMs?: number } = {}): Promise<{ unansweredBytes: number }> {
    for (const timer of this.#presences) clearInterval(timer);
    this.#presences.clear();
    const patience = new AbortController();
    const flushed = this.flush().catch(() => undefined);
    await Promise.race([flushed, delay(withinMs, undefined, { signal: patience.signal }).catch(() => undefined)]);
    patience.abort();
    this.#stopped.abort(new Error("the emitter was closed"));
    clearTimeout(this.#ageTimer);
    await flushed;
    return { unansweredBytes: this.#heldBytes };
  }

  /** Closes when the program is told to end (SIGTERM, SIGINT) or has nothing more to do, then lets it end. */
  closeOnExit(withinMs = 5_000): void {
    for (const name of ["SIGTERM", "SIGINT"] as const)
      process.once(name, () => void this.close({ withinMs }).finally(() => process.kill(process.pid, name)));
    process.once("beforeExit", () => void this.close({ withinMs }));
  }

  /**
   * Someone joined: sends the start, then signs of life until `left()`. When this program dies without a word, the service
   * ends the interval at its last sign of life.
   */
  joined(
    who: Omit<EmittedEvent, "id" | "type" | "interval" | "started_at" | "value">,
    { words = participantWords, aliveEveryMs = 30_000 }: PresenceOptions = {},
  ): Presence {
    const interval = uuidV7();
    const { time, properties, ...place } = who;
    const startedAt = time ?? new Date().toISOString();
    const within = { alive_within: Math.ceil((missedSigns * aliveEveryMs) / 1000) };
    // Each event carries the start, so that none of them depends on another one.
    const event = { ...place, interval, started_at: startedAt };
    this.offer({ ...event, type: words.start, time: startedAt, properties: { ...properties, ...within } });
    const alive = () => void this.offer({ ...event, type: words.alive, properties: within });
    const timer = setInterval(alive, aliveEveryMs);
    timer.unref();
    this.#presences.add(timer);
    let isGone = false;
    return {
      interval,
      alive,
      left: () => {
        if (isGone) return;
        isGone = true;
        clearInterval(timer);
        this.#presences.delete(timer);
        this.offer({ ...event, type: words.end });
      },
    };
  }

  #take(event: EmittedEvent): void {
    const stamped = { ...event };
    stamped.id ??= uuidV7();
    stamped.time ??= new Date().toISOString();
    const text = JSON.stringify(stamped);
    this.#waiting.push(text);
    this.#waitingBytes += text.length;
    this.#heldBytes += text.length;
    if (this.#ageTimer) return;
    this.#ageTimer = setTimeout(() => {
      this.#ageTimer = undefined;
      this.#due = this.#waiting.length;
      this.#pump();
    }, this.#options.maxAgeMs);
    this.#ageTimer.unref();
  }

  /** A whole request waits. */
  #isFull(): boolean {
    const { eventsPerRequest, bytesPerRequest } = this.#options;
    return this.#waiting.length >= eventsPerRequest || this.#waitingBytes >= bytesPerRequest;
  }

  /** Starts the requests that are due, as many as may be on their way. */
  #pump(): void {
    while (this.#onTheWay.size < this.#options.concurrency && (this.#isFull() || this.#due > 0)) {
      const batch = this.#nextBatch();
      if (batch.length === 0) return;
      const request = this.#post(batch)
        .then(
          () => {
            this.#heldBytes -= sizeOf(batch);
          },
          (error: unknown) => {
            this.#failure ??= error;
          },
        )
        .finally(() => {
          this.#onTheWay.delete(request);
          if (this.#failure === undefined) this.#pump();
        });
      this.#onTheWay.add(request);
    }
  }

  #nextBatch(): string[] {
    const { eventsPerRequest, bytesPerRequest } = this.#options;
    let bytes = 0;
    let count = 0;
    while (count < this.#waiting.length && count < eventsPerRequest) {
      const size = (this.#waiting[count] as string).length;
      if (count > 0 && bytes + size > bytesPerRequest) break;
      bytes += size;
      count++;
    }
    this.#waitingBytes -= bytes;
    this.#due = Math.max(0, this.#due - count);
    return this.#waiting.splice(0, count);
  }

  /** One request, repeated with the same bytes until it is answered; one that is too large is sent in halves. */
  async #post(batch: readonly string[]): Promise<void> {
    const { signal } = this.#stopped;
    const body = await compress(batch.join("\n"), { level: constants.Z_BEST_SPEED });
    for (let attempt = 0; ; attempt++) {
      signal.throwIfAborted();
      const answer = await this.#attempt(body);
      if ("verdict" in answer) return this.#count(answer.verdict, batch);
      if ("refusal" in answer) {
        if (answer.refusal.status !== 413 || batch.length < 2) return this.#refused(answer.refusal, batch);
        const middle = Math.ceil(batch.length / 2);
        await this.#post(batch.slice(0, middle));
        return this.#post(batch.slice(middle));
      }
      this.totals.retries++;
      await delay(backoffMs(attempt, answer.retryAfter, Date.now(), this.#options.random), undefined, { signal });
    }
  }

  async #attempt(
    body: Buffer,
  ): Promise<{ verdict: Verdict } | { refusal: RequestRefusedError } | { retryAfter: string | null }> {
    const { url, key, ack, requestTimeoutMs } = this.#options;
    const { signal } = this.#stopped;
    const request = new AbortController();
    const cancel = () => request.abort(signal.reason);
    signal.addEventListener("abort", cancel, { once: true });
    const timer = setTimeout(() => request.abort(new Error("no answer in time")), requestTimeoutMs);
    try {
      const response = await fetch(`${url}/v1/events?ack=${ack}`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${key}`,
          "content-type": "application/x-ndjson",
          "content-encoding": "gzip",
        },
        body: new Uint8Array(body),
        signal: request.signal,
      });
      const text = await response.text();
      if (response.ok) return { verdict: JSON.parse(text) as Verdict };
      if (isPassing(response.status)) return { retryAfter: response.headers.get("retry-after") };
      return { refusal: new RequestRefusedError(response.status, text) };
    } catch {
      // Whether the service took them is unknown: the same events with the same ids are sent again.
      signal.throwIfAborted();
      return { retryAfter: null };
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", cancel);
    }
  }

  #count({ accepted, duplicates, rejected }: Verdict, batch: readonly string[]): void {
    const { totals } = this;
    totals.requests++;
    totals.accepted += accepted;
    totals.duplicates += duplicates;
    totals.rejected += rejected.length;
    totals.rejections.push(...rejected.slice(0, keptRejections - totals.rejections.length));
    const { onRejected } = this.#options;
    if (!onRejected) return;
    for (const rejection of rejected) {
      const text = batch[rejection.index];
      if (text !== undefined) onRejected(rejection, JSON.parse(text) as EmittedEvent);
    }
  }

  #refused(refusal: RequestRefusedError, batch: readonly string[]): void {
    const { onRefused } = this.#options;
    if (!onRefused) throw refusal;
    onRefused(
      refusal,
      batch.map((text) => JSON.parse(text) as EmittedEvent),
    );
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}

interface Verdict {
  accepted: number;
  duplicates: number;
  rejected: EventRejection[];
}

function sizeOf(batch: readonly string[]): number {
  return batch.reduce((sum, text) => sum + text.length, 0);
}
