/** The ranges without a name that somebody chose last, the latest first. Kept as addresses say them, so relative ones stay relative. */
import { parseRange, type Range, spanOf } from "@contract/ranges.ts";
import { withQuery } from "../with-query.ts";
import { describeSpan, formatRange } from "./range.ts";
import { StoredList } from "./stored-list.svelte.ts";

class RecentRanges extends StoredList {
  get ranges(): Range[] {
    return this.items.map(readRange).filter(({ preset }) => preset === "custom" || preset === "exact");
  }

  /** A range with a name is always at hand, and is not kept. */
  add(range: Range): void {
    if (range.preset !== "custom" && range.preset !== "exact") return;
    const text = withQuery("", formatRange(range));
    this.replace([text, ...this.items.filter((one) => one !== text)]);
  }
}

function readRange(text: string): Range {
  const search = new URLSearchParams(text);
  const [name, from, through, to] = ["range", "from", "through", "to"].map((one) => search.get(one) ?? undefined);
  return parseRange(name, from, through, to);
}

/** `1 – 7 Mar 2026`; a relative one as it was typed: `now-6h to now`. */
export function describeRange(range: Range, tz: string, nowMs: number): string {
  if (range.preset === "exact" && /^now-/.test(range.from)) return `${range.from} to ${range.to}`;
  return describeSpan(spanOf(range, tz, nowMs), tz, nowMs);
}

export const recentRanges = new RecentRanges("tidemark-ranges", 5);
