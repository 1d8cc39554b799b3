/** Secrets that an installation makes for itself and every process of it shares; one row, made by its migration. */
import { sql } from "drizzle-orm";
import { check, pgTable, smallint, text } from "drizzle-orm/pg-core";

export const installationSecrets = pgTable(
  "installation_secrets",
  {
    only: smallint("only").primaryKey().default(1),
    /** 244 random bits: the key of entity tags. */
    entityTags: text("entity_tags").notNull(),
    /** As many: the key of links that work without credentials. */
    fileLinks: text("file_links").notNull().default(sql`gen_random_uuid()::text || gen_random_uuid()::text`),
  },
  (table) => [check("installation_secrets_one_row", sql`${table.only} = 1`)],
);
