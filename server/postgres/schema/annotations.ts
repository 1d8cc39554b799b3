/** What people noted at an instant of a node. */
import { index, pgTable, text } from "drizzle-orm/pg-core";
import { instant } from "./columns.ts";

export const annotations = pgTable(
  "annotations",
  {
    id: text("id").primaryKey(),
    node: text("node").notNull(),
    at: instant("at").notNull(),
    text: text("text").notNull(),
    /** A user's e-mail address, or a key's name. */
    author: text("author").notNull(),
    createdAt: instant("created_at").notNull().defaultNow(),
  },
  (table) => [index("annotations_node").on(table.node, table.at, table.id)],
);
