/**
 * Which windows of a chart are drawn. Where a screen has no pixel for each, a column of them shows its lowest and its highest, in the order
 * in which they came: what all of them together would look like, at the cost of a few thousand. Pure.
 */

/** More than the widest screens have pixels. */
const mostColumns = 2_000;

/** Windows that share a column of two places; 1 where each has a place of its own. */
export const windowsPerColumn = (windows: number): number =>
  windows <= 2 * mostColumns ? 1 : Math.ceil(windows / mostColumns);

/** Where a window is drawn, among the places. */
export function placeOfWindow(window: number, perColumn: number): number {
  if (perColumn === 1) return window;
  return 2 * Math.floor(window / perColumn) + (2 * (window % perColumn) < perColumn ? 0 : 1);
}

/**
 * One a place: the window that is drawn there. `highest`: a column shows its highest alone, for bars, which stand on zero; beside it its
 * lowest where that is below zero.
 * Null, what is not known, is neither low nor high; a column of nothing else shows its first window.
 */
export function drawnWindows(
  values: readonly (number | null)[],
  perColumn: number,
  shows: "extremes" | "highest",
): number[] {
  if (perColumn === 1) return values.map((_, window) => window);
  const drawn: number[] = [];
  for (let first = 0; first < values.length; first += perColumn) {
    const end = Math.min(values.length, first + perColumn);
    let [low, high] = [first, first];
    for (let window = first; window < end; window++) {
      const value = values[window] ?? null;
      if (value === null) continue;
      if (value < (values[low] ?? Number.POSITIVE_INFINITY)) low = window;
      if (value > (values[high] ?? Number.NEGATIVE_INFINITY)) high = window;
    }
    if (shows === "highest" && (values[low] ?? 0) >= 0) drawn.push(high, high);
    else drawn.push(Math.min(low, high), Math.max(low, high));
  }
  return drawn;
}
