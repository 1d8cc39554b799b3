/**
 * Opaque cursors: where a list goes on, and of which question. A cursor under another question would silently skip
 * or repeat rows, so it is refused.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { instantKeySchema } from "../contract/cursors.ts";
import { isStorableText } from "../contract/text.ts";
import { ProblemError } from "../problem.ts";

/** The key of a list in the order of time, then id. */
export const timedKeySchema = z.object({ atMs: instantKeySchema, id: z.string() });

/** `question`: everything that must be the same on every page, as JSON can hold it. */
export function writeCursor(question: unknown, position: unknown): string {
  return Buffer.from(JSON.stringify([fingerprint(question), position])).toString("base64url");
}

/** The position in a cursor of this question; undefined without a cursor. Throws `invalid_request` for any other. */
export function readCursor<Position extends z.ZodType>(
  cursor: string | undefined,
  question: unknown,
  position: Position,
): z.output<Position> | undefined {
  if (cursor === undefined) return undefined;
  const pair = cursorSchema.safeParse(parseJson(Buffer.from(cursor, "base64url").toString("utf8")));
  const read = pair.success ? position.safeParse(pair.data[1]) : undefined;
  if (!pair.success || !read?.success)
    throw new ProblemError("invalid_request", "this is not a cursor for this list", { field: "cursor" });
  if (pair.data[0] !== fingerprint(question))
    throw new ProblemError("invalid_request", "this cursor belongs to a list with other parameters", {
      field: "cursor",
    });
  return read.data;
}

const cursorSchema = z.tuple([z.string(), z.unknown()]);

function fingerprint(question: unknown): string {
  return createHash("sha256").update(JSON.stringify(question)).digest("base64url").slice(0, 12);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text, (_, value) => {
      if (typeof value === "string" && !isStorableText(value)) throw new SyntaxError("no cursor can contain this text");
      return value;
    });
  } catch {
    return undefined;
  }
}
