import { z } from "zod";
import { isTimeZone } from "./zone-names.ts";

/** A zone in a request: one rule at every entry. */
export const timeZoneSchema = z
  .string()
  .max(64)
  .refine(isTimeZone, { error: ({ input }) => `${JSON.stringify(input)} is not the name of an IANA time zone` });
