/** The first index of an ordered list from which on `isBehind` holds; its length where it holds for none. */
export function firstAt<Value>(list: readonly Value[], isBehind: (value: Value) => boolean): number {
  let [low, high] = [0, list.length];
  // What comes new is mostly the last.
  if (high > 0 && !isBehind(list[high - 1] as Value)) return high;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBehind(list[middle] as Value)) high = middle;
    else low = middle + 1;
  }
  return low;
}
