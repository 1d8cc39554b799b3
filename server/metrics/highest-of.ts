/** The first that none exceeds; `compare` is positive where its first argument is the larger. Undefined of none. */
export function highestOf<Item extends object>(
  items: readonly Item[],
  compare: (a: Item, b: Item) => number,
): Item | undefined {
  return items.reduce<Item | undefined>((best, one) => (best && compare(one, best) <= 0 ? best : one), undefined);
}
