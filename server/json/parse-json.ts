/**
 * Parses JSON whose names somebody outside has chosen. V8 since 12.8 (Node.js 24 and 26) reads an escaped name as another
 * one once an object of the same first names had a name with a backslash in that place: the text `{"a":1,"\n":2}` becomes
 * `{ a: 1, "\\": 2 }` after anybody sent `{"a":1,"\\":2}` (https://github.com/nodejs/node/issues/63785). So no text with an
 * escaped name reaches `JSON.parse` there as it stands.
 */

const hasFaithfulNames = readsNamesFaithfully();

/** As `JSON.parse(text)`, with every name as it was written. Throws SyntaxError, where V8 needs help also TooManyNamesError. */
export function parseJson(text: string): unknown {
  return hasFaithfulNames || !text.includes("\\") ? JSON.parse(text) : parseWithCodedNames(text);
}

/** As `JSON.parse(text)`, without ever giving it an escaped name. */
export function parseWithCodedNames(text: string): unknown {
  const coded = codeNames(text);
  if (coded === undefined) return JSON.parse(text);
  try {
    return decodeNames(JSON.parse(coded));
  } catch {
    // The position that the error names is one in the given text.
    return JSON.parse(text);
  }
}

function readsNamesFaithfully(): boolean {
  JSON.parse('{"first":0,"\\\\":0}');
  return "\n" in JSON.parse('{"first":0,"\\n":0}');
}

/** A text of more escaped names is not read: each costs some microseconds, while the process does nothing else. */
const maxEscapedNames = 250_000;
/** The same of those that differ from each other. */
const maxDifferentNames = 20_000;

export class TooManyNamesError extends SyntaxError {
  constructor() {
    super(`more than ${maxEscapedNames} names, or ${maxDifferentNames} different ones, are written with escapes`);
  }
}

/** Begins a character that is coded. Nothing is ever mistaken for it: where it stands itself, it is coded too. */
const sign = "\x80";
const signCode = "\xfd";
/** Added to the code of what JSON must escape: all stays one byte in memory. */
const shift = 0xa0;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what JSON must escape.
const mustBeCoded = /[\0-\x1f"\\\x80]/g;
const codedCharacter = /\x80([\xa0-\xfd])/g;

function codeName(name: string): string {
  return name.replace(
    mustBeCoded,
    (one) => sign + (one === sign ? signCode : String.fromCharCode(shift + one.charCodeAt(0))),
  );
}

function decodeName(name: string): string {
  return name.replace(codedCharacter, (_, code: string) =>
    code === signCode ? sign : String.fromCharCode(code.charCodeAt(0) - shift),
  );
}

/** The text with every name written so that nothing in it needs an escape; undefined when no name has one. */
function codeNames(text: string): string | undefined {
  const pieces: string[] = [];
  const coded = new Map<string, string | undefined>();
  let copied = 0;
  for (let at = text.indexOf('"'); at >= 0; ) {
    const { end, mayBeCoded } = stringAt(text, at);
    if (mayBeCoded && isNameBefore(text, end)) {
      const written = text.slice(at, end);
      if (!coded.has(written)) coded.set(written, codeWritten(written));
      if (coded.size > maxDifferentNames || pieces.length > 2 * maxEscapedNames) throw new TooManyNamesError();
      const name = coded.get(written);
      if (name !== undefined) {
        pieces.push(text.slice(copied, at), name);
        copied = end;
      }
    }
    at = text.indexOf('"', end);
  }
  if (pieces.length === 0) return undefined;
  pieces.push(text.slice(copied));
  return pieces.join("");
}

/** A name of a JSON text, quotes and all, without escapes; undefined when it is not JSON. */
function codeWritten(written: string): string | undefined {
  try {
    return `"${codeName(JSON.parse(written))}"`;
  } catch {
    return undefined;
  }
}

function stringAt(text: string, at: number): { end: number; mayBeCoded: boolean } {
  let mayBeCoded = false;
  for (let next = at + 1; next < text.length; next++) {
    const code = text.charCodeAt(next);
    if (code === quote) return { end: next + 1, mayBeCoded };
    if (code === signOf) mayBeCoded = true;
    if (code === backslash) {
      mayBeCoded = true;
      next++;
    }
  }
  return { end: text.length, mayBeCoded };
}

function isNameBefore(text: string, end: number): boolean {
  let at = end;
  while (isBlank(text.charCodeAt(at))) at++;
  return text.charCodeAt(at) === colon;
}

/** Gives every name back what it was, in the same order: without recursion, for JSON may nest. */
function decodeNames(parsed: unknown): unknown {
  const names = new Map<string, string>();
  const whole: unknown[] = [parsed];
  const open: object[] = [whole];
  for (let holder = open.pop(); holder !== undefined; holder = open.pop()) {
    for (const [name, value] of Object.entries(holder)) {
      if (typeof value !== "object" || value === null) continue;
      const decoded = withDecodedNames(value, names);
      if (decoded !== value) put(holder, name, decoded);
      open.push(decoded);
    }
  }
  return whole[0];
}

/** The value itself where none of its names is coded. `known` names were decoded before. */
function withDecodedNames(value: object, known: Map<string, string>): object {
  if (Array.isArray(value) || !Object.keys(value).some((name) => name.includes(sign))) return value;
  const decode = (name: string) => {
    if (!name.includes(sign)) return name;
    const decoded = known.get(name) ?? decodeName(name);
    known.set(name, decoded);
    return decoded;
  };
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [decode(name), inner]));
}

/** Also for the name that assigning would take for the object's prototype. */
function put(holder: object, name: string, value: object): void {
  Object.defineProperty(holder, name, { value, enumerable: true, configurable: true, writable: true });
}

const [quote, colon, backslash, signOf] = [0x22, 0x3a, 0x5c, 0x80];

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}
