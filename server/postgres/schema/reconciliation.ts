/** What reconciliation found wrong in storage, kept for ever, and the rebuilds that were asked for. */
import { sql } from "drizzle-orm";
import { date, index, integer, pgTable, text } from "drizzle-orm/pg-core";
import type { RebuildStage, Stage } from "../../contract/reconciliation.ts";
import { instant } from "./columns.ts";

export const reconciliations = pgTable(
  "reconciliations",
  {
    id: text("id").primaryKey(),
    at: instant("at").notNull(),
    /** Whose figures differed, and the nodes above it at the time. */
    node: text("node").notNull(),
    path: text("path").array().notNull(),
    /** The organization and UTC day that were compared; without one, every node's slots of the day. */
    organization: text("organization"),
    day: date("day", { mode: "string" }).notNull(),
    stage: text("stage").$type<Stage>().notNull(),
    /** How many rows differed, at least; the texts are of the first of them. */
    differences: integer("differences").notNull(),
    subject: text("subject").notNull(),
    expected: text("expected").notNull(),
    found: text("found").notNull(),
    /** Null: the repair did not end; it is done again. */
    repairedAt: instant("repaired_at"),
  },
  (table) => [
    index("reconciliations_at").on(table.at, table.id),
    index("reconciliations_unrepaired").on(table.at).where(sql`${table.repairedAt} IS NULL`),
  ],
);

export const rebuilds = pgTable(
  "rebuilds",
  {
    id: text("id").primaryKey(),
    stage: text("stage").$type<RebuildStage>().notNull(),
    /** Null: all of them. */
    organization: text("organization"),
    node: text("node").notNull(),
    path: text("path").array().notNull(),
    /** UTC days, `to` exclusive; null: no bound. */
    from: date("from", { mode: "string" }),
    to: date("to", { mode: "string" }),
    actorName: text("actor_name").notNull(),
    requestedAt: instant("requested_at").notNull(),
    /** Null until it is known how many there are. */
    pieces: integer("pieces"),
    piecesDone: integer("pieces_done").notNull().default(0),
    /** The last piece that is done: `organization day`. */
    lastPiece: text("last_piece"),
    repaired: integer("repaired").notNull().default(0),
    finishedAt: instant("finished_at"),
  },
  (table) => [index("rebuilds_unfinished").on(table.requestedAt).where(sql`${table.finishedAt} IS NULL`)],
);
