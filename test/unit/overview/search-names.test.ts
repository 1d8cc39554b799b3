import fc from "fast-check";
import { expect, test } from "vitest";
import { searchDistance, searchedText } from "../../../server/overview/search-names.ts";

const distance = (search: string, ...texts: string[]) => searchDistance(searchedText(search), texts.map(searchedText));

test.each([
  ["begins with it", "acme", "Acme Corporation", 0],
  ["a word begins with it", "corp", "Acme Corporation", 1],
  ["contains it", "orpo", "Acme Corporation", 2],
  ["case and accents do not matter", "MULLER", "Müller & Söhne", 0],
  ["several words in any order", "corporation acme", "Acme Corporation", 3],
  ["a letter is missing", "acme corpration", "Acme Corporation", 4],
  ["a letter is too many", "acmee", "Acme", 4],
  ["another letter", "scme", "Acme", 4],
  ["two letters are swapped", "amce", "Acme", 4],
  ["a typo in an unfinished word", "corpa", "Acme Corporation", 4],
  ["two typos in a long word", "corportaoin", "Acme Corporation", 5],
  ["another script", "株式会社", "日本 株式会社", 1],
])("%s", (_, search, text, expected) => expect(distance(search, text)).toBe(expected));

test.each([
  ["a typo in a short word", "abd", "abc"],
  ["two typos in a middling word", "acmxy", "acmeo"],
  ["three typos in a long word", "corxxxation", "corporation"],
  ["a word that is nowhere", "acme nowhere", "Acme Corporation"],
  ["signs alone", "&&", "Acme & Co"],
])("does not match: %s", (_, search, text) => expect(distance(search, text)).toBeUndefined());

test("the best of several texts counts", () => {
  expect(distance("x-12", "Acme", "ext-X-12", "x-12")).toBe(0);
  expect(distance("x-12", "Acme", "y-99")).toBeUndefined();
});

const typed = fc.string({ unit: fc.constantFrom(..."abcdefgh"), minLength: 4, maxLength: 12 });

test("whatever single typo is made in a word of four letters or more, it is found", () => {
  fc.assert(
    fc.property(typed, fc.nat(), fc.constantFrom("swap", "drop", "add", "change"), (word, at, kind) => {
      const place = at % (word.length - 1);
      const [a = "", b = ""] = [word[place], word[place + 1]];
      const head = word.slice(0, place);
      const tail = word.slice(place + 2);
      const made = {
        swap: head + b + a + tail,
        drop: `${head}${b}${tail}`,
        add: `${head}${a}z${b}${tail}`,
        change: `${head}z${b}${tail}`,
      }[kind];
      // A word that the typo made too short to have one is not looked for.
      if (made.length < 4) return;
      expect(distance(made, `first ${word} last`)).toBeLessThanOrEqual(4);
    }),
    { numRuns: 300 },
  );
});

/** Optimal string alignment distance to the nearest beginning of the word, by its definition: every cell of the table. */
function fewestTypos(wanted: string, word: string): number {
  const rows: number[][] = [Array.from({ length: word.length + 1 }, (_, column) => column)];
  for (let row = 1; row <= wanted.length; row++) {
    const cells = [row];
    for (let column = 1; column <= word.length; column++) {
      const cell = (up: number, left: number) => rows[row - up]?.[column - left] ?? Number.POSITIVE_INFINITY;
      const isSame = wanted[row - 1] === word[column - 1];
      const isSwapped = wanted[row - 1] === word[column - 2] && wanted[row - 2] === word[column - 1];
      cells.push(
        Math.min(
          cell(1, 0) + 1,
          (cells[column - 1] as number) + 1,
          cell(1, 1) + (isSame ? 0 : 1),
          isSwapped && row > 1 && column > 1 ? cell(2, 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
    rows.push(cells);
  }
  return Math.min(...(rows.at(-1) ?? []));
}

test("two words are as far apart as every cell of the table says, up to the typos that are allowed", () => {
  const word = fc.string({ unit: fc.constantFrom(..."abc"), minLength: 8, maxLength: 14 });
  fc.assert(
    fc.property(word, word, (wanted, other) => {
      const typos = fewestTypos(wanted, other);
      if (other.includes(wanted)) return;
      expect(distance(wanted, other)).toBe(typos <= 2 ? 3 + typos : undefined);
    }),
    { numRuns: 2_000 },
  );
});

test("what unicode makes many letters of is searched no further than anybody types", () => {
  const { whole } = searchedText("\u3316".repeat(255));
  expect(whole.length).toBe(512);
  expect(distance(`${"\u3316".repeat(80)}xxx`, "\u3316".repeat(255))).toBeUndefined();
});
