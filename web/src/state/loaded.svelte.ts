/**
 * What one panel reads, with its state: the last good answer stays while the next is on its way or fails, and a failure
 * that may pass is tried again by itself.
 */
import { ApiError } from "../api/request.ts";
import { uiTexts as t } from "../texts/en/ui.ts";

/** Shorter waits show nothing: a skeleton that flashes is worse than none. */
const skeletonAfterMs = 150;
/** From here on people wonder whether anything still happens. */
const lateAfterMs = 8_000;
const firstRetryMs = 2_000;
const lastRetryMs = 15_000;

/** How many panels have waited for long; reactive. */
export const lateReads = $state({ count: 0 });

export class Loaded<Value> {
  value = $state.raw<Value | null>(null);
  error = $state.raw<ApiError | null>(null);
  /** An answer is awaited. */
  isLoading = $state(false);
  /** Awaited for long enough that the page should say so. */
  isSlow = $state(false);
  /** When the next try comes, ms since 1970; null when none is planned. */
  retryAtMs = $state<number | null>(null);

  #read: ((signal: AbortSignal) => Promise<Value>) | undefined;
  #request: AbortController | undefined;
  #slowTimer: ReturnType<typeof setTimeout> | undefined;
  #lateTimer: ReturnType<typeof setTimeout> | undefined;
  #isLate = false;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;

  /** Reads with `read`, and drops whatever was under way. The value shown stays until the new one is there. */
  load(read: (signal: AbortSignal) => Promise<Value>): void {
    this.#read = read;
    this.#failures = 0;
    this.#start();
  }

  /** Asks the same again. */
  reload(): void {
    this.#start();
  }

  /** Asks again, unless nobody looks, an answer is awaited, or the next try is planned. */
  refresh(): void {
    if (!document.hidden && !this.isLoading && this.retryAtMs === null) this.reload();
  }

  close(): void {
    this.#request?.abort();
    this.#endWait();
    clearTimeout(this.#retryTimer);
  }

  #start(): void {
    if (!this.#read) return;
    this.close();
    const request = new AbortController();
    this.#request = request;
    this.isLoading = true;
    this.isSlow = false;
    this.retryAtMs = null;
    this.#slowTimer = setTimeout(() => {
      this.isSlow = true;
    }, skeletonAfterMs);
    this.#lateTimer = setTimeout(() => {
      this.#isLate = true;
      lateReads.count += 1;
    }, lateAfterMs);
    this.#read(request.signal).then(
      (value) => {
        if (request.signal.aborted) return;
        this.#failures = 0;
        this.value = value;
        this.error = null;
        this.#settle();
      },
      (error: unknown) => {
        if (request.signal.aborted) return;
        this.#fail(error);
        this.#settle();
      },
    );
  }

  #endWait(): void {
    clearTimeout(this.#slowTimer);
    clearTimeout(this.#lateTimer);
    if (this.#isLate) lateReads.count -= 1;
    this.#isLate = false;
  }

  #settle(): void {
    this.#endWait();
    this.isLoading = false;
    this.isSlow = false;
  }

  #fail(error: unknown): void {
    this.error = error instanceof ApiError ? error : new ApiError("unexpected_answer", t.responseCouldNotBeRead);
    if (!this.error.isPassing) return;
    this.#failures += 1;
    const askedMs = (this.error.retryAfterSeconds ?? 0) * 1_000;
    const waitMs = Math.max(askedMs, Math.min(lastRetryMs, firstRetryMs * 1.6 ** (this.#failures - 1)));
    this.retryAtMs = Date.now() + waitMs;
    this.#retryTimer = setTimeout(() => this.#start(), waitMs);
  }
}
