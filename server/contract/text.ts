/**
 * The one rule for text at every entry: any Unicode but U+0000, which Postgres cannot hold, and lone surrogates, which have no
 * UTF-8 form and would come back as another text.
 */
import { z } from "zod";

/** Whether storage gives back exactly this text. */
export function isStorableText(value: string): boolean {
  return value.isWellFormed() && !value.includes("\0");
}

export const storableTextMessage = "must be well-formed Unicode without U+0000";

/** A string under the rule; further checks may follow, as on any other zod string. */
export function storable(schema: z.ZodString): z.ZodString {
  return schema.refine(isStorableText, storableTextMessage);
}

/** A string of `min` to `max` characters (code points) under the rule. */
export function textSchema(max: number, min = 1): z.ZodString {
  return storable(z.string().min(min).max(max));
}

/** Whether a URL can hold the text as one piece of its path: browsers and proxies take `.` and `..` away. */
export function isAddressable(id: string): boolean {
  return id !== "." && id !== "..";
}

export const addressableMessage = "must not be `.` or `..`";

/** An id by which something is addressed: a text that is neither `.` nor `..`. */
export function idSchema(max: number): z.ZodString {
  return textSchema(max).refine(isAddressable, addressableMessage);
}
