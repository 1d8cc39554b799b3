/**
 * Finds what people meant by a few typed letters. A text matches where it contains the search as it stands, or where every
 * word of the search begins one of the text's words but for a few typos: none in words of up to 3 letters, 1 from 4
 * letters on, 2 from 8 on. A letter too many, one missing, another one, or two neighbours swapped is one typo (the optimal
 * string alignment distance). Case and accents never matter.
 */

/** A text made ready to be searched, once for many searches. */
export interface SearchedText {
  whole: string;
  words: string[];
}

export function searchedText(text: string): SearchedText {
  const whole = text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
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
  const width = Math.min(word.length, wanted.length + most);
  let before: number[] = [];
  let above = Array.from({ length: width + 1 }, (_, column) => column);
  for (let row = 1; row <= wanted.length; row++) {
    const current = [row];
    let least = row;
    for (let column = 1; column <= width; column++) {
      const isSame = wanted[row - 1] === word[column - 1];
      let typos = Math.min(
        (above[column] as number) + 1,
        (current[column - 1] as number) + 1,
        (above[column - 1] as number) + (isSame ? 0 : 1),
      );
      const isSwapped = wanted[row - 1] === word[column - 2] && wanted[row - 2] === word[column - 1];
      if (isSwapped && row > 1 && column > 1) typos = Math.min(typos, (before[column - 2] as number) + 1);
      current[column] = typos;
      least = Math.min(least, typos);
    }
    // A swap reaches two rows back, so only what both rows exceed is lost.
    if (least > most && Math.min(...above) > most) return most + 1;
    [before, above] = [above, current];
  }
  return Math.min(...above);
}
