/** What is asked of the figures, in the dashboard's words. */
import type { UsageAnswer, WindowKind } from "@contract/usage.ts";
import { type Filter, filterQuery } from "../state/filters.ts";
import { api } from "./client.ts";

export interface UsageQuestion {
  meters: readonly string[];
  /** The caller's own node when undefined. */
  node?: string | undefined;
  /** An instant, a date in `tz`, or `now`. */
  from: string;
  to: string;
  window: WindowKind;
  tz: string;
  /** All of them have to hold. */
  filters?: readonly Filter[] | undefined;
  groupBy?: string | undefined;
  /** How many groups stand for themselves. */
  limit?: number | undefined;
  compare?: Comparison | undefined;
  /** Windows without usage: `none` leaves them out, `null` has no figure there; zeros otherwise. */
  fill?: "none" | "null" | undefined;
}

/** Which range stands beside the asked one; `byWeekday` moves it by whole weeks, so that a Monday stands beside a Monday. */
export interface Comparison {
  to: "previous" | "year";
  byWeekday: boolean;
}

const queryOf = ({ meters, groupBy, compare, filters = [], ...asked }: UsageQuestion) => ({
  meter: meters.join(","),
  ...asked,
  ...filterQuery(filters),
  group_by: groupBy,
  compare: compare?.to,
  compare_match: compare?.byWeekday ? "weekday" : undefined,
});

/** Asks about one node, so the answer is never one for several. */
export function readUsage(question: UsageQuestion, signal?: AbortSignal): Promise<UsageAnswer> {
  return api.getUsage({ query: queryOf(question), signal });
}

/** The same figures as `readUsage` in another media type, as the server writes them. */
export function readUsageFile(question: UsageQuestion, mediaType: string): Promise<Blob> {
  return api.getUsage.file(mediaType, { query: queryOf(question) });
}

/** The address that answers `question`, as a program would call it. */
export function usageAddress(question: UsageQuestion): string {
  return api.getUsage.address({ query: queryOf(question) });
}
