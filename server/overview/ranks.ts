/** Ranks beside those of an earlier span, and averages over organizations. Figures are decimal strings or numbers. */
import type { Figure } from "../contract/usage.ts";
import { compareDecimals, quotient, sumDecimals } from "../numbers/figures.ts";

export type Totals = ReadonlyMap<string, string | number>;

export interface RankedTotal {
  key: string;
  total: string | number;
  /** The share of the sum of all, rounded to 6 decimals; null where that is 0. */
  share: number | null;
  rank: number;
  previous_total: Figure;
  previous_rank: number | null;
}

/** The `limit` largest; of two equal ones the smaller key comes first. A key missing in `before` had no rank there. */
export function ranked(totals: Totals, before: Totals, limit: number): RankedTotal[] {
  const sum = sumDecimals([...totals.values()].map(String));
  const earlier = new Map(inOrder(before).map((key, index) => [key, index + 1]));
  return inOrder(totals)
    .slice(0, limit)
    .map((key, index) => {
      const total = totals.get(key) as string | number;
      const share = quotient(String(total), sum, 6);
      return {
        key,
        total,
        share: share === undefined ? null : Number(share),
        rank: index + 1,
        previous_total: before.get(key) ?? (typeof total === "number" ? 0 : "0"),
        previous_rank: earlier.get(key) ?? null,
      };
    });
}

function inOrder(totals: Totals): string[] {
  const entries = [...totals].map(([key, figure]) => ({ key, text: String(figure), float: Number(figure) }));
  entries.sort(
    (a, b) =>
      b.float - a.float || (a.text === b.text ? 0 : compareDecimals(b.text, a.text)) || (a.key < b.key ? -1 : 1),
  );
  return entries.map(({ key }) => key);
}

/** The average over `organizations` organizations; those without a figure had 0. Null for no organization. */
export function averages(
  figures: readonly (string | number)[],
  organizations: number,
): { organizations: number; mean: string | null; median: string | null } {
  const missing = Math.max(0, organizations - figures.length);
  const sorted = figures.map(String).sort((a, b) => Number(a) - Number(b) || compareDecimals(a, b));
  const at = (place: number) => (place < missing ? "0" : (sorted[place - missing] ?? "0"));
  const middle = sumDecimals([at(Math.floor((organizations - 1) / 2)), at(Math.floor(organizations / 2))]);
  return {
    organizations,
    mean: quotient(sumDecimals(sorted), String(organizations), 6) ?? null,
    median: organizations === 0 ? null : (quotient(middle, "2", 6) ?? null),
  };
}
