/** Lists in which everybody comes soon. */

/** In turns of their groups: the first of each group, then the second of each; within a group the order stays. */
export function inTurns<Item>(items: readonly Item[], groupOf: (item: Item) => string): Item[] {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const group = groupOf(item);
    const own = groups.get(group);
    if (own) own.push(item);
    else groups.set(group, [item]);
  }
  const turns: Item[][] = [];
  for (const own of groups.values())
    for (const [turn, item] of own.entries()) {
      turns[turn] ??= [];
      turns[turn].push(item);
    }
  return turns.flat();
}
