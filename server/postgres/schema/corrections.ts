/** What became of events after they were stored. Rows are never removed: they are what the events were before. */
import { type SQL, type SQLWrapper, sql } from "drizzle-orm";
import { bigint, customType, index, integer, pgTable, text, uniqueIndex } from "drizzle-orm/pg-core";
import { type EventRow, eventRowOf } from "../../clickhouse/event-columns.ts";
import { instant } from "./columns.ts";

/** A whole row of an event, with the columns of now. */
const eventRow = customType<{ data: EventRow; driverData: unknown }>({
  dataType: () => "jsonb",
  toDriver: (row) => JSON.stringify(row),
  fromDriver: (kept) => eventRowOf(kept as object),
});

/** The event's time before the correction, ms since 1970, UTC: as the indexes have it. */
export const timeBefore = (before: SQLWrapper): SQL<number> => sql<number>`((${before}->>'time_ms')::bigint)`;

export const eventCorrections = pgTable(
  "event_corrections",
  {
    id: text("id").primaryKey(),
    /** The identity of the event before the correction. */
    organization: text("organization").notNull(),
    eventId: text("event_id").notNull(),
    /** The source of a CloudEvent; '' for an event that has none. */
    source: text("source").notNull().default(""),
    action: text("action").$type<"void" | "amend">().notNull(),
    reason: text("reason").notNull(),
    actorKind: text("actor_kind").notNull(),
    actorId: text("actor_id").notNull(),
    actorName: text("actor_name").notNull(),
    at: instant("at").notNull(),
    before: eventRow("before").notNull(),
    after: eventRow("after"),
    /** Null where the event stays in its organization. */
    newOrganization: text("new_organization"),
    /** The batch of the row that is corrected: no row is corrected twice. */
    replaces: bigint("replaces", { mode: "number" }).notNull(),
    /** Given when it is applied for the first time. */
    voidBatch: bigint("void_batch", { mode: "number" }),
    amendBatch: bigint("amend_batch", { mode: "number" }),
    /** Null until it can be seen in queries. */
    appliedAt: instant("applied_at"),
    /** How often it could not be applied; one that could not is set aside until `retryAt`. */
    failures: integer("failures").notNull().default(0),
    retryAt: instant("retry_at"),
    /** Until then ClickHouse may still be rebuilding sessions for it: none of its organizations is rebuilt meanwhile. */
    inDoubtUntil: instant("in_doubt_until"),
  },
  (table) => [
    uniqueIndex("event_corrections_once").on(table.organization, table.eventId, table.source, table.replaces),
    index("event_corrections_of").on(table.organization, timeBefore(table.before)),
    index("event_corrections_moved")
      .on(table.newOrganization, timeBefore(table.before))
      .where(sql`${table.newOrganization} IS NOT NULL`),
    index("event_corrections_newest").on(table.at, table.id),
    index("event_corrections_pending").on(table.at).where(sql`${table.appliedAt} IS NULL`),
  ],
);
