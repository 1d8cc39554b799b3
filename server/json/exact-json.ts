/**
 * JSON whose numbers keep every digit. `JSON.parse` makes doubles, which bend whatever has more than 15 digits; a number of
 * which that is not certain becomes an `ExactNumber` here, and is written again with the very digits it came with.
 */
import { randomUUID } from "node:crypto";
import { parseJson } from "./parse-json.ts";

/** A JSON number by its text. Written by plain `JSON.stringify` it is a string of the same digits, never a bent number. */
export class ExactNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toJSON(): string {
    return isMarking ? mark + this.text : this.text;
  }
}

/** Nobody outside can know it, so no text of a request passes for a number. */
const mark = `${randomUUID()}:`;
const marked = new RegExp(`"${mark}(-?(?:0|[1-9]\\d*)(?:\\.\\d+)?(?:[eE][-+]?\\d+)?)"`, "g");
let isMarking = false;

/** JSON text in which every `ExactNumber` is a number of its own digits. */
export function stringifyExact(value: unknown): string {
  isMarking = true;
  try {
    const json = JSON.stringify(value) ?? "null";
    return json.includes(mark) ? json.replace(marked, "$1") : json;
  } finally {
    isMarking = false;
  }
}

/** Behind the byte order mark that some senders put before a text. */
export function startOfText(bytes: Buffer): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

/** The value of the JSON text in `bytes`, which must be UTF-8. Throws SyntaxError as `JSON.parse` does. */
export function parseExactJson(bytes: Buffer, start = 0, end = bytes.length): unknown {
  if (!mayBendNumbers(bytes, start, end)) return parseJson(bytes.toString("utf8", start, end));
  return parseEveryDigit(bytes, start, end);
}

/** As `parseExactJson`, also for numbers beyond what a double can hold, which `mayBendNumbers` leaves to become infinite. */
export function parseEveryDigit(bytes: Buffer, start = 0, end = bytes.length): unknown {
  return unmark(parseJson(markLongNumbers(bytes, start, end)));
}

/** From this length on a number may have more digits than a double is sure to keep. */
const longNumber = 16;

/**
 * Whether a number in the JSON text may be bent by becoming a double. Looks at every sixteenth byte, which no long run of
 * digits can pass by, and at exponents that a double rounds down to zero: a usual body costs next to nothing.
 */
export function mayBendNumbers(bytes: Buffer, start = 0, end = bytes.length): boolean {
  for (let at = start + longNumber - 1; at < end; at += longNumber) {
    if (!isDigitOrPoint(bytes[at])) continue;
    let first = at;
    while (first > start && isDigitOrPoint(bytes[first - 1])) first--;
    let last = at;
    while (last + 1 < end && isDigitOrPoint(bytes[last + 1])) last++;
    if (last - first >= longNumber - 1 && isValueAt(bytes, first, start)) return true;
    at = last;
  }
  return hasTinyNumber(bytes, "e-", start, end) || hasTinyNumber(bytes, "E-", start, end);
}

function hasTinyNumber(bytes: Buffer, exponent: "e-" | "E-", start: number, end: number): boolean {
  for (let at = bytes.indexOf(exponent, start); at >= 0 && at < end; at = bytes.indexOf(exponent, at + 2)) {
    if (!isDigitOrPoint(bytes[at - 1])) continue;
    if (!(isDigit(bytes[at + 2]) && isDigit(bytes[at + 3]) && isDigit(bytes[at + 4]))) continue;
    let first = at - 1;
    while (first > start && isDigitOrPoint(bytes[first - 1])) first--;
    if (isValueAt(bytes, first, start)) return true;
  }
  return false;
}

/** Whether a number that begins here, or behind its minus sign, stands where JSON has a value, as far as one can tell from before it. */
function isValueAt(bytes: Buffer, first: number, start: number): boolean {
  let before = first - 1;
  if (before >= start && bytes[before] === minus) before--;
  while (before >= start && isSpace(bytes[before])) before--;
  return before < start || bytes[before] === colon || bytes[before] === comma || bytes[before] === openBracket;
}

function markLongNumbers(bytes: Buffer, start: number, end: number): string {
  const pieces: string[] = [];
  let copied = start;
  for (let at = start; at < end; ) {
    const byte = bytes[at];
    if (byte === quote) at = endOfString(bytes, at, end);
    else if (byte === minus || isDigit(byte)) {
      let stop = at + 1;
      while (stop < end && isNumberByte(bytes[stop])) stop++;
      const token = bytes.toString("latin1", at, stop);
      const isLong = token.length >= longNumber || /[eE][-+]?\d{3}/.test(token);
      if (isLong && jsonNumber.test(token) && !isNameBefore(bytes, stop, end)) {
        pieces.push(bytes.toString("utf8", copied, at), `"${mark}${token}"`);
        copied = stop;
      }
      at = stop;
    } else at++;
  }
  pieces.push(bytes.toString("utf8", copied, end));
  return pieces.join("");
}

/** A number that stands as a name is no JSON, and must stay none: marked it would be a name, and show the mark. */
function isNameBefore(bytes: Buffer, stop: number, end: number): boolean {
  let after = stop;
  while (after < end && isSpace(bytes[after])) after++;
  return after < end && bytes[after] === colon;
}

const jsonNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/;

/** Behind the string that begins at `at`. */
export function endOfString(bytes: Uint8Array, at: number, end: number): number {
  for (let next = at + 1; next < end; next++) {
    if (bytes[next] === quote) return next + 1;
    if (bytes[next] === backslash) next++;
  }
  return end;
}

/** Puts an `ExactNumber` in place of every marked text, however deep: without recursion, for JSON may nest. */
function unmark(parsed: unknown): unknown {
  const whole = { parsed };
  const open: Record<string, unknown>[] = [whole];
  for (let holder = open.pop(); holder !== undefined; holder = open.pop()) {
    for (const name of Object.keys(holder)) {
      const value = holder[name];
      if (typeof value === "string") {
        if (value.startsWith(mark)) put(holder, name, new ExactNumber(value.slice(mark.length)));
      } else if (typeof value === "object" && value !== null) open.push(value as Record<string, unknown>);
    }
  }
  return whole.parsed;
}

/** Also for the name that assigning would take for the object's prototype. */
function put(holder: Record<string, unknown>, name: string, value: ExactNumber): void {
  Object.defineProperty(holder, name, { value, enumerable: true, configurable: true, writable: true });
}

const quote = 0x22;
const comma = 0x2c;
const minus = 0x2d;
const colon = 0x3a;
const openBracket = 0x5b;
const backslash = 0x5c;

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function isDigitOrPoint(byte: number | undefined): boolean {
  return byte !== undefined && ((byte >= 0x30 && byte <= 0x39) || byte === 0x2e);
}

/** A digit, or one of `+-.eE`. */
function isNumberByte(byte: number | undefined): boolean {
  return isDigitOrPoint(byte) || byte === 0x2b || byte === minus || byte === 0x65 || byte === 0x45;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
