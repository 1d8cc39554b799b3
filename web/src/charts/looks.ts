/**
 * How a meter or an entity looks wherever it is drawn. Its colour and its cue (dash, marker, hatching) belong to it: they
 * follow from what it is, not from what is drawn beside it.
 */
import type { ChartedMeter } from "./meters.ts";

export interface Look {
  /** A colour token, 1 to 8. */
  color: number;
  /** 0 to 4: which dash, marker and hatching set it apart where colours do not. */
  cue: number;
}

const colors = 8;
const cues = 5;
/** Grey: it is nobody's, and stands for what was taken together. */
export const otherLook: Look = { color: colors, cue: 0 };

/**
 * The look of each chosen meter. One that is built in has that of its place in the catalog, always, as long as there are no more
 * than there are looks; one that a user made has that of its name, and the next cue where a chosen one looks like it already.
 */
export function looksOf(chosen: readonly string[], all: readonly ChartedMeter[]): ReadonlyMap<string, Look> {
  const builtIn = all.filter(({ node }) => node === null).map(({ meter }) => meter);
  const looks = new Map<string, Look>();
  const taken = new Set<number>();
  const ordered = [...chosen].sort((a, b) => placeIn(builtIn, a) - placeIn(builtIn, b) || (a < b ? -1 : Number(a > b)));
  for (const meter of ordered) {
    const place = builtIn.indexOf(meter);
    const isItsOwn = place >= 0 && place < colors * cues;
    let look = (place < 0 ? hashOf(meter) : place) % (colors * cues);
    for (let tries = 0; !isItsOwn && taken.has(look) && tries < cues; tries++) look = (look + colors) % (colors * cues);
    taken.add(look);
    looks.set(meter, { color: (look % colors) + 1, cue: Math.floor(look / colors) });
  }
  return looks;
}

const placeIn = (names: readonly string[], name: string) => {
  const place = names.indexOf(name);
  return place < 0 ? names.length : place;
};

/**
 * The look of each entity (an organization, a language, a room) by its key, whatever its rank: of as many as there are
 * colours no two share one. The last colour is left to what was taken together.
 */
export function looksOfKeys(keys: readonly string[]): ReadonlyMap<string, Look> {
  const hues = colors - 1;
  const taken = new Set<number>();
  const looks = new Map<string, Look>();
  for (const key of [...new Set(keys)].sort()) {
    const hash = hashOf(key);
    let hue = hash % hues;
    while (taken.has(hue) && taken.size < hues) hue = (hue + 1) % hues;
    taken.add(hue);
    looks.set(key, { color: hue + 1, cue: Math.floor(hash / hues) % cues });
  }
  return looks;
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let place = 0; place < text.length; place++) hash = Math.imul(hash ^ text.charCodeAt(place), 0x01000193);
  return hash >>> 0;
}
