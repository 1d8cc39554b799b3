/** Meters that users made. A version is never changed: a change is a new version. */
import { integer, jsonb, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import type { MeterDefinition } from "../../contract/meters.ts";
import { instant } from "./columns.ts";

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
