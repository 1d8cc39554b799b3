/** Instants in questions and settings. */
import { z } from "zod";

const firstMs = Date.parse("0001-01-01T00:00:00Z");
const lastMs = Date.parse("9999-12-31T23:59:59.999Z");

/** Whether every store can keep the instant (ms since 1970, UTC): Postgres knows no year 0, and no year has five digits. */
export const isStorableInstant = (ms: number): boolean => ms >= firstMs && ms <= lastMs;

export const storableInstantMessage = "must be an instant of the years 1 to 9999";

/** RFC 3339 with an offset. */
export const dateTimeSchema = z.iso
  .datetime({ offset: true })
  .refine((text) => isStorableInstant(Date.parse(text)), storableInstantMessage);
