/** The outcome of a request to a receiver: its answer, or why there is none. */

import { type OutgoingAnswer, RefusedTargetError } from "./egress.ts";
import { oneLine } from "./inert-text.ts";
import type { Outcome } from "./outbox.ts";

const excerptCharacters = 500;

/** Never rejects. */
export async function posted(post: () => Promise<OutgoingAnswer>): Promise<OutgoingAnswer | Outcome> {
  try {
    const { status, text } = await post();
    return { status, text: oneLine(text, excerptCharacters) };
  } catch (error) {
    return error instanceof RefusedTargetError ? never(error.message) : again(reasonOf(error));
  }
}

export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "the request failed";
  if (error.name === "TimeoutError") return "there was no answer within 10 s";
  return oneLine(error.message || ("code" in error ? String(error.code) : error.name), excerptCharacters);
}

export const never = (excerpt: string): Outcome => ({ result: "never", status: null, excerpt });
/** Somebody chose that it is not sent. */
export const unwanted = (excerpt: string): Outcome => ({ ...never(excerpt), isChosen: true });
export const again = (excerpt: string): Outcome => ({ result: "again", status: null, excerpt });
