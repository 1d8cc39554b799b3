/**
 * A client that knows what was acknowledged. It sends in any order, in requests of any size, sends again what was not
 * answered (as it was, or mixed with other events), and now and then what was answered long ago.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { UsageEvent, Verdict } from "../../server/contract/events.ts";

const dayMs = 24 * 60 * 60 * 1000;
export const pastFromMs = Date.UTC(2026, 2, 2);
const pastDays = 2;
export const pastToMs = pastFromMs + (pastDays + 1) * dayMs;

/** What one participant did: the truth that the service's answers are held against. */
export interface Stay {
  organization: string;
  startMs: number;
  endMs: number;
  /** Transcribed minutes in billionths, at the start; undefined: nothing was transcribed. */
  transcribedNanos: bigint | undefined;
  /** Messages posted at the start. */
  posts: number;
}

type SentEvent = Partial<UsageEvent> & { id: string; organization: string };

export interface LedgerFigures {
  requests: number;
  /** Requests that held events which had been sent before. */
  resent: number;
  /** Connections that ended without an answer. */
  cut: number;
  /** Answers other than 202, by status. */
  refused: Map<number, number>;
  /** What a verdict said that it must not; each is a defect. */
  wrongVerdicts: string[];
}

const lanes = 3;
/** As fast as a machine of two cores stores it. */
const fullPauseMs = 80;
/**
 * A lane's longest pause between two requests where the machine may be slow or has something else to do: what is sent faster than it is
 * stored waits in the log, and the wait for it says nothing about a recovery.
 */
export const easyPauseMs = 600;
const maxEventsPerRequest = 200;
/** How many events wait to be drawn from, which is how far apart the events of one stay are sent. */
const poolEvents = 600;
const keptRequests = 200;
const answerWithinMs = 20_000;

export class Ledger {
  readonly stays: Stay[] = [];
  /** Keys of every event that was answered 202. */
  readonly acknowledged = new Set<string>();
  readonly figures: LedgerFigures = { requests: 0, resent: 0, cut: 0, refused: new Map(), wrongVerdicts: [] };
  /** The newest watermark of any verdict, ms since 1970. */
  watermarkMs = 0;

  readonly #organizations: readonly string[];
  readonly #maxPauseMs: number;
  readonly #pool: SentEvent[] = [];
  readonly #sentBefore = new Set<string>();
  readonly #answered: SentEvent[][] = [];
  readonly #post: (events: readonly SentEvent[]) => Promise<Response>;
  #mode: "sending" | "paused" | "draining" = "sending";
  #running: Promise<void>[] = [];

  /** Stays are spread over these organizations, and over new ones that nobody has made before their events arrive. */
  constructor(
    service: { url: string; rootKey: string },
    organizations: readonly string[],
    { maxPauseMs = fullPauseMs }: { maxPauseMs?: number | undefined } = {},
  ) {
    this.#organizations = organizations;
    this.#maxPauseMs = maxPauseMs;
    this.#post = (events) =>
      fetch(`${service.url}/v1/events`, {
        method: "POST",
        headers: { authorization: `Bearer ${service.rootKey}`, "content-type": "application/json" },
        body: JSON.stringify(events),
        signal: AbortSignal.timeout(answerWithinMs),
      });
  }

  start(): void {
    this.#mode = "sending";
    this.#running = Array.from({ length: lanes }, () => this.#runLane());
  }

  /** Resolves when no request is under way. */
  async pause(): Promise<void> {
    this.#mode = "paused";
    await Promise.all(this.#running);
  }

  /** Sends what is begun to its end; resolves when all of it is acknowledged. */
  async drain(): Promise<void> {
    await this.pause();
    this.#mode = "draining";
    this.#running = Array.from({ length: lanes }, () => this.#runLane());
    await Promise.all(this.#running);
  }

  async #runLane(): Promise<void> {
    while (this.#mode !== "paused") {
      if (this.#mode === "draining" && this.#pool.length === 0) return;
      if (Math.random() < 0.05) await this.#repeatAnswered();
      await this.#send(this.#draw());
      if (this.#mode === "sending") await delay(Math.random() * this.#maxPauseMs);
    }
  }

  async #repeatAnswered(): Promise<void> {
    const events = this.#answered[Math.floor(Math.random() * this.#answered.length)];
    if (!events) return;
    this.figures.resent++;
    await this.#sendOnce(events);
  }

  /** Until it is acknowledged; after a failure its events may also go back to be drawn with others. */
  async #send(events: readonly SentEvent[]): Promise<void> {
    for (;;) {
      if (events.some(({ id }) => this.#sentBefore.has(id))) this.figures.resent++;
      if (await this.#sendOnce(events)) return;
      if (Math.random() < 0.5 || this.#mode === "paused") {
        this.#pool.push(...events);
        return;
      }
      await delay(50);
    }
  }

  async #sendOnce(events: readonly SentEvent[]): Promise<boolean> {
    const isFirst = !events.some(({ id }) => this.#sentBefore.has(id));
    this.figures.requests++;
    for (const { id } of events) this.#sentBefore.add(id);
    let verdict: Verdict;
    try {
      const response = await this.#post(events);
      if (response.status !== 202) {
        this.figures.refused.set(response.status, (this.figures.refused.get(response.status) ?? 0) + 1);
        await response.arrayBuffer();
        await delay(100);
        return false;
      }
      verdict = (await response.json()) as Verdict;
    } catch {
      this.figures.cut++;
      await delay(50);
      return false;
    }
    const { accepted, duplicates, rejected } = verdict;
    if (rejected.length > 0 || accepted + duplicates !== events.length || (isFirst && duplicates > 0))
      this.figures.wrongVerdicts.push(
        `${events.length} events${isFirst ? ", all new," : ""} were answered ${accepted} accepted, ${duplicates} duplicates, rejected ${JSON.stringify(rejected.slice(0, 2))}`,
      );
    for (const { organization, id } of events) this.acknowledged.add(`${organization}/${id}`);
    this.watermarkMs = Math.max(this.watermarkMs, Date.parse(verdict.watermark));
    this.#answered[
      this.#answered.length < keptRequests ? this.#answered.length : Math.floor(Math.random() * keptRequests)
    ] = [...events];
    return true;
  }

  #draw(): SentEvent[] {
    while (this.#mode === "sending" && this.#pool.length < poolEvents) this.#pool.push(...this.#nextStay());
    const count = Math.min(this.#pool.length, 1 + Math.floor(Math.random() ** 2 * maxEventsPerRequest));
    return Array.from({ length: count }, () => {
      const at = Math.floor(Math.random() * this.#pool.length);
      const last = this.#pool.pop() as SentEvent;
      if (at === this.#pool.length) return last;
      const drawn = this.#pool[at] as SentEvent;
      this.#pool[at] = last;
      return drawn;
    });
  }

  #nextStay(): SentEvent[] {
    const number = this.stays.length;
    const session = Math.floor(number / 40);
    // Every few sessions, an organization that the service has to make.
    const organization =
      session % 10 === 9
        ? `new-${Math.floor(session / 200)}`
        : (this.#organizations[session % this.#organizations.length] as string);
    // Minutes of the past are whole, so that many edges share an instant; those of now meet what is kept in memory.
    const isPast = number % 10 < 7;
    const startMs = isPast
      ? pastFromMs + (Math.floor(number / 4_000) % pastDays) * dayMs + ((number * 7_919) % 1_380) * 60_000
      : Date.now() - 120_000 + Math.floor(Math.random() * 60_000);
    const endMs = startMs + (isPast ? (1 + (number % 57)) * 60_000 : 1 + Math.floor(Math.random() * 60_000));
    const value =
      number % 3 === 0 ? `${number % 100}.${String((number * 1_001) % 1_000_000_000).padStart(9, "0")}` : undefined;
    const isPosting = number % 2 === 0;
    this.stays.push({
      organization,
      startMs,
      endMs,
      transcribedNanos: value === undefined ? undefined : BigInt(value.replace(".", "")),
      posts: isPosting ? 1 : 0,
    });
    // Some sessions name no intervals: they are paired by session and user.
    const common = {
      organization,
      session: `s${session}`,
      user: `u${number}`,
      ...(session % 4 === 3 ? {} : { interval: `i${number}` }),
    };
    const time = new Date(startMs).toISOString();
    const events: SentEvent[] = [
      { ...common, id: `${number}-in`, type: "participant.joined", time },
      { ...common, id: `${number}-out`, type: "participant.left", time: new Date(endMs).toISOString() },
    ];
    if (value !== undefined)
      events.push({ organization, id: `${number}-t`, type: "transcription.completed", time, value });
    if (isPosting) events.push({ organization, id: `${number}-p`, type: "chat.posted", time, user: `u${number}` });
    return events;
  }
}
