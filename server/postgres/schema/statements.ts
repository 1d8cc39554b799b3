/** Statements. What a row says was frozen when it was closed; only its payment and the summary that claims it come later. */
import { sql } from "drizzle-orm";
import { bigint, check, index, integer, jsonb, pgTable, smallint, text, unique } from "drizzle-orm/pg-core";
import type { PaymentStatus } from "../../contract/payment-status.ts";
import type { StatementCharges, StatementKind, StatementLine, StatementUsage } from "../../contract/statements.ts";
import { instant } from "./columns.ts";

/** A part of a cycle under one version of a plan, ms since 1970, UTC, half-open. */
export interface FrozenSegment {
  fromMs: number;
  toMs: number;
  planId: string;
  version: number;
}

export const statements = pgTable(
  "statements",
  {
    id: text("id").primaryKey(),
    kind: text("kind").$type<StatementKind>().notNull(),
    node: text("node").notNull(),
    /** The node and everything above it in that part of the cycle, nearest first: who sees the statement. */
    path: text("path").array().notNull(),
    currency: text("currency").notNull(),
    /** '' for summaries and corrections. */
    subscriptionId: text("subscription_id").notNull(),
    cycleStart: instant("cycle_start").notNull(),
    cycleEnd: instant("cycle_end").notNull(),
    partFrom: instant("part_from").notNull(),
    partTo: instant("part_to").notNull(),
    tz: text("tz").notNull(),
    closedAt: instant("closed_at").notNull(),
    /** All of the part, and of these what is charged: without the trial. */
    segments: jsonb("segments").$type<FrozenSegment[]>().notNull(),
    chargedSegments: jsonb("charged_segments").$type<FrozenSegment[]>().notNull(),
    usage: jsonb("usage").$type<StatementUsage[]>().notNull(),
    /** At every level from the node's own up. */
    charges: jsonb("charges").$type<StatementCharges[]>().notNull(),
    income: jsonb("income").$type<StatementLine[]>(),
    total: text("total").notNull(),
    incomeTotal: text("income_total"),
    paymentStatus: text("payment_status").$type<PaymentStatus>().notNull().default("open"),
    paymentAt: instant("payment_at").notNull(),
    /** The reseller or partner whose summary is to have it as a line; null where nobody sums it up. */
    claimant: text("claimant"),
    summaryId: text("summary_id"),
  },
  (table) => [
    unique("statements_once").on(
      table.node,
      table.kind,
      table.subscriptionId,
      table.cycleStart,
      table.partFrom,
      table.currency,
      table.path,
    ),
    index("statements_path").using("gin", table.path),
    index("statements_order").on(table.partTo, table.id),
    index("statements_unclaimed")
      .on(table.claimant, table.partTo)
      .where(sql`${table.summaryId} IS NULL AND ${table.claimant} IS NOT NULL`),
  ],
);

/** What later events changed of a statement. It is computed anew while no statement carries it, and never after. */
export const statementAdjustments = pgTable(
  "statement_adjustments",
  {
    id: text("id").primaryKey(),
    statementId: text("statement_id")
      .notNull()
      .references(() => statements.id),
    /** 1, 2, 3 and so on; the last one may be open. */
    number: integer("number").notNull(),
    at: instant("at").notNull(),
    charges: jsonb("charges").$type<Omit<StatementCharges, "payer" | "margin">[]>().notNull(),
    carriedBy: text("carried_by").references(() => statements.id),
  },
  (table) => [
    unique("statement_adjustments_once").on(table.statementId, table.number),
    index("statement_adjustments_open").on(table.statementId).where(sql`${table.carriedBy} IS NULL`),
  ],
);

/** Every payment status that a statement was given, in the order in which they were reported. */
export const statementPayments = pgTable(
  "statement_payments",
  {
    id: text("id").primaryKey(),
    statementId: text("statement_id")
      .notNull()
      .references(() => statements.id),
    status: text("status").$type<PaymentStatus>().notNull(),
    at: instant("at").notNull(),
    reason: text("reason"),
    reference: text("reference"),
    actorName: text("actor_name").notNull(),
    recordedAt: instant("recorded_at").notNull(),
    /** The provider's message: each is taken once. */
    messageId: text("message_id").unique(),
  },
  (table) => [index("statement_payments_statement").on(table.statementId, table.recordedAt)],
);

/** How far events were looked through for what changes closed statements; one row. */
export const statementProgress = pgTable(
  "statement_progress",
  {
    only: smallint("only").primaryKey().default(1),
    settledBatch: bigint("settled_batch", { mode: "number" }).notNull(),
    /** What was accepted until then is in the adjustments. */
    adjustedUntil: instant("adjusted_until"),
  },
  (table) => [check("statement_progress_one_row", sql`${table.only} = 1`)],
);
