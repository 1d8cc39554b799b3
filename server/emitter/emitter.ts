/**
 * Sends usage events to Tidemark from any program on Node 18 or newer. One file without dependencies: copy it.
 *
 *     const emitter = new Emitter({ url: "https://tidemark.example.com", key: "tmk_…" });
 *     emitter.offer({ type: "chat.posted", organization: "acme", user: "u1" });
 *     await emitter.close();
 *
 * An event gets its id and time once, here, and keeps them through every retry: however often it is sent, it counts once.
 * What waits is held in memory, or with `spool` on disk, within bounds; when they are reached new events are refused, never
 * old ones dropped.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
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
  /**
   * Holds events in files of this folder instead of in memory: they outlive this program, however it ends, and a service
   * that is away for longer than memory lasts; the next emitter with this folder sends them. Up to `maxBytes`, default
   * 1 GiB. What the machine itself had not written when it lost power is lost. A folder is for programs of one machine.
   */
  spool?: { directory: string; maxBytes?: number };
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
const defaultSpoolBytes = 1024 * 1024 * 1024;
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
  readonly #options: EmitterOptions & Required<Omit<EmitterOptions, "signal" | "onRejected" | "onRefused" | "spool">>;
  readonly #queue: Queue;
  readonly #mostHeldBytes: number;
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
    const { spool, signal } = options;
    this.#queue = spool ? new SpoolQueue(spool.directory, this.#options) : new MemoryQueue(this.#options);
    this.#mostHeldBytes = spool ? (spool.maxBytes ?? defaultSpoolBytes) : this.#options.maxHeldBytes;
    if (signal?.aborted) this.#stopped.abort(signal.reason);
    signal?.addEventListener("abort", () => this.#stopped.abort(signal.reason), { once: true });
    // What an earlier emitter left in the spool.
    this.#due = this.#queue.count;
    this.#pump();
  }

  /** Events held, those on their way not included. */
  get waiting(): number {
    return this.#queue.count;
  }

  /**
   * Takes an event without waiting; false when it was not taken: as much is held as may be, the spool cannot be written,
   * the emitter was closed, or a request was refused for good and nobody was told.
   */
  offer(event: EmittedEvent): boolean {
    const isOver = this.#stopped.signal.aborted || this.#failure !== undefined;
    if (isOver || this.#queue.heldBytes >= this.#mostHeldBytes) return false;
    try {
      this.#take(event);
    } catch {
      return false;
    }
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
      if (!this.#queue.hasWhole()) continue;
      this.#pump();
      while (this.#mustWait() && this.#onTheWay.size > 0) await Promise.race(this.#onTheWay);
      this.#throwFailure();
    }
    this.#pump();
  }

  /** Sends what waits and resolves when every event taken so far is answered, however long that takes. */
  async flush(): Promise<Totals> {
    this.#due = this.#queue.count;
    this.#pump();
    while (this.#onTheWay.size > 0) await Promise.race(this.#onTheWay);
    this.#throwFailure();
    return this.totals;
  }

  /**
   * Ends signs of life, sends what waits for at most `withinMs` (default 5,000), then gives up what is left, or leaves it in
   * the spool. Answers how many bytes of events were not answered: 0 when all were.
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
    this.#queue.close();
    return { unansweredBytes: this.#queue.heldBytes };
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
    this.#queue.add(JSON.stringify(stamped));
    if (this.#ageTimer) return;
    this.#ageTimer = setTimeout(() => {
      this.#ageTimer = undefined;
      this.#due = this.#queue.count;
      this.#pump();
    }, this.#options.maxAgeMs);
    this.#ageTimer.unref();
  }

  /** In memory no more waits than is on its way; a spool is for more. */
  #mustWait(): boolean {
    return this.#options.spool ? this.#queue.heldBytes >= this.#mostHeldBytes : this.#queue.hasWhole();
  }

  /** Starts the requests that are due, as many as may be on their way. */
  #pump(): void {
    if (this.#failure !== undefined || this.#stopped.signal.aborted) return;
    while (this.#onTheWay.size < this.#options.concurrency && (this.#queue.hasWhole() || this.#due > 0)) {
      const batch = this.#queue.next();
      if (!batch) return;
      this.#due = Math.max(0, this.#due - batch.count);
      const request = this.#sendBatch(batch)
        .catch((error: unknown) => {
          this.#failure ??= error;
        })
        .finally(() => {
          this.#onTheWay.delete(request);
          this.#pump();
        });
      this.#onTheWay.add(request);
    }
  }

  async #sendBatch(batch: Batch): Promise<void> {
    const texts = batch.read();
    if (texts.length > 0) await this.#post(texts);
    batch.answered();
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

/** Events that go as one request. */
interface Batch {
  count: number;
  /** As the JSON that is sent, in the order in which they came. */
  read(): string[];
  /** They need not be held any more. */
  answered(): void;
}

/** What is held until it is answered. */
interface Queue {
  /** Events that wait, those on their way not included. */
  readonly count: number;
  /** Of all that is held, that on its way included. */
  readonly heldBytes: number;
  /** Throws when it cannot be held. */
  add(text: string): void;
  /** As many wait as go in one request. */
  hasWhole(): boolean;
  next(): Batch | undefined;
  close(): void;
}

type RequestBounds = Required<Pick<EmitterOptions, "eventsPerRequest" | "bytesPerRequest">>;

class MemoryQueue implements Queue {
  heldBytes = 0;
  readonly #bounds: RequestBounds;
  #waiting: string[] = [];
  #waitingBytes = 0;

  constructor(bounds: RequestBounds) {
    this.#bounds = bounds;
  }

  get count(): number {
    return this.#waiting.length;
  }

  add(text: string): void {
    this.#waiting.push(text);
    this.#waitingBytes += text.length;
    this.heldBytes += text.length;
  }

  hasWhole(): boolean {
    return this.#waiting.length >= this.#bounds.eventsPerRequest || this.#waitingBytes >= this.#bounds.bytesPerRequest;
  }

  next(): Batch | undefined {
    const { eventsPerRequest, bytesPerRequest } = this.#bounds;
    let bytes = 0;
    let count = 0;
    while (count < this.#waiting.length && count < eventsPerRequest) {
      const size = (this.#waiting[count] as string).length;
      if (count > 0 && bytes + size > bytesPerRequest) break;
      bytes += size;
      count++;
    }
    if (count === 0) return undefined;
    this.#waitingBytes -= bytes;
    const texts = this.#waiting.splice(0, count);
    return {
      count,
      read: () => texts,
      answered: () => {
        this.heldBytes -= bytes;
      },
    };
  }

  close(): void {}
}

interface Segment {
  path: string;
  count: number;
  bytes: number;
}

/** Emitters of this process by the mark in the names of their files. */
const liveSpools = new Set<string>();

/**
 * One file of lines for each request: written event by event, read again when it is its turn, removed when it is answered.
 * Files are named for the process that writes them; those of one that has ended are taken over.
 */
class SpoolQueue implements Queue {
  heldBytes = 0;
  readonly #directory: string;
  readonly #bounds: RequestBounds;
  readonly #mark = randomBytes(8).toString("hex");
  readonly #whole: Segment[] = [];
  #wholeCount = 0;
  #open: (Segment & { file: number }) | undefined;
  #number = 0;

  constructor(directory: string, bounds: RequestBounds) {
    this.#directory = directory;
    this.#bounds = bounds;
    mkdirSync(directory, { recursive: true });
    liveSpools.add(this.#mark);
    const left = readdirSync(directory).flatMap((name) => {
      const [, pid, mark, number] = /^(\d+)\.([0-9a-f]{16})\.(\d{12})\.ndjson$/.exec(name) ?? [];
      const isLeft = mark !== undefined && !liveSpools.has(mark) && !isRunning(Number(pid));
      return isLeft ? [{ name, order: `${statSync(join(directory, name)).mtimeMs} ${number}` }] : [];
    });
    for (const { name } of left.sort((a, b) => (a.order < b.order ? -1 : 1))) {
      const path = this.#nextPath();
      renameSync(join(directory, name), path);
      const bytes = statSync(path).size;
      this.#keep({ path, bytes, count: linesOf(path).length });
      this.heldBytes += bytes;
    }
  }

  get count(): number {
    return this.#wholeCount + (this.#open?.count ?? 0);
  }

  add(text: string): void {
    if (!this.#open) {
      const path = this.#nextPath();
      this.#open = { path, file: openSync(path, "wx", 0o600), count: 0, bytes: 0 };
    }
    const segment = this.#open;
    const line = Buffer.from(`${text}\n`, "utf8");
    try {
      for (let done = 0; done < line.length; )
        done += writeSync(segment.file, line, done, line.length - done, segment.bytes + done);
    } catch (error) {
      // A full disk may have taken a part of the line; the next one is written over it.
      ftruncateSync(segment.file, segment.bytes);
      throw error;
    }
    segment.count++;
    segment.bytes += line.length;
    this.heldBytes += line.length;
    const { eventsPerRequest, bytesPerRequest } = this.#bounds;
    if (segment.count >= eventsPerRequest || segment.bytes >= bytesPerRequest) this.#closeOpen();
  }

  hasWhole(): boolean {
    return this.#whole.length > 0;
  }

  next(): Batch | undefined {
    if (this.#whole.length === 0) this.#closeOpen();
    const segment = this.#whole.shift();
    if (!segment) return undefined;
    const { path, count, bytes } = segment;
    this.#wholeCount -= count;
    return {
      count,
      read: () => linesOf(path),
      answered: () => {
        unlinkSync(path);
        this.heldBytes -= bytes;
      },
    };
  }

  close(): void {
    this.#closeOpen();
    liveSpools.delete(this.#mark);
  }

  #closeOpen(): void {
    const segment = this.#open;
    this.#open = undefined;
    if (!segment) return;
    closeSync(segment.file);
    if (segment.count > 0) this.#keep(segment);
    else unlinkSync(segment.path);
  }

  #keep({ path, count, bytes }: Segment): void {
    this.#whole.push({ path, count, bytes });
    this.#wholeCount += count;
  }

  #nextPath(): string {
    return join(this.#directory, `${process.pid}.${this.#mark}.${String(this.#number++).padStart(12, "0")}.ndjson`);
  }
}

/** Whole lines only: what a machine that lost power had not written to its end was never sent, and cannot be. */
function linesOf(path: string): string[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .slice(0, -1)
    .filter((line) => {
      try {
        return typeof JSON.parse(line) === "object";
      } catch {
        return false;
      }
    });
}

/** Whether another process has this number. One with this process's own has ended: two cannot have it. */
function isRunning(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

interface Verdict {
  accepted: number;
  duplicates: number;
  rejected: EventRejection[];
}
