/** Rules evaluated on stores of their own, by a clock that tests set. */
import { and, eq } from "drizzle-orm";
import { expect } from "vitest";
import { Evaluator } from "../../server/alerts/evaluator.ts";
import { beginAlerts } from "../../server/alerts/rules.ts";
import type { Alert } from "../../server/contract/alerts.ts";
import type { CreateRule } from "../../server/contract/rules.ts";
import { alerts, notifications } from "../../server/postgres/schema/alerts.ts";
import { deliveries } from "../../server/postgres/schema/delivery.ts";
import type { Answer } from "./accounts.ts";
import { type Billing, createBilling } from "./billing.ts";

export const seller = "reseller:asked-about-9f3c";
export const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;

export interface WatchedOrganization {
  organization: string;
  node: string;
  /** Empty without a plan. */
  plan: string;
  subscription: string;
}

export interface AlertsWorld {
  billing: Billing;
  /** What the evaluator takes for now, and for the watermark. */
  nowMs: number;
  /** How the service itself does. */
  service: { failedJobs: string[]; backlogShare: number; watermarkBehindMs: number; isClickHouseUp: boolean };
  /** As after a restart: by a new evaluator each time. Default: a millisecond later. */
  evaluate(at?: number | string): Promise<void>;
  /** As after a restart, by the clock of `nowMs`. */
  newEvaluator(): Evaluator;
  /** Below the seller; with a plan of so many included call minutes where they are given. */
  newOrganization(included?: string, feature?: object): Promise<WatchedOrganization>;
  newRule(rule: Partial<CreateRule> & Pick<CreateRule, "condition">): Promise<string>;
  /** Those that `newRule` made. */
  removeRules(): Promise<void>;
  ask(method: string, path: string, body?: object): Promise<Answer>;
  alertsOf(node: string, rule?: string): Promise<Alert[]>;
  /** Notifications to the people of all about a node, oldest first: `TYPE THRESHOLD`. */
  notificationsOf(node: string, rule?: string): Promise<string[]>;
  /** What was written to the outbox of a rule's alerts, the oldest first: `TYPE THRESHOLD`. */
  sentOf(rule: string): Promise<string[]>;
  close(): Promise<void>;
}

export async function createAlertsWorld(): Promise<AlertsWorld> {
  const billing = await createBilling();
  const { deps } = billing.world;
  const { db } = deps.postgres;
  await beginAlerts(deps.postgres);
  const ruleIds = new Set<string>();
  let made = 0;
  const world: AlertsWorld = {
    billing,
    nowMs: Date.parse("2026-03-10T12:00:00Z"),
    service: { failedJobs: [], backlogShare: 0, watermarkBehindMs: 0, isClickHouseUp: true },
    async evaluate(at = world.nowMs + 1) {
      world.nowMs = typeof at === "string" ? Date.parse(at) : at;
      const evaluator = world.newEvaluator();
      do await evaluator.run();
      while (evaluator.isBehind);
    },
    newEvaluator() {
      const { failedJobs, backlogShare, watermarkBehindMs, isClickHouseUp } = world.service;
      const clock = { now: () => world.nowMs, watermark: () => new Date(world.nowMs - watermarkBehindMs) };
      const meterOf = (...asked: Parameters<typeof deps.customMeters.find>) => deps.customMeters.find(...asked);
      const rest = { meterOf, publicUrl: "https://tidemark.example", backlogShare: async () => backlogShare };
      const clickhouse = isClickHouseUp
        ? deps.clickhouse
        : { ...deps.clickhouse, ping: () => Promise.reject(new Error("it does not answer")) };
      return new Evaluator({ ...deps, clickhouse, ...clock, ...rest, failedJobs: async () => failedJobs });
    },
    async newOrganization(included, rest = {}) {
      const organization = `watched-${++made}`;
      const node = `organization:${organization}`;
      await deps.tree.ensureOrganizations([organization], seller);
      if (included === undefined) return { organization, node, plan: "", subscription: "" };
      const feature = { key: "calls", meter: "call_minutes", included, overage: "notify", ...rest };
      const plan = await billing.plan("all", { currency: "EUR", features: [feature] });
      const when = { starts_at: "2026-01-01T00:00:00Z", anchor: 1, tz: "UTC" };
      return { organization, node, plan, subscription: await billing.subscribe(node, plan, when) };
    },
    async newRule(rule) {
      const answer = await world.ask("POST", "/v1/rules", { name: "A rule", ...rule });
      expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 201 });
      ruleIds.add(answer.body.id);
      return answer.body.id;
    },
    async removeRules() {
      for (const id of ruleIds) await world.ask("DELETE", `/v1/rules/${id}`);
      ruleIds.clear();
    },
    ask: (method, path, body) => billing.world.ask(method, path, { key: billing.key, ...(body && { body }) }),
    async alertsOf(node, rule) {
      const { alerts: found } = await billing.get(
        `/v1/alerts?node=${encodeURIComponent(node)}${rule ? `&rule=${rule}` : ""}`,
      );
      return found;
    },
    async notificationsOf(node, rule) {
      const rows = await db
        .select()
        .from(notifications)
        .innerJoin(alerts, eq(alerts.id, notifications.alertId))
        .where(and(eq(alerts.node, node), rule === undefined ? undefined : eq(alerts.ruleId, rule)))
        .orderBy(notifications.at, notifications.id);
      const [first] = rows;
      return rows
        .filter((row) => row.notifications.userId === first?.notifications.userId)
        .map((row) => `${row.notifications.type} ${row.alerts.threshold}`);
    },
    async sentOf(rule) {
      const rows = await db
        .select()
        .from(deliveries)
        .innerJoin(alerts, eq(alerts.id, deliveries.alert))
        .where(eq(alerts.ruleId, rule))
        .orderBy(deliveries.position);
      return rows.map((row) => `${row.deliveries.type} ${row.alerts.threshold}`);
    },
    close: () => billing.world.close(),
  };
  return world;
}
