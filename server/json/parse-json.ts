/**
 * Parses JSON whose names somebody outside has chosen. V8 since 12.8 (Node.js 24 and 26) reads an escaped name as another
 * one once an object of the same first names had a name with a backslash in that place: the text `{"a":1,"\n":2}` becomes
 * `{ a: 1, "\\": 2 }` after anybody sent `{"a":1,"\\":2}` (https://github.com/nodejs/node/issues/63785). So no text with an
 * escaped name reaches `JSON.parse` there as it stands.
 */

const hasFaithfulNames = readsNamesFaithfully();

/** As `JSON.parse(text)`, with every name as it was written. Throws SyntaxError. */
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

/** Begins a character that is coded. Nothing is ever mistaken for it: where it stands itself, it is coded too. */
const sign = "\ue000";
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what JSON must escape.
const mustBeCoded = /[\0-\x1f"\\\ue000]/g;
const codedCharacter = /\ue000([\ue000-\ue05d])/g;

function codeName(name: string): string {
  return name.replace(
    mustBeCoded,
    (one) => sign + (one === sign ? "\ue05d" : String.fromCharCode(0xe000 + one.charCodeAt(0))),
  );
}

function decodeName(name: string): string {
  return name.replace(codedCharacter, (_, code: string) =>
    code === "\ue05d" ? sign : String.fromCharCode(code.charCodeAt(0) - 0xe000),
  );
}

/** The text with every name written so that nothing in it needs an escape; undefined when no name has one. */
function codeNames(text: string): string | undefined {
  const pieces: string[] = [];
  let copied = 0;
  for (let at = text.indexOf('"'); at >= 0; ) {
    const { end, hasEscape } = stringAt(text, at);
    if (isNameBefore(text, end)) {
      const name = hasEscape ? unescapedName(text.slice(at, end)) : text.slice(at + 1, end - 1);
      if (name !== undefined && (hasEscape || name.includes(sign))) {
        pieces.push(text.slice(copied, at), `"${codeName(name)}"`);
        copied = end;
      }
    }
    at = text.indexOf('"', end);
  }
  if (pieces.length === 0) return undefined;
  pieces.push(text.slice(copied));
  return pieces.join("");
}

/** A text that is no name or object is read as it was written, escapes and all; undefined when it is not JSON. */
function unescapedName(written: string): string | undefined {
  try {
    return JSON.parse(written) as string;
  } catch {
    return undefined;
  }
}

function stringAt(text: string, at: number): { end: number; hasEscape: boolean } {
  let hasEscape = false;
  for (let next = at + 1; next < text.length; next++) {
    const code = text.charCodeAt(next);
    if (code === quote) return { end: next + 1, hasEscape };
    if (code === backslash) {
      hasEscape = true;
      next++;
    }
  }
  return { end: text.length, hasEscape };
}

function isNameBefore(text: string, end: number): boolean {
  let at = end;
  while (isBlank(text.charCodeAt(at))) at++;
  return text.charCodeAt(at) === colon;
}

/** Gives every name back what it was, in the same order: without recursion, for JSON may nest. */
function decodeNames(parsed: unknown): unknown {
  const open: unknown[] = [parsed];
  for (let holder = open.pop(); holder !== undefined; holder = open.pop()) {
    if (typeof holder !== "object" || holder === null) continue;
    if (!Array.isArray(holder) && Object.keys(holder).some((name) => name.includes(sign)))
      renameAll(holder as Record<string, unknown>);
    for (const value of Object.values(holder)) if (typeof value === "object" && value !== null) open.push(value);
  }
  return parsed;
}

function renameAll(holder: Record<string, unknown>): void {
  const entries = Object.entries(holder);
  for (const [name] of entries) delete holder[name];
  for (const [name, value] of entries) {
    // Also for the name that assigning would take for the object's prototype.
    const property = { value, enumerable: true, configurable: true, writable: true };
    Object.defineProperty(holder, decodeName(name), property);
  }
}

const [quote, colon, backslash] = [0x22, 0x3a, 0x5c];

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}
