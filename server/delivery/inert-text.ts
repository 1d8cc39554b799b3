/** Makes names that users gave harmless where they stand in a message: text stays text. */

/** One line without control characters, and without those that turn the direction of what follows. */
export function oneLine(text: string, maxCharacters = 1_000): string {
  const line = text
    .toWellFormed()
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ")
    .replace(/[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/gu, "")
    .trim();
  const characters = [...line];
  return characters.length <= maxCharacters ? line : `${characters.slice(0, maxCharacters - 1).join("")}…`;
}

/** A figure of a message where it has a line of its own. */
export const figureLine = ({ label, value }: { label: string; value: string }): string => `${label}: ${value}`;

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** For the text and the quoted attributes of HTML. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (one) => entities[one] ?? one);
}

/** For Slack, where these three begin links and mentions. Cut so that no more than `maxLength` comes out. */
export function escapeSlack(text: string, maxLength: number): string {
  let escaped = "";
  for (const character of text) {
    const next = /[&<>]/.test(character) ? (entities[character] ?? "") : character;
    if (escaped.length + next.length > maxLength) break;
    escaped += next;
  }
  return escaped;
}
