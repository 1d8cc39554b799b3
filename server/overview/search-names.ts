/**
 * Finds what people meant by a few typed letters. A text matches where it contains the search as it stands, or where every word
 * of the search begins one of the text's words, with a few typos at most: none in words of up to 3 letters, 1 from 4 letters on,
 * 2 from 8 on. A letter too many, one missing, another one, or two neighbours swapped is one typo (the optimal string alignment
 * distance). Case and accents never matter.
 */

/** A text made ready to be searched, once for many searches. */
export interface SearchedText {
  whole: string;
  words: string[];
}

/** NFKD makes six letters of some characters; names, ids and searches have up to 256. Nobody types further. */
const maxSearchedLetters = 512;

export function searchedText(text: string): SearchedText {
  const whole = text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().slice(0, maxSearchedLetters);
  return { whole, words: whole.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== "") };
}

/** How far the best of the texts is from the search: 0 begins with it, 1 has a word that does, 2 contains it, more has typos. Undefined: none matches. */
export function searchDistance(search: SearchedText, texts: readonly SearchedText[]): number | undefined {
  let best: number | undefined;
  for (const text of texts) {
    const distance = distanceTo(search, text);
    if (distance !== undefined && (best === undefined || distance < best)) best = distance;
  }
  return best;
}

function distanceTo(search: SearchedText, { whole, words }: SearchedText): number | undefined {
  const place = whole.indexOf(search.whole);
  if (place === 0) return 0;
  if (place > 0) return words.some((word) => word.startsWith(search.whole)) ? 1 : 2;
  if (search.words.length === 0) return undefined;
  let typos = 0;
  for (const wanted of search.words) {
    const allowed = allowedTypos(wanted);
    let fewest = allowed + 1;
    for (const word of words) fewest = Math.min(fewest, typosAtStart(wanted, word, fewest - 1));
    if (fewest > allowed) return undefined;
    typos += fewest;
  }
  return 3 + typos;
}

function allowedTypos({ length }: string): number {
  if (length < 4) return 0;
  return length < 8 ? 1 : 2;
}

/** The fewest typos that make `wanted` a beginning of `word`; anything above `most` where there are more. */
function typosAtStart(wanted: string, word: string, most: number): number {
  if (most < 0 || word.length < wanted.length - most) return most + 1;
  if (word.startsWith(wanted)) return 0;
  if (most === 0) return 1;
  // Only the cells up to `most` beside the diagonal, by their place in the row: every other has more typos, so long words cost no more than their letters.
  const beyond = most + 1;
  const places = Array.from({ length: 2 * most + 1 }, (_, place) => place);
  let before = places.map(() => beyond);
  let above = places.map((place) => (place < most ? beyond : place - most));
  for (let row = 1; row <= wanted.length; row++) {
    const current: number[] = [];
    for (const place of places) {
      const column = row + place - most;
      if (column <= 0 || column > word.length) {
        current.push(column === 0 ? row : beyond);
        continue;
      }
      const isSame = wanted[row - 1] === word[column - 1];
      const isSwapped = row > 1 && wanted[row - 1] === word[column - 2] && wanted[row - 2] === word[column - 1];
      current.push(
        Math.min(
          (above[place + 1] ?? beyond) + 1,
          (current[place - 1] ?? beyond) + 1,
          (above[place] as number) + (isSame ? 0 : 1),
          isSwapped ? (before[place] as number) + 1 : beyond,
        ),
      );
    }
    // A swap reaches two rows back, so only what both rows exceed is lost.
    if (Math.min(...current) > most && Math.min(...above) > most) return beyond;
    [before, above] = [above, current];
  }
  return Math.min(...above);
}
