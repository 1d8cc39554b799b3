/** Sorting of what may be very much, in steps between which everybody else has a turn. */

/** Sorted at once, and merged at once: a few milliseconds. */
const atOnce = 4_096;

/** `items` in order, as a new list where they are many; stable, as `sort` is. */
export function* sortSteps<Item>(items: Item[], compare: (a: Item, b: Item) => number): Generator<undefined, Item[]> {
  if (items.length <= atOnce) return items.sort(compare);
  let runs: Item[][] = [];
  for (let start = 0; start < items.length; start += atOnce) {
    runs.push(items.slice(start, start + atOnce).sort(compare));
    yield;
  }
  while (runs.length > 1) {
    const merged: Item[][] = [];
    for (let index = 0; index < runs.length; index += 2)
      merged.push(yield* mergeSteps(runs[index] ?? [], runs[index + 1] ?? [], compare));
    runs = merged;
  }
  return runs[0] ?? [];
}

function* mergeSteps<Item>(
  a: readonly Item[],
  b: Item[],
  compare: (a: Item, b: Item) => number,
): Generator<undefined, Item[]> {
  const merged: Item[] = [];
  let [fromA, fromB] = [0, 0];
  while (fromA < a.length || fromB < b.length) {
    const isA = fromB === b.length || (fromA < a.length && compare(a[fromA] as Item, b[fromB] as Item) <= 0);
    merged.push((isA ? a[fromA++] : b[fromB++]) as Item);
    if (merged.length % atOnce === 0) yield;
  }
  return merged;
}
