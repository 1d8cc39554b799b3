/** The registry of speech models: what the model ids that events carry stand for. */
import { pgTable, text, unique } from "drizzle-orm/pg-core";
import type { ModelTier } from "../../contract/models.ts";
import { nodes } from "./accounts.ts";
import { instant } from "./columns.ts";

export const models = pgTable(
  "models",
  {
    id: text("id").primaryKey(),
    /** Whose it is: known here and everywhere below. */
    node: text("node")
      .notNull()
      .references(() => nodes.node),
    /** As events name it. */
    model: text("model").notNull(),
    name: text("name").notNull(),
    tier: text("tier").$type<ModelTier>().notNull(),
    description: text("description").notNull(),
    createdAt: instant("created_at").notNull().defaultNow(),
  },
  (table) => [unique("models_node_model").on(table.node, table.model)],
);
