/** Plans and who is subscribed to which since when. What was in force once is never changed: history is rows. */
import { sql } from "drizzle-orm";
import { boolean, index, integer, jsonb, pgTable, primaryKey, text, uniqueIndex } from "drizzle-orm/pg-core";
import type { PlanTerms } from "../../contract/plans.ts";
import { nodes } from "./accounts.ts";
import { instant } from "./columns.ts";

export const plans = pgTable("plans", {
  id: text("id").primaryKey(),
  node: text("node")
    .notNull()
    .references(() => nodes.node),
  name: text("name").notNull(),
  /** Whether those below the node may see it and subscribe to it. */
  offered: boolean("offered").notNull(),
  createdAt: instant("created_at").notNull().defaultNow(),
});

export const planVersions = pgTable(
  "plan_versions",
  {
    planId: text("plan_id")
      .notNull()
      .references(() => plans.id),
    version: integer("version").notNull(),
    terms: jsonb("terms").$type<PlanTerms>().notNull(),
    createdAt: instant("created_at").notNull().defaultNow(),
    /** Null while it is a draft; from then on the row never changes. */
    publishedAt: instant("published_at"),
  },
  (table) => [
    primaryKey({ columns: [table.planId, table.version] }),
    uniqueIndex("plan_versions_one_draft").on(table.planId).where(sql`${table.publishedAt} IS NULL`),
  ],
);

export const subscriptions = pgTable(
  "subscriptions",
  {
    id: text("id").primaryKey(),
    node: text("node")
      .notNull()
      .references(() => nodes.node),
    /** The day of the month on which its cycles begin, 1 to 31, in `tz`. */
    anchor: integer("anchor").notNull(),
    tz: text("tz").notNull(),
    startsAt: instant("starts_at").notNull(),
    trialEndsAt: instant("trial_ends_at"),
    /** Where its term ends; with `renews` it goes on beyond that. */
    expiresAt: instant("expires_at"),
    renews: boolean("renews").notNull(),
    cancelledAt: instant("cancelled_at"),
    createdAt: instant("created_at").notNull().defaultNow(),
  },
  (table) => [index("subscriptions_node").on(table.node, table.startsAt)],
);

/** Which version of which plan a subscription was under from `valid_from` on, until its next row. */
export const subscriptionPlans = pgTable(
  "subscription_plans",
  {
    subscriptionId: text("subscription_id")
      .notNull()
      .references(() => subscriptions.id),
    validFrom: instant("valid_from").notNull(),
    planId: text("plan_id")
      .notNull()
      .references(() => plans.id),
    version: integer("version").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.subscriptionId, table.validFrom] }),
    index("subscription_plans_plan").on(table.planId),
  ],
);
