/** The groups of several meters side by side, one row a group. */
import type { Figure, UsageAnswer } from "@contract/usage.ts";

export interface BreakdownRow {
  key: string;
  isOther: boolean;
  /** One for each meter of the answer. */
  figures: Figure[];
  /** Share of the first meter with any usage, 0 to 1; all rows take the same meter. Null where a row has none of it. */
  share: number | null;
  /** The start of the last window in which any meter counted something; null where none did. */
  lastActive: string | null;
}

/** The place of the meter whose shares are shown; -1 where none has any usage. */
export function sharedPlace(meters: UsageAnswer["meters"]): number {
  return meters.findIndex(({ total }) => Number(total ?? 0) > 0);
}

/** In the order of the first meter; groups that only later ones know follow, what was folded together comes last. */
export function breakdownRows({ meters }: Pick<UsageAnswer, "meters">): BreakdownRow[] {
  const rows = new Map<string, BreakdownRow>();
  const shared = sharedPlace(meters);
  for (const [place, { groups = [] }] of meters.entries())
    for (const { key, is_other: isOther = false, total, share, series } of groups) {
      const id = isOther ? " other" : `=${key}`;
      const row: BreakdownRow = rows.get(id) ?? {
        key,
        isOther,
        figures: meters.map(() => null),
        share: null,
        lastActive: null,
      };
      row.figures[place] = total;
      if (place === shared) row.share = share;
      const last = series.findLast(({ value }) => Number(value) > 0)?.start ?? null;
      if (last !== null && (row.lastActive === null || Date.parse(last) > Date.parse(row.lastActive)))
        row.lastActive = last;
      rows.set(id, row);
    }
  return [...rows.values()]
    .filter(({ figures }) => figures.some((figure) => Number(figure) !== 0))
    .sort((a, b) => Number(a.isOther) - Number(b.isOther));
}
