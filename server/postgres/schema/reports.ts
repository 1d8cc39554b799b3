/** Reports, the runs that make them, and their files: in Postgres, so that any process serves what any other made. */
import { customType, index, integer, jsonb, pgTable, primaryKey, text, unique } from "drizzle-orm/pg-core";
import type { ReportFormat, ReportKind, ReportOptions, RunState } from "../../contract/reports.ts";
import { instant } from "./columns.ts";
import { placeOf } from "./place-of.ts";

const bytes = customType<{ data: Buffer }>({ dataType: () => "bytea" });

export const reports = pgTable(
  "reports",
  {
    id: text("id").primaryKey(),
    node: text("node").notNull(),
    name: text("name").notNull(),
    kind: text("kind").$type<ReportKind>().notNull(),
    options: jsonb("options").$type<ReportOptions>().notNull(),
    createdAt: instant("created_at").notNull().defaultNow(),
    createdBy: text("created_by").notNull(),
  },
  (table) => [unique("reports_node_name").on(table.node, table.name), index("reports_order").on(table.name, table.id)],
);

export const reportRuns = pgTable(
  "report_runs",
  {
    id: text("id").primaryKey(),
    /** What asked for it, where it is to be made once at most: a slot of a schedule. */
    onceKey: text("once_key").unique("report_runs_once"),
    /** A report's id, or the name of a standard one; what it said is kept beside, so that a run outlives it. */
    report: text("report").notNull(),
    name: text("name").notNull(),
    kind: text("kind").$type<ReportKind>().notNull(),
    options: jsonb("options").$type<ReportOptions>().notNull(),
    /** Whose the report is: who may not read there does not see its options. Null of a standard one. */
    reportNode: text("report_node"),
    node: text("node").notNull(),
    /** The nodes by which its requester saw what it shows; null: the node itself, and so all of it. */
    reach: text("reach").array(),
    fromAt: instant("from_at").notNull(),
    toAt: instant("to_at").notNull(),
    tz: text("tz").notNull(),
    formats: text("formats").array().$type<ReportFormat[]>().notNull(),
    state: text("state").$type<RunState>().notNull(),
    progress: integer("progress").notNull().default(0),
    error: text("error"),
    watermark: instant("watermark"),
    madeAt: instant("made_at"),
    requestedAt: instant("requested_at").notNull(),
    requestedById: text("requested_by_id").notNull(),
    requestedByName: text("requested_by_name").notNull(),
    expiresAt: instant("expires_at").notNull(),
    /** Until when the process that makes it has it to itself; each lease has a name of its own. */
    leasedUntil: instant("leased_until"),
    lease: text("lease"),
    attempts: integer("attempts").notNull().default(0),
  },
  (table) => [
    index("report_runs_state").on(table.state, table.requestedAt),
    index("report_runs_place").on(placeOf(table.node), table.requestedAt),
    index("report_runs_order").on(table.requestedAt, table.id),
    index("report_runs_expiry").on(table.expiresAt),
  ],
);

export const reportFiles = pgTable(
  "report_files",
  {
    run: text("run")
      .notNull()
      .references(() => reportRuns.id, { onDelete: "cascade" }),
    /** `document`: what the formats are drawn from, as JSON. */
    format: text("format").$type<ReportFormat | "document">().notNull(),
    /** '' where one file holds all sections. */
    section: text("section").notNull(),
    position: integer("position").notNull(),
    bytes: integer("bytes").notNull(),
    sha256: text("sha256").notNull(),
  },
  (table) => [primaryKey({ columns: [table.run, table.format, table.section] })],
);

export const reportFileParts = pgTable(
  "report_file_parts",
  {
    run: text("run")
      .notNull()
      .references(() => reportRuns.id, { onDelete: "cascade" }),
    format: text("format").$type<ReportFormat | "document">().notNull(),
    section: text("section").notNull(),
    number: integer("number").notNull(),
    content: bytes("content").notNull(),
  },
  (table) => [primaryKey({ columns: [table.run, table.format, table.section, table.number] })],
);
