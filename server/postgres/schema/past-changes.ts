/** What changes figures of the past otherwise than by an event that comes: closed statements are measured anew for it. */
import { sql } from "drizzle-orm";
import { bigint, index, pgTable, text } from "drizzle-orm/pg-core";
import { instant } from "./columns.ts";

export const pastChanges = pgTable(
  "past_changes",
  {
    number: bigint("number", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    /** What made it: its rows become visible together. */
    cause: text("cause").notNull(),
    /** Whose figures differ. */
    node: text("node").notNull(),
    /** Null: of every meter. Else of this meter alone, of all that stands below the node too. */
    meter: text("meter"),
    fromAt: instant("from_at").notNull(),
    /** Both included; null: since then for ever. */
    toAt: instant("to_at"),
    /** Null until queries show it: what was measured before may not have it. */
    visibleAt: instant("visible_at"),
  },
  (table) => [
    index("past_changes_announced").on(table.cause).where(sql`${table.visibleAt} IS NULL`),
    index("past_changes_visible").on(table.number).where(sql`${table.visibleAt} IS NOT NULL`),
  ],
);
