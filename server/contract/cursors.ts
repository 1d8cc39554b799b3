/** Cursors: how a list is asked for page by page, and what the keys in them are made of. */
import { z } from "zod";
import { isAskable } from "./date-times.ts";

/** Longer than any that is written, whose key has the five longest names there may be; an address has room for it. */
const longestCursor = 12_000;

export const cursorSchema = z
  .string()
  .max(longestCursor)
  .optional()
  .describe("`next_cursor` of the previous page; all other parameters must stay the same");

export const nextCursorSchema = z
  .string()
  .nullable()
  .describe("Pass it as `cursor` to get the next page; null on the last page");

/** The parameters of a list that has no others. */
export const pagedQuerySchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(1000),
  cursor: cursorSchema,
});

/**
 * In a key: ms since 1970, UTC. Whoever holds a cursor can read and rewrite it, so that a key has only what every store and
 * calendar can compare with.
 */
export const instantKeySchema = z.int().refine(isAskable);

/** In a key: how many rows, or the number of one. */
export const countKeySchema = z.int().min(0);

/** In a key: a decimal string of no more digits than are compared at once. */
export const decimalKeySchema = z.string().regex(/^-?\d{1,80}(?:\.\d{1,80})?(?:e[+-]?\d{1,2})?$/);
