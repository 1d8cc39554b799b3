/** Numbers that look random and are the same for the same seed, so that a run can be repeated and a repeat is a duplicate. */

export type Random = () => number;

/** Mulberry32 over a hash (FNV-1a) of the seed's parts; numbers in [0, 1). */
export function seededRandom(...seed: readonly (string | number)[]): Random {
  let state = 0x811c9dc5;
  for (const char of seed.join("\u0000")) state = Math.imul(state ^ (char.codePointAt(0) as number), 0x01000193);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A new array with the same elements, every order as likely as another (Fisher and Yates). */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const result = [...items];
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [result[last], result[other]] = [result[other] as T, result[last] as T];
  }
  return result;
}

export function pick<T>(items: readonly T[], random: Random): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error("there is nothing to pick from");
  return item;
}

/** How often something happens that happens `mean` times on average, each time on its own. */
export function poisson(mean: number, random: Random): number {
  // Above this the product below would run out of precision; the normal distribution is close enough there.
  if (mean > 60) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)));
  const bound = Math.exp(-mean);
  let count = 0;
  for (let product = random(); product > bound; product *= random()) count++;
  return count;
}

/** Mean 0, standard deviation 1 (Box and Muller). */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Positive and skewed, as durations are: half of them below `median`; `spread` 0.5 is usual, 1 is wild. */
export function logNormal(median: number, spread: number, random: Random): number {
  return median * Math.exp(spread * normal(random));
}
