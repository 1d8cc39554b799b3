/**
 * The rule for text (contract/text.ts) and the promise that no number is bent, at every route, whatever its schema says: path,
 * query and JSON body. The field at fault is named.
 */
import type { MiddlewareHandler } from "hono";
import { isStorableText, storableTextMessage } from "../contract/text.ts";
import { ExactNumber, mayBendNumbers, parseExactJson, startOfText } from "../json/exact-json.ts";
import { readDecimal } from "../numbers/decimal.ts";
import { ProblemError } from "../problem.ts";
import type { HttpEnv } from "./http-env.ts";
import { readBody } from "./read-body.ts";

export const validateUrl: MiddlewareHandler<HttpEnv> = async (c, next) => {
  validatePath(c.req.path, c.req.param());
  validateQuery(c.req.url);
  await next();
};

/** Mount behind what reads the body. `keepsDigits`: the route reads numbers of its body by their text. */
export function validateJson({ keepsDigits }: { keepsDigits: boolean }): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    if (/\bjson\b/i.test(c.req.header("content-type") ?? "")) validateJsonText(await readBody(c), keepsDigits);
    await next();
  };
}

function validatePath(path: string, params: Readonly<Record<string, string>>): void {
  const fault = Object.entries(params).find(([, value]) => !isStorableText(value));
  const [name] = fault ?? (decoded(path) === undefined ? [Object.keys(params).at(-1)] : []);
  if (fault || decoded(path) === undefined) throw refused(name ?? "", storableTextMessage);
}

function validateQuery(url: string): void {
  const query = /\?([^#]*)/.exec(url)?.[1] ?? "";
  if (!query.includes("%")) return;
  for (const pair of query.split("&")) {
    const [name = "", value = ""] = pair.split(/=(.*)/s).map((part) => decoded(part.replaceAll("+", " ")));
    const isFine = [decoded(pair), name, value].every((text) => text !== undefined && isStorableText(text));
    if (!isFine) throw refused(decoded(pair.split("=")[0] ?? "") ?? "", storableTextMessage);
  }
}

/** Undefined for anything but percent-encoded UTF-8. */
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Text that is no JSON is left for the route to refuse. UTF-8 alone can make no text of JSON unstorable: only escapes can. */
function validateJsonText(bytes: Buffer, keepsDigits: boolean): void {
  const mayBend = !keepsDigits && mayBendNumbers(bytes);
  if (!mayBend && !bytes.includes("\\u")) return;
  const open: [value: unknown, path: string][] = [[parsedOrNothing(bytes), ""]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [value, path] = next;
    if (typeof value === "string" && !isStorableText(value)) throw refused(path, storableTextMessage);
    if (value instanceof ExactNumber) {
      if (!keepsDigits && isBent(value.text))
        throw refused(path, "is a number with more digits than can be stored; send it as a string");
    } else if (typeof value === "object" && value !== null) {
      for (const [name, inner] of Object.entries(value)) {
        const innerPath = path === "" ? name : `${path}.${name}`;
        if (!isStorableText(name)) throw refused(innerPath, storableTextMessage);
        open.push([inner, innerPath]);
      }
    }
  }
}

function parsedOrNothing(bytes: Buffer): unknown {
  try {
    return parseExactJson(bytes, startOfText(bytes));
  } catch {
    return undefined;
  }
}

/** Whether the number changes when it becomes a double; rounding beyond the ninth decimal does not count. */
function isBent(text: string): boolean {
  return readDecimal(text)?.text !== readDecimal(String(Number(text)))?.text;
}

function refused(path: string, message: string): ProblemError {
  const field = path.slice(0, 100).toWellFormed().replaceAll("\0", "\ufffd");
  return new ProblemError("invalid_request", message, { field: field === "" ? undefined : field });
}
