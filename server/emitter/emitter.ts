/**
 * Sends usage events to Tidemark from any program on Node 18 or newer.
 *
 *     const emitter = new Emitter({ url: "https://tidemark.example.com", key: "tmk_…" });
 *     emitter.closeOnExit();
 *     emitter.offer({ type: "chat.posted", organization: "acme", user: "u1" });
 *
 * An event gets its id and time once, here, and keeps them through every retry: however often it is sent, it counts once.
 * What waits is held in memory, or with `spool` on disk, within bounds; when they are reached new events are refused, never
 * old ones dropped. An event is let go of for two reasons only: the service took it, or it rejected it by name. Whatever else
 * happens is said on stderr, once for each reason.
 */
import { setTimeout as delay } from "node:timers/promises";
import { type EmittedEvent, type EventRejection, type RequestRefusedError, uuidV7, type Verdict } from "./event.ts";
import type { Closed, CloseOptions, EmitterOptions, Presence, PresenceOptions, Totals } from "./options.ts";
import { type Batch, MemoryQueue, type Queue } from "./queue.ts";
import { backoffMs, compressLines, postEvents } from "./request.ts";
import { SpoolQueue } from "./spool.ts";

export { type EmittedEvent, type EventRejection, RequestRefusedError } from "./event.ts";
export type { Closed, CloseOptions, EmitterOptions, Presence, PresenceOptions, Totals } from "./options.ts";

const keptRejections = 20;
const defaultSpoolBytes = 1024 * 1024 * 1024;
const takeOverEveryMs = 10_000;
/** A request that was refused is sent again after such a pause: somebody has to mend the key, or the service. */
const longestRefusedPauseMs = 60_000;
const firstRefusedPauseMs = 1_000;
/** How many attempts may fail before a message says so: one that fails now and then is not worth reading about. */
const silentFailures = 3;
/** Signs of life that may be missing before an interval ends. */
const missedSigns = 3;
const participantWords = { start: "participant.joined", alive: "participant.alive", end: "participant.left" };
/** Reasons that are said once; beyond it nothing new is said, so that no log fills up. */
const maxReasons = 100;

function signal(): { given: Promise<void>; give(): void } {
  let give = () => {};
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { given, give };
}

export class Emitter {
  readonly totals: Totals = { requests: 0, retries: 0, accepted: 0, duplicates: 0, rejected: 0, rejections: [] };
  readonly #options: EmitterOptions &
    Required<Omit<EmitterOptions, "signal" | "onRejected" | "onRefused" | "spool" | "report">>;
  readonly #queue: Queue;
  readonly #maxHeldBytes: number;
  /** This many waiting events are sent without waiting for more. */
  #due = 0;
  #ageTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #takeOverTimer: ReturnType<typeof setInterval> | undefined;
  #takingOver: Promise<void>;
  readonly #onTheWay = new Set<Promise<void>>();
  readonly #presences = new Set<{ alive(): void; left(): void; timer: ReturnType<typeof setInterval> }>();
  readonly #stopped = new AbortController();
  /** Why what is on its way is not taken now; undefined after any answer that takes. */
  #refusal: RequestRefusedError | undefined;
  /** Resolves with the next refusal. */
  #nextRefusal = signal();
  #failure: unknown;
  readonly #said = new Set<string>();
  #closing: Promise<Closed> | undefined;

  /** @throws when the spool's folder cannot be used. */
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
    this.#maxHeldBytes = spool ? (spool.maxBytes ?? defaultSpoolBytes) : this.#options.maxHeldBytes;
    if (signal?.aborted) this.#stopped.abort(signal.reason);
    signal?.addEventListener("abort", () => this.#stopped.abort(signal.reason), { once: true });
    this.#takingOver = this.#takeOver();
    if (!spool) return;
    this.#takeOverTimer = setInterval(() => {
      this.#takingOver = this.#takeOver();
    }, takeOverEveryMs);
    this.#takeOverTimer.unref();
  }

  /** Events held that are not on their way. */
  get waiting(): number {
    return this.#queue.count;
  }

  /**
   * Takes an event without waiting; false when it was not taken: as much is held as may be, the spool cannot be written, or
   * the emitter was closed.
   */
  offer(event: EmittedEvent): boolean {
    if (this.#stopped.signal.aborted || this.#failure !== undefined)
      return this.#notTaken("the emitter is closed: events offered now are not accepted");
    if (this.#queue.heldBytes >= this.#maxHeldBytes)
      return this.#notTaken(`the buffer is full with ${this.#queue.heldCount} events: new ones are not accepted`);
    try {
      this.#take(event);
    } catch (error) {
      return this.#notTaken(`events cannot be buffered and are not accepted: ${(error as Error).message}`);
    }
    this.#pump();
    return true;
  }

  /**
   * Takes events; resolves when there is room for more, not when these are answered.
   *
   * @throws RequestRefusedError while the service refuses requests, unless there is `onRefused`; the events are still held.
   */
  async send(events: readonly EmittedEvent[]): Promise<void> {
    for (const event of events) {
      this.#take(event);
      if (!this.#queue.hasWhole()) continue;
      this.#pump();
      while (this.#mustWait() && this.#onTheWay.size > 0) await this.#oneAnswer();
      this.#throwFailure();
    }
    this.#pump();
  }

  /**
   * Sends what waits and resolves when every event taken so far is answered, however long that takes.
   *
   * @throws RequestRefusedError when the service refuses requests, unless there is `onRefused`; what is held is sent again.
   */
  async flush(): Promise<Totals> {
    const keepsRunning = setInterval(() => undefined, 60_000);
    try {
      await this.#takingOver;
      this.#due = this.#queue.count;
      this.#pump();
      while (this.#onTheWay.size > 0) {
        this.#throwFailure();
        await this.#oneAnswer();
      }
      this.#throwFailure();
      return this.totals;
    } finally {
      clearInterval(keepsRunning);
    }
  }

  /** Sends what waits for as long as it may, then leaves what is left in the spool, or gives it up, and says so. */
  close(options: CloseOptions = {}): Promise<Closed> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  /**
   * Closes when the program is told to end (SIGTERM, SIGINT) or has nothing more to do, then lets it end. Its exit code is 1
   * when the service did not take everything: an event was rejected without `onRejected`, or not answered for.
   */
  closeOnExit(options: CloseOptions = {}): void {
    const closeNow = async () => {
      const { unsent, rejected } = await this.close(options);
      if (unsent > 0 || (rejected > 0 && !this.#options.onRejected)) process.exitCode ||= 1;
    };
    for (const name of ["SIGTERM", "SIGINT"] as const)
      process.once(name, () => void closeNow().finally(() => process.kill(process.pid, name)));
    process.once("beforeExit", () => void closeNow());
    // process.exit() leaves no time to send anything.
    process.once("exit", () => {
      if (!this.#closing && this.#queue.heldCount > 0) this.#sayUnsent();
    });
  }

  /**
   * Someone joined: sends the start, then signs of life until `left()`. When this program dies without a word, the service
   * ends the interval at its last sign of life.
   */
  joined(
    who: Omit<EmittedEvent, "id" | "type" | "interval" | "started_at" | "value" | "seconds">,
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
    const presence = {
      interval,
      alive,
      timer,
      left: () => {
        if (!this.#presences.delete(presence)) return;
        clearInterval(timer);
        this.offer({ ...event, type: words.end });
      },
    };
    this.#presences.add(presence);
    return { interval, alive, left: presence.left };
  }

  async #close({ withinMs = 5_000, presences = "alive" }: CloseOptions): Promise<Closed> {
    for (const presence of [...this.#presences]) {
      clearInterval(presence.timer);
      presence[presences]();
    }
    this.#presences.clear();
    clearInterval(this.#takeOverTimer);
    const patience = new AbortController();
    const flushed = this.flush().catch(() => undefined);
    await Promise.race([flushed, delay(withinMs, undefined, { signal: patience.signal }).catch(() => undefined)]);
    patience.abort();
    this.#stopped.abort(new Error("the emitter was closed"));
    clearTimeout(this.#ageTimer);
    await flushed;
    await Promise.allSettled(this.#onTheWay);
    this.#queue.close();
    if (this.#queue.heldCount > 0) this.#sayUnsent();
    return { unsent: this.#queue.heldCount, rejected: this.totals.rejected };
  }

  async #takeOver(): Promise<void> {
    try {
      const taken = await this.#queue.takeOver();
      if (taken === 0 || this.#stopped.signal.aborted) return;
      this.#due = this.#queue.count;
      this.#pump();
    } catch (error) {
      this.#say(`events that other programs left in the spool cannot be read: ${(error as Error).message}`);
    }
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
    return this.#options.spool ? this.#queue.heldBytes >= this.#maxHeldBytes : this.#queue.hasWhole();
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
    const setAside: string[] = [];
    if (texts.length > 0) await this.#post(texts, setAside);
    batch.answered(setAside);
  }

  /** One request, repeated with the same bytes until it is answered; one that is too large is sent in halves. */
  async #post(texts: readonly string[], setAside: string[]): Promise<void> {
    const { signal } = this.#stopped;
    const body = await compressLines(texts);
    let refusals = 0;
    for (let attempt = 0; ; attempt++) {
      signal.throwIfAborted();
      const answer = await postEvents(this.#options, body, signal);
      if (answer.kind === "taken") return this.#count(answer.verdict, texts);
      if (answer.kind === "refused") {
        if (answer.refusal.status === 413) {
          if (texts.length === 1) return this.#setAside(texts[0] as string, setAside);
          const middle = Math.ceil(texts.length / 2);
          await this.#post(texts.slice(0, middle), setAside);
          return this.#post(texts.slice(middle), setAside);
        }
        this.#refused(answer.refusal);
        const pauseMs = Math.min(longestRefusedPauseMs, firstRefusedPauseMs * 2 ** refusals++);
        await delay(pauseMs * (0.5 + this.#options.random() / 2), undefined, { signal, ref: false });
        continue;
      }
      this.totals.retries++;
      if (attempt + 1 === silentFailures)
        this.#say(`events are not accepted now (${answer.why}); they are kept and will be sent again`, answer.why);
      const pauseMs = backoffMs(attempt, answer.retryAfter, Date.now(), this.#options.random);
      await delay(pauseMs, undefined, { signal, ref: false });
    }
  }

  #count({ accepted, duplicates, rejected, warnings = [] }: Verdict, batch: readonly string[]): void {
    const { totals } = this;
    this.#refusal = undefined;
    totals.requests++;
    totals.accepted += accepted;
    totals.duplicates += duplicates;
    for (const rejection of rejected) this.#reject(rejection, batch[rejection.index]);
    for (const { code, field, message, id } of warnings)
      this.#say(
        `the service warns of event ${id}: ${field ? `${field} ` : ""}${message} (${code})`,
        `${code} ${field}`,
      );
  }

  #reject(rejection: EventRejection, text: string | undefined): void {
    const { totals } = this;
    totals.rejected++;
    if (totals.rejections.length < keptRejections) totals.rejections.push(rejection);
    if (this.#options.onRejected) {
      if (text !== undefined) this.#options.onRejected(rejection, JSON.parse(text) as EmittedEvent);
      return;
    }
    const { id, code, field, message } = rejection;
    this.#say(`event ${id} was rejected: ${field ? `${field} ` : ""}${message} (${code})`, `${code} ${field}`);
  }

  /** One event larger than any request may be: no attempt will ever change that. */
  #setAside(text: string, setAside: string[]): void {
    const { id = null } = JSON.parse(text) as EmittedEvent;
    setAside.push(text);
    this.#reject({ index: 0, id, code: "too_large", field: null, message: "is too large for a request" }, text);
  }

  #refused(refusal: RequestRefusedError): void {
    this.#refusal = refusal;
    const { onRefused } = this.#options;
    if (onRefused) onRefused(refusal);
    else this.#say(`${refusal.message}; its events are kept and will be sent again`, refusal.message);
    this.#nextRefusal.give();
    this.#nextRefusal = signal();
  }

  /** Resolves when a request was answered, also with a refusal. */
  async #oneAnswer(): Promise<void> {
    await Promise.race([...this.#onTheWay, this.#nextRefusal.given]);
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#refusal !== undefined && !this.#options.onRefused) throw this.#refusal;
  }

  #notTaken(why: string): false {
    this.#say(why);
    return false;
  }

  #sayUnsent(): void {
    const { heldCount, keptIn } = this.#queue;
    const isOne = heldCount === 1;
    const lost = isOne ? "is lost" : "are lost";
    const kept = `${isOne ? "waits" : "wait"} in ${keptIn} for the next emitter with this folder`;
    this.#say(`${heldCount} ${isOne ? "event was" : "events were"} not sent, and ${keptIn ? kept : lost}`);
  }

  #say(line: string, reason = line): void {
    if (this.#said.has(reason) || this.#said.size >= maxReasons) return;
    this.#said.add(reason);
    const { report = (text) => process.stderr.write(`${text}\n`) } = this.#options;
    report(`tidemark: ${line}`);
  }
}
