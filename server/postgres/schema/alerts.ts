/**
 * Rules, what they found, and who was notified. Its unique `key` makes an alert exist once: however often the same is found, by
 * however many processes, there is one row of it, and what is sent is written with it in one transaction.
 */
import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  check,
  doublePrecision,
  index,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  uniqueIndex,
} from "drizzle-orm/pg-core";
import type { AlertState } from "../../contract/alerts.ts";
import type { BellChoice, MailChoice } from "../../contract/notification-preferences.ts";
import type { NotificationType } from "../../contract/notifications.ts";
import type { Condition, MuteWindow, RuleKind, RuleScope, Severity } from "../../contract/rules.ts";
import { users } from "./accounts.ts";
import { instant } from "./columns.ts";

export const rules = pgTable(
  "rules",
  {
    id: text("id").primaryKey(),
    node: text("node").notNull(),
    name: text("name").notNull(),
    kind: text("kind").$type<RuleKind>().notNull(),
    scope: text("scope").$type<RuleScope>().notNull(),
    severity: text("severity").$type<Severity>().notNull(),
    enabled: boolean("enabled").notNull(),
    channels: text("channels").array().notNull(),
    repeatHours: doublePrecision("repeat_hours"),
    mute: jsonb("mute").$type<MuteWindow[]>().notNull(),
    /** The rule whose place it takes; that one may be gone by now. */
    replaces: text("replaces"),
    condition: jsonb("condition").$type<Condition>().notNull(),
    isDefault: boolean("is_default").notNull().default(false),
    createdAt: instant("created_at").notNull().defaultNow(),
    /** Since when it is in force as it is: what only happened before is not reported. */
    inForceSince: instant("in_force_since").notNull().defaultNow(),
  },
  (table) => [
    index("rules_node").on(table.node),
    uniqueIndex("rules_one_default").on(table.isDefault).where(sql`${table.isDefault}`),
  ],
);

export const alerts = pgTable(
  "alerts",
  {
    id: text("id").primaryKey(),
    key: text("key").notNull().unique(),
    /** A rule that was removed leaves its alerts. */
    ruleId: text("rule_id").notNull(),
    ruleName: text("rule_name").notNull(),
    kind: text("kind").$type<RuleKind>().notNull(),
    node: text("node").notNull(),
    /** The node with a place in the tree: of an agent its organization. */
    place: text("place").notNull(),
    /** Whose it is, where it is about a bill: its node and all above it when the bill was made, whoever has the node now. */
    owners: text("owners").array(),
    /** What of the node it is about: those of one subject are reported together. */
    subject: text("subject").notNull(),
    severity: text("severity").$type<Severity>().notNull(),
    state: text("state").$type<AlertState>().notNull(),
    feature: text("feature"),
    meter: text("meter"),
    threshold: jsonb("threshold").$type<number | string>(),
    value: text("value"),
    limit: text("limit"),
    percent: text("percent"),
    periodStart: instant("period_start"),
    periodEnd: instant("period_end"),
    at: instant("at").notNull(),
    firedAt: instant("fired_at"),
    resolvedAt: instant("resolved_at"),
    /** What is still to be reported of it. */
    due: text("due").$type<NotificationType>(),
    dueSince: instant("due_since"),
    /** When it was last reported that it fires. */
    notifiedAt: instant("told_at"),
    /** It resolved and holds again in the same period, of which nothing more is reported. */
    isQuiet: boolean("is_quiet").notNull().default(false),
    /** The alert of a higher threshold whose message stands for this one too; it is shown nowhere. */
    passedWith: text("passed_with"),
    acknowledgedBy: text("acknowledged_by"),
    acknowledgedAt: instant("acknowledged_at"),
    snoozedUntil: instant("snoozed_until"),
    explanation: text("explanation").notNull(),
    watermark: instant("watermark").notNull(),
  },
  (table) => [
    index("alerts_place").on(table.place, table.at),
    index("alerts_at").on(table.at, table.id),
    index("alerts_rule").on(table.ruleId, table.node),
    index("alerts_open").on(table.ruleId).where(sql`${table.state} <> 'resolved'`),
    index("alerts_due").on(table.ruleId).where(sql`${table.due} IS NOT NULL`),
    // What may fire again has one open alert at a time.
    uniqueIndex("alerts_one_open")
      .on(table.ruleId, table.node, table.subject)
      .where(sql`${table.state} <> 'resolved' AND ${table.kind} <> 'quota'`),
  ],
);

export const notifications = pgTable(
  "notifications",
  {
    id: text("id").primaryKey(),
    userId: text("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    alertId: text("alert_id")
      .notNull()
      .references(() => alerts.id),
    type: text("type").$type<NotificationType>().notNull(),
    text: text("text").notNull(),
    /** The alerts that were reported with the first one. */
    others: text("others").array().notNull(),
    at: instant("at").notNull(),
    readAt: instant("read_at"),
  },
  (table) => [
    index("notifications_user").on(table.userId, table.at, table.id),
    index("notifications_unread").on(table.userId).where(sql`${table.readAt} IS NULL`),
    index("notifications_alert").on(table.alertId),
  ],
);

/** How a person wants to be notified, where that is not the default. */
export const notificationPreferences = pgTable("notification_preferences", {
  userId: text("user_id")
    .primaryKey()
    .references(() => users.id, { onDelete: "cascade" }),
  /** By `KIND SEVERITY`. */
  choices: jsonb("choices").$type<Record<string, { bell: BellChoice; mail: MailChoice }>>().notNull(),
  /** `HH:MM` by the clock of the zone. */
  digestAt: text("digest_at").notNull(),
  digestTz: text("digest_tz").notNull(),
});

/** What waits for the next digest of a person. */
export const digestEntries = pgTable(
  "digest_entries",
  {
    userId: text("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    alertId: text("alert_id")
      .notNull()
      .references(() => alerts.id),
    kind: text("kind").$type<RuleKind>().notNull(),
    severity: text("severity").$type<Severity>().notNull(),
    dueAt: instant("due_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.alertId, table.dueAt] }),
    index("digest_entries_due").on(table.dueAt),
  ],
);

/** Up to where everything was evaluated: what came after it is evaluated next, however long nothing ran. */
export const alertProgress = pgTable(
  "alert_progress",
  {
    only: smallint("only").primaryKey().default(1),
    /** Up to which batch what was touched is evaluated. */
    batch: bigint("batch", { mode: "number" }).notNull(),
    /** Up to which entry of the audit. */
    auditSequence: bigint("audit_sequence", { mode: "number" }).notNull(),
    /** The watermark of the last time that everything was evaluated. */
    sweptAt: instant("swept_at").notNull(),
    /** The watermark up to which the limits that are evaluated node by node, in turns, were all evaluated. */
    costlyUntil: instant("costly_until").notNull().defaultNow(),
    /** The watermark up to which every threshold was evaluated. */
    evaluatedUntil: instant("judged_until").notNull().defaultNow(),
  },
  (table) => [check("alert_progress_one_row", sql`${table.only} = 1`)],
);
