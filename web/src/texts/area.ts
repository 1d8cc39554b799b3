/**
 * Areas of the catalogue: messages that are loaded together, because the same pages say them. They are written in English and
 * replaced in place where another language was loaded, so whoever holds an area, or a list within it, has the right one.
 */

/** A text, a text with values in it, or several by what they name. */
export type Message = string | ((...values: never[]) => string) | Messages;
export interface Messages {
  [key: string]: Message;
}

/** Of an area by its name: its messages in the language that is spoken. */
export type Translate = (area: string, english: Messages) => Messages;

const areas = new Map<string, Messages>();
let translate: Translate | undefined;

/** Declares an area; `english` itself, which is changed once another language is there. */
export function area<Area extends Messages>(name: string, english: Area): Area {
  areas.set(name, english);
  if (translate) replace(english, translate(name, english));
  return english;
}

/** From now on every area, those not loaded yet too, says what `next` gives. */
export function speak(next: Translate): void {
  translate = next;
  for (const [name, english] of areas) replace(english, next(name, english));
}

function replace(messages: Messages, others: Messages): void {
  for (const [key, other] of Object.entries(others)) {
    const message = messages[key];
    if (typeof message === "object" && typeof other === "object") replace(message, other);
    else messages[key] = other;
  }
}
