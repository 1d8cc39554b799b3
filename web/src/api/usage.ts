/** The figures of one node, as a question asks for them. */
import type { UsageAnswer } from "@contract/usage.ts";
import { type UsageQuestion, usageQueryOf } from "@contract/usage-question.ts";
import { api } from "./client.ts";

/** Asks about one node, so the answer is never one for several. */
export function readUsage(question: UsageQuestion, signal?: AbortSignal): Promise<UsageAnswer> {
  return api.getUsage({ query: usageQueryOf(question), signal });
}

/** The same figures as `readUsage` in another media type, as the server writes them. */
export function readUsageFile(question: UsageQuestion, mediaType: string): Promise<Blob> {
  return api.getUsage.file(mediaType, { query: usageQueryOf(question) });
}

/** The address that answers `question`, as a program would call it. */
export function usageAddress(question: UsageQuestion): string {
  return api.getUsage.address({ query: usageQueryOf(question) });
}
