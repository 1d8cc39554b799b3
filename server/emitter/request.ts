/** One attempt to hand events over, and how long to wait before the next one. */
import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import { RequestRefusedError, type Verdict } from "./event.ts";

const compress = promisify(gzip);

/** Answers that a repeat of the same request may change; every other refusal is about the request itself. */
const isPassing = (status: number) => status === 408 || status === 425 || status === 429 || status >= 500;
const firstBackoffMs = 100;
const longestBackoffMs = 10_000;

export type Answer =
  | { kind: "taken"; verdict: Verdict }
  | { kind: "refused"; refusal: RequestRefusedError }
  /** Whether the service took them may be unknown: the same events with the same ids are sent again. */
  | { kind: "again"; retryAfter: string | null; why: string };

export function compressLines(texts: readonly string[]): Promise<Buffer> {
  return compress(texts.join("\n"), { level: constants.Z_BEST_SPEED });
}

/** @throws the reason of `stopped` when that is aborted. */
export async function postEvents(
  { url, key, ack, requestTimeoutMs }: { url: string; key: string; ack: string; requestTimeoutMs: number },
  body: Buffer,
  stopped: AbortSignal,
): Promise<Answer> {
  const request = new AbortController();
  const cancel = () => request.abort(stopped.reason);
  stopped.addEventListener("abort", cancel, { once: true });
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
    if (response.ok) return { kind: "taken", verdict: JSON.parse(text) as Verdict };
    if (!isPassing(response.status))
      return { kind: "refused", refusal: new RequestRefusedError(response.status, text) };
    const why = `the service answers ${response.status}`;
    return { kind: "again", retryAfter: response.headers.get("retry-after"), why };
  } catch (error) {
    stopped.throwIfAborted();
    const { message, cause } = error as Error & { cause?: { code?: string; message?: string } };
    return {
      kind: "again",
      retryAfter: null,
      why: `${url} cannot be reached: ${cause?.code ?? cause?.message ?? message}`,
    };
  } finally {
    clearTimeout(timer);
    stopped.removeEventListener("abort", cancel);
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
