/** Kinds of columns that several tables have. */
import { timestamp } from "drizzle-orm/pg-core";

/** A `timestamptz` to the millisecond, read as a Date. */
export const instant = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: "date" });
