/** The fonts that PDFs embed, from npm packages, and which characters they have: another would stop the document from being accessible. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
/** In the order in which a character is looked for. */
const families = [
  ["Noto Sans", "noto-sans/400Regular/NotoSans_400Regular.ttf"],
  ["Noto Sans", "noto-sans/700Bold/NotoSans_700Bold.ttf"],
  ["Noto Sans Hebrew", "noto-sans-hebrew/400Regular/NotoSansHebrew_400Regular.ttf"],
  ["Noto Sans Arabic", "noto-sans-arabic/400Regular/NotoSansArabic_400Regular.ttf"],
  ["ZCOOL XiaoWei", "zcool-xiaowei/400Regular/ZCOOLXiaoWei_400Regular.ttf"],
  ["Sawarabi Gothic", "sawarabi-gothic/400Regular/SawarabiGothic_400Regular.ttf"],
  ["Gowun Dodum", "gowun-dodum/400Regular/GowunDodum_400Regular.ttf"],
  ["Noto Emoji", "noto-emoji/400Regular/NotoEmoji_400Regular.ttf"],
] as const;

export interface PdfFonts {
  paths: readonly string[];
  /** In the order in which a character is looked for. */
  names: readonly string[];
  /** The text with a visible sign in place of each character that no font has, and of those that only turn others around. */
  legible(text: string): string;
}

let loaded: PdfFonts | undefined;

/** Read when the first PDF is made: 18 MB, of which only the characters are kept. */
export function pdfFonts(): PdfFonts {
  loaded ??= load();
  return loaded;
}

const replacement = "\uFFFD";
/** Marks that order text anew, which a name has no need of and by which it can look like another. */
const reordering = /[\u202A-\u202E\u2066-\u2069]/u;
/** They join or vary their neighbours and are not drawn themselves. */
const undrawn = /[\u200B-\u200F]|\p{Variation_Selector}/u;

function load(): PdfFonts {
  const paths = families.map(([, path]) => require.resolve(`@expo-google-fonts/${path}`));
  const known = new Set<number>();
  for (const path of paths) for (const character of charactersOf(readFileSync(path))) known.add(character);
  return {
    paths,
    names: [...new Set(families.map(([name]) => name))],
    legible: (text) => (plain.test(text) ? text : legibleOf(text, known)),
  };
}

/** What every font has: most of a long table, which is gone through while others wait. */
const plain = /^[\x20-\x7E]*$/;

const legibleOf = (text: string, known: ReadonlySet<number>) =>
  [...text.toWellFormed()]
    .map((character) => {
      if (/[\n\t]/.test(character)) return " ";
      if (undrawn.test(character)) return "";
      const isKnown = known.has(character.codePointAt(0) ?? 0) && !reordering.test(character);
      return isKnown ? character : replacement;
    })
    .join("");

/** Those that a font's `cmap` table names, in its formats 4 and 12 (OpenType). */
function* charactersOf(font: Buffer): Generator<number> {
  const table = tableOf(font, "cmap");
  for (let index = 0; index < table.readUInt16BE(2); index++) {
    const map = table.subarray(table.readUInt32BE(4 + index * 8 + 4));
    if (map.readUInt16BE(0) === 12) yield* inGroups(map);
    else if (map.readUInt16BE(0) === 4) yield* inSegments(map);
  }
}

function* inGroups(map: Buffer): Generator<number> {
  for (let group = 0; group < map.readUInt32BE(12); group++) {
    const [first, last] = [map.readUInt32BE(16 + group * 12), map.readUInt32BE(20 + group * 12)];
    for (let character = first; character <= last; character++) yield character;
  }
}

function* inSegments(map: Buffer): Generator<number> {
  const segments = map.readUInt16BE(6) / 2;
  const starts = 16 + segments * 2;
  for (let segment = 0; segment < segments; segment++) {
    const [first, last] = [map.readUInt16BE(starts + segment * 2), map.readUInt16BE(14 + segment * 2)];
    const delta = map.readUInt16BE(starts + segments * 2 + segment * 2);
    const place = starts + segments * 4 + segment * 2;
    const offset = map.readUInt16BE(place);
    for (let character = first; character <= last && character !== 0xffff; character++) {
      const glyph =
        offset === 0 ? (character + delta) & 0xffff : map.readUInt16BE(place + offset + (character - first) * 2);
      if (glyph !== 0) yield character;
    }
  }
}

function tableOf(font: Buffer, name: string): Buffer {
  for (let index = 0; index < font.readUInt16BE(4); index++) {
    const entry = 12 + index * 16;
    if (font.toString("latin1", entry, entry + 4) !== name) continue;
    const offset = font.readUInt32BE(entry + 8);
    return font.subarray(offset, offset + font.readUInt32BE(entry + 12));
  }
  throw new Error(`the font has no table ${name}`);
}
