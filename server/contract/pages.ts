/** Lists that are asked for page by page, newest first. */
import { z } from "zod";
import { cursorSchema } from "./cursors.ts";
import { nodeAddressSchema } from "./nodes.ts";
import { timeZoneSchema } from "./time-zones.ts";

export const defaultPageSize = 100;

/** The parameters that all such lists take. */
export const pageQuery = {
  node: nodeAddressSchema.optional().describe("Defaults to the caller's node"),
  from: z
    .string()
    .optional()
    .describe("RFC 3339 instant, date (its first instant in `tz`), or `now`; default: no bound"),
  to: z.string().optional().describe("Exclusive; the same forms; default: no bound"),
  tz: timeZoneSchema.default("UTC").describe("IANA time zone of dates in `from` and `to`"),
  limit: z.coerce.number().int().min(1).max(1000).optional().describe(`Default ${defaultPageSize}`),
  cursor: cursorSchema,
};
