/**
 * English that looks foreign and is 40 % longer: whoever reads plain English on a page sees a text that no catalogue has, and
 * whoever sees a page overflow knows that it has no room for other languages.
 */
import type { Message, Messages } from "./area.ts";

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const accents = "áƀçðéƒĝĥîĵķļɱñöþǫŕšţûṽŵẋýžÅƁÇÐÉƑĜĤÎĴĶĻṀÑÖÞǪŔŠŢÛṼŴẊÝŽ";
const accented = (letter: string) => accents[letters.indexOf(letter)] ?? letter;
const vowels = /[aeiouáéîöû]/gi;
const longerBy = 0.4;

/** `Ûšááĝéé` for `Usage`: longer where words can be broken, as long words of other languages are. */
export function pseudoText(text: string): string {
  let missing = Math.ceil(text.length * longerBy);
  const longer = text.replaceAll(vowels, (vowel) => {
    missing -= 1;
    return missing >= 0 ? vowel + vowel.toLowerCase() : vowel;
  });
  return [...longer].map(accented).join("") + "~".repeat(Math.max(0, missing));
}

/** Values stay as they are, since names and figures are no texts of the catalogue. */
function pseudoMessage(message: Message): Message {
  if (typeof message === "string") return pseudoText(message);
  if (typeof message === "object") return pseudoMessages(message);
  return (...values: never[]) => {
    const given = (values as unknown[]).filter((value) => typeof value === "string" || typeof value === "number");
    const kept = given.map(String).filter((value) => value !== "");
    const said = message(...values);
    if (kept.length === 0) return pseudoText(said);
    const escaped = kept.map((value) => value.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    const parts = said.split(new RegExp(`(${escaped.join("|")})`));
    return parts.map((part, place) => (place % 2 === 1 ? part : pseudoText(part))).join("");
  };
}

function pseudoMessages(messages: Messages): Messages {
  return Object.fromEntries(Object.entries(messages).map(([key, message]) => [key, pseudoMessage(message)]));
}

/** For `speak`: every area made of its English. */
export const translate = (_: string, english: Messages): Messages => pseudoMessages(english);
