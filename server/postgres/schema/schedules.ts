/** When reports are sent and to whom, and a row for each time at which one was due. */
import { sql } from "drizzle-orm";
import { boolean, index, integer, pgTable, text, unique } from "drizzle-orm/pg-core";
import type { ReportFormat } from "../../contract/reports.ts";
import type { ScheduleEvery, SlotReason, SlotState, Weekday } from "../../contract/schedules.ts";
import { instant } from "./columns.ts";

export const schedules = pgTable(
  "schedules",
  {
    id: text("id").primaryKey(),
    /** A report's id, or the name of a standard one. */
    report: text("report").notNull(),
    /** A node, or an agent, which has no row of its own. */
    node: text("node").notNull(),
    every: text("every").$type<ScheduleEvery>().notNull(),
    /** `HH:MM` by the clock of `tz`. */
    at: text("at").notNull(),
    tz: text("tz").notNull(),
    /** Null where the period has no such choice. */
    weekday: text("weekday").$type<Weekday>(),
    day: integer("day"),
    fiscalStartMonth: integer("fiscal_start_month"),
    formats: text("formats").array().$type<ReportFormat[]>().notNull(),
    recipients: text("recipients").array().notNull(),
    /** Those of `recipients`, in lower case, who had an account: without it they get nothing, however they lost it. */
    people: text("people").array().notNull(),
    channels: text("channels").array().notNull(),
    subject: text("subject"),
    whenMissed: text("when_missed").$type<"catch_up" | "skip">().notNull(),
    whenEmpty: text("when_empty").$type<"send" | "skip">().notNull(),
    paused: boolean("paused").notNull().default(false),
    /** Who saved it last. */
    authorKind: text("author_kind").$type<"user" | "key" | "system">().notNull(),
    authorId: text("author_id").notNull(),
    authorName: text("author_name").notNull(),
    /** Every slot that was due by then has its row. */
    plannedUntil: instant("planned_until").notNull(),
    /** Cycles that end by then have their rows, or are to have none. Null: those that were due by `planned_until` have. */
    coveredUntil: instant("covered_until"),
    /** When to look whether a slot is due: at the next one, of cycles sooner, since subscriptions move them. */
    nextAt: instant("next_at").notNull(),
    createdAt: instant("created_at").notNull().defaultNow(),
  },
  (table) => [
    index("schedules_next").on(table.nextAt).where(sql`NOT ${table.paused}`),
    index("schedules_node").on(table.node),
    index("schedules_order").on(table.createdAt, table.id),
  ],
);

export const scheduleSlots = pgTable(
  "schedule_slots",
  {
    id: text("id").primaryKey(),
    schedule: text("schedule")
      .notNull()
      .references(() => schedules.id, { onDelete: "cascade" }),
    /** The period, half-open, and the zone whose dates bound it. */
    fromAt: instant("from_at").notNull(),
    toAt: instant("to_at").notNull(),
    tz: text("tz").notNull(),
    dueAt: instant("due_at").notNull(),
    /** '' of a slot; else what distinguishes one test from another. */
    test: text("test").notNull().default(""),
    /** The person who asked for a test; null where a key did. */
    testTo: text("test_to"),
    state: text("state").$type<SlotState>().notNull(),
    reason: text("reason").$type<SlotReason>(),
    run: text("run"),
    /** Runs of it that failed, and until when the next one waits. */
    failures: integer("failures").notNull().default(0),
    retryAt: instant("retry_at"),
    deliveries: text("deliveries").array().notNull().default([]),
    withheld: text("withheld").array().notNull().default([]),
    sentAt: instant("sent_at"),
    isLate: boolean("is_late").notNull().default(false),
  },
  (table) => [
    unique("schedule_slots_once").on(table.schedule, table.fromAt, table.toAt, table.test),
    index("schedule_slots_open").on(table.state, table.dueAt).where(sql`${table.state} IN ('waiting', 'running')`),
    index("schedule_slots_order").on(table.schedule, table.dueAt, table.id),
  ],
);
