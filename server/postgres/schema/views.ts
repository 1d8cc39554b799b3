/** Questions of the usage page that are kept under a name. */
import { jsonb, pgTable, text, unique } from "drizzle-orm/pg-core";
import type { Panel } from "../../contract/views.ts";
import { instant } from "./columns.ts";

export const views = pgTable(
  "views",
  {
    id: text("id").primaryKey(),
    node: text("node").notNull(),
    name: text("name").notNull(),
    /** As the address of the page has it. */
    query: text("query").notNull(),
    /** Null: the query alone is the question. */
    panels: jsonb("panels").$type<Panel[]>(),
    createdAt: instant("created_at").notNull().defaultNow(),
  },
  (table) => [unique("views_node_name").on(table.node, table.name)],
);
