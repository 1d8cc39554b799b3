/**
 * Sends usage events to Tidemark from a browser: what a page sees of itself, with a key that may only send events, and only
 * of its own organization. Events get their id and time once; what a page could not send before it went away is kept in the
 * browser's storage and sent by the next page of the same site, and counts once however often it is sent.
 *
 *     const beacon = new Beacon({ url: "https://tidemark.example.com", key: "tmk_…" });
 *     beacon.offer({ type: "chat.posted", organization: "acme", user: "u1" });
 */
import type { EmittedEvent, Verdict } from "./event.ts";

export type { EmittedEvent } from "./event.ts";

export interface BeaconOptions {
  /** The service's, without a slash at its end. */
  url: string;
  /** An API key that may ingest; everybody who opens the page can read it. */
  key: string;
  /** Between two requests while something waits; default 2,000. */
  everyMs?: number;
  /** Events that may wait before new ones are refused; default 1,000. */
  maxWaiting?: number;
  /** Takes messages for people; default: the console. */
  report?: (line: string) => void;
  /** Where what waits outlives the page; default: the browser's `localStorage`. */
  storage?: Pick<Storage, "getItem" | "setItem" | "removeItem"> | undefined;
}

const storedAs = "tidemark-beacon";
/** What browsers let a page send while it goes away is 64 KiB in all. */
const maxEventsPerRequest = 100;
const longestPauseMs = 60_000;

export class Beacon {
  readonly #options: BeaconOptions & Required<Pick<BeaconOptions, "everyMs" | "maxWaiting" | "report">>;
  readonly #storage: BeaconOptions["storage"];
  #waiting: EmittedEvent[];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isSending = false;
  #failures = 0;
  readonly #said = new Set<string>();

  constructor(options: BeaconOptions) {
    this.#options = { everyMs: 2_000, maxWaiting: 1_000, report: (line) => console.warn(line), ...options };
    this.#storage = "storage" in options ? options.storage : globalThis.localStorage;
    this.#waiting = this.#stored();
    globalThis.document?.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") void this.flush();
    });
    if (this.#waiting.length > 0) this.#sendLater(0);
  }

  /** Takes an event without waiting; false when as much waits as may. */
  offer(event: EmittedEvent): boolean {
    if (this.#waiting.length >= this.#options.maxWaiting) {
      this.#say(`the buffer is full with ${this.#waiting.length} events: new ones are not accepted`);
      return false;
    }
    this.#waiting.push({ ...event, id: event.id ?? crypto.randomUUID(), time: event.time ?? new Date().toISOString() });
    this.#store();
    this.#sendLater(this.#options.everyMs);
    return true;
  }

  /** Sends what waits now, also while the page goes away; resolves with how many events still wait. */
  async flush(): Promise<number> {
    if (this.#isSending || this.#waiting.length === 0) return this.#waiting.length;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isSending = true;
    const batch = this.#waiting.slice(0, maxEventsPerRequest);
    try {
      const verdict = await this.#post(batch);
      const sent = new Set(batch);
      this.#waiting = this.#waiting.filter((event) => !sent.has(event));
      this.#store();
      this.#failures = 0;
      for (const { id, code, message } of verdict.rejected)
        this.#say(`event ${id} was rejected: ${message} (${code})`, code);
    } catch (error) {
      this.#failures++;
      this.#say(`events are kept and will be sent again: ${(error as Error).message}`);
    } finally {
      this.#isSending = false;
    }
    if (this.#waiting.length > 0)
      this.#sendLater(
        Math.min(longestPauseMs, this.#options.everyMs * 2 ** this.#failures) * (0.5 + Math.random() / 2),
      );
    return this.#waiting.length;
  }

  async #post(batch: readonly EmittedEvent[]): Promise<Verdict> {
    const response = await fetch(`${this.#options.url}/v1/events`, {
      method: "POST",
      headers: { authorization: `Bearer ${this.#options.key}`, "content-type": "application/json" },
      body: JSON.stringify(batch),
      credentials: "omit",
      keepalive: true,
    });
    if (!response.ok) throw new Error(`the service answers ${response.status}`);
    return (await response.json()) as Verdict;
  }

  #sendLater(afterMs: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.flush();
    }, afterMs);
  }

  #stored(): EmittedEvent[] {
    try {
      const stored = JSON.parse(this.#storage?.getItem(storedAs) ?? "[]");
      return Array.isArray(stored) ? stored : [];
    } catch {
      return [];
    }
  }

  #store(): void {
    try {
      if (this.#waiting.length === 0) this.#storage?.removeItem(storedAs);
      else this.#storage?.setItem(storedAs, JSON.stringify(this.#waiting));
    } catch {
      // Storage is full or forbidden: what waits lives as long as the page.
    }
  }

  #say(line: string, reason = line): void {
    if (this.#said.has(reason)) return;
    this.#said.add(reason);
    this.#options.report(`tidemark: ${line}`);
  }
}
