/** Meters that users made. A version is never changed: a change is a new version. */
import { integer, jsonb, pgTable, primaryKey, text, timestamp } from "drizzle-orm/pg-core";
import type { MeterDefinition } from "../../contract/meters.ts";

const instant = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: "date" });

export const customMeters = pgTable(
  "own_meters",
  {
    meter: text("meter").notNull(),
    version: integer("version").notNull(),
    /** Whose it is: it answers questions about this node and those below it. */
    node: text("node").notNull(),
    definition: jsonb("definition").$type<MeterDefinition>().notNull(),
    /** Null: for every question that no later version is for. */
    effectiveFrom: instant("effective_from"),
    createdAt: instant("created_at").notNull(),
    createdBy: text("created_by").notNull(),
    retiredAt: instant("retired_at"),
  },
  (table) => [primaryKey({ columns: [table.node, table.meter, table.version] })],
);
