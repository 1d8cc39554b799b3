/** Links that show a dashboard to whoever has one. */
import { index, pgTable, text, timestamp } from "drizzle-orm/pg-core";
import { views } from "./views.ts";

const instant = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: "date" });

export const viewLinks = pgTable(
  "view_links",
  {
    id: text("id").primaryKey(),
    view: text("view")
      .notNull()
      .references(() => views.id, { onDelete: "cascade" }),
    /** Whose figures it shows. */
    node: text("node").notNull(),
    /** sha256 in hex of what the link has behind `#`. */
    tokenHash: text("token_hash").notNull().unique(),
    /** Whose rights it has, as they are when it is used. */
    makerKind: text("maker_kind").$type<"user" | "key">().notNull(),
    makerId: text("maker_id").notNull(),
    /** A user's e-mail address, or a key's name. */
    makerName: text("maker_name").notNull(),
    createdAt: instant("created_at").notNull().defaultNow(),
    expiresAt: instant("expires_at").notNull(),
    revokedAt: instant("revoked_at"),
    lastUsedAt: instant("last_used_at"),
  },
  (table) => [index("view_links_view").on(table.view, table.createdAt), index("view_links_node").on(table.node)],
);
