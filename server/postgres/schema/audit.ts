/** What was changed, by whom. A trigger refuses to change or remove a row of `audit_entries`; see server/audit. */

import { sql } from "drizzle-orm";
import { bigint, check, index, pgTable, smallint, text, timestamp } from "drizzle-orm/pg-core";

export const auditEntries = pgTable(
  "audit_entries",
  {
    /** 1, 2, 3 and so on without a gap, in the order of commits. */
    sequence: bigint("sequence", { mode: "number" }).primaryKey(),
    at: timestamp("at", { withTimezone: true, precision: 3, mode: "date" }).notNull(),
    actorKind: text("actor_kind").$type<"user" | "key" | "system">().notNull(),
    actorId: text("actor_id").notNull(),
    actorName: text("actor_name").notNull(),
    /** Where the request came from; null for what the service did by itself. */
    address: text("address"),
    /** The node that the change is about. */
    node: text("node").notNull(),
    /** The node and everything above it as of the change, nearest first: who sees the entry. */
    path: text("path").array().notNull(),
    /** `<noun>.<past tense>` */
    action: text("action").notNull(),
    /** What was changed: a node's address, or an id. */
    subject: text("subject").notNull(),
    /** Canonical JSON without secrets, kept to the letter since it is hashed; null where there was nothing. */
    before: text("before"),
    after: text("after"),
    previousHash: text("previous_hash").notNull(),
    hash: text("hash").notNull(),
  },
  (table) => [
    index("audit_entries_path").using("gin", table.path),
    index("audit_entries_at").on(table.at),
    index("audit_entries_subject").on(table.subject, table.sequence),
  ],
);

/** The newest entry, in one row: it is locked by who appends, and shows when the last entries were removed. */
export const auditHead = pgTable(
  "audit_head",
  {
    only: smallint("only").primaryKey().default(1),
    sequence: bigint("sequence", { mode: "number" }).notNull(),
    hash: text("hash").notNull(),
  },
  (table) => [check("audit_head_one_row", sql`${table.only} = 1`)],
);
