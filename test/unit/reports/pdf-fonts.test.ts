import { describe, expect, it } from "vitest";
import { pdfFonts } from "../../../server/reports/render/pdf-fonts.ts";

/** The characters that a code of two bytes has between these first bytes, its second one from `least` on. */
function charactersOf(encoding: string, [from, to]: readonly [number, number], least: number): string[] {
  const decoder = new TextDecoder(encoding, { fatal: true });
  const found: string[] = [];
  for (let lead = from; lead <= to; lead++)
    for (let trail = least; trail <= 0xfe; trail++)
      try {
        found.push(decoder.decode(Uint8Array.of(lead, trail)));
      } catch {
        // No character has this code.
      }
  return found.filter((text) => /^[\p{Script=Han}\p{Script=Hangul}]$/u.test(text));
}

describe("the fonts of PDFs", () => {
  it.each([
    ["simplified Chinese (GB 2312)", "gb2312", [0xb0, 0xf7], 0xa1, 6_700],
    ["Japanese (JIS X 0208, level 1)", "euc-jp", [0xb0, 0xcf], 0xa1, 2_900],
    ["Korean (KS X 1001)", "euc-kr", [0xb0, 0xc8], 0xa1, 2_300],
  ] as const)("have the characters of names in %s", (_, encoding, leads, trail, least) => {
    const { legible } = pdfFonts();
    const characters = charactersOf(encoding, leads, trail);
    expect(characters.length).toBeGreaterThan(least);
    expect(characters.filter((one) => legible(one) !== one).slice(0, 20)).toEqual([]);
  });

  it("have every emoji that stands for itself", () => {
    const { legible } = pdfFonts();
    const emoji: string[] = [];
    for (let code = 0x2000; code < 0x1_fb00; code++) {
      const text = String.fromCodePoint(code);
      if (/^\p{Emoji_Presentation}$/u.test(text)) emoji.push(text);
    }
    expect(emoji.length).toBeGreaterThan(1_000);
    expect(emoji.filter((one) => legible(one) !== one)).toEqual([]);
  });
});
