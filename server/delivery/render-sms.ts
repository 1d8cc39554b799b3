/** What fits into one SMS: 160 characters of the GSM alphabet, or 70 of UCS-2 where the text has others. */
import type { DeliveryMessage } from "../postgres/schema/delivery.ts";
import { oneLine } from "./inert-text.ts";

const gsmLength = 160;
const ucs2Length = 70;
const basic =
  "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
const septets = new Map([
  ...[...basic].map((one) => [one, 1] as const),
  ...[..."^{}\\[~]|€"].map((one) => [one, 2] as const),
]);
/** Typographic characters would switch the message to UCS-2 and cost more than half of it. */
const plainer: Record<string, string> = {
  "“": '"',
  "”": '"',
  "„": '"',
  "‘": "'",
  "’": "'",
  "–": "-",
  "—": "-",
  "…": "...",
  "×": "x",
  "−": "-",
  "\u00a0": " ",
  "\u202f": " ",
  "\u2009": " ",
  "→": "->",
  "≥": ">=",
  "≤": "<=",
};

/** The subject, as much of it as there is room for, and the link where half of the message is left for the subject. */
export function smsText({ subject, url }: Pick<DeliveryMessage, "subject" | "url">): string {
  const text = [...oneLine(subject)].map((one) => plainer[one] ?? one).join("");
  const isGsm = [...text, ...url].every((one) => septets.has(one));
  const size = isGsm ? septetsOf : (one: string) => one.length;
  const room = isGsm ? gsmLength : ucs2Length;
  const link = size(url) + 1 <= room / 2 ? ` ${url}` : "";
  return cut(text, room - size(link), size) + link;
}

const septetsOf = (text: string) => [...text].reduce((sum, one) => sum + (septets.get(one) ?? 1), 0);

function cut(text: string, room: number, size: (text: string) => number): string {
  if (size(text) <= room) return text;
  let kept = "";
  for (const character of text) {
    if (size(kept) + size(character) + 3 > room) break;
    kept += character;
  }
  return `${kept}...`;
}
