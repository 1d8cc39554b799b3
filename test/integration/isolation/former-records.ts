/** What is on record of the time when the node had another owner, as the service would have stored it. */
import type { alerts } from "../../../server/postgres/schema/alerts.ts";
import type { statements } from "../../../server/postgres/schema/statements.ts";
import { inside } from "../../support/isolation-world.ts";

/** An alert of a rule of the former owner, acknowledged by one of its people. */
export const formerAlert = (at: Date, acknowledgedBy: string): typeof alerts.$inferInsert => ({
  id: "alr_former",
  key: "former",
  ruleId: "rul_7c1e",
  ruleName: "Rule 7c1e",
  kind: "threshold",
  subject: "",
  node: inside,
  place: inside,
  severity: "warning",
  state: "firing",
  at,
  watermark: at,
  acknowledgedBy,
  acknowledgedAt: at,
  explanation: "It holds.",
});

/** A statement of a cycle in which the node was below `parent`. */
export const closedStatement = (id: string, parent: string, from: Date, to: Date): typeof statements.$inferInsert => ({
  id,
  node: inside,
  path: [inside, parent, "partner:above-9f3c", "all"],
  subscriptionId: id,
  tz: "UTC",
  kind: "subscription",
  currency: "EUR",
  total: "61.10",
  incomeTotal: null,
  paymentStatus: "open",
  cycleStart: from,
  cycleEnd: to,
  partFrom: from,
  partTo: to,
  closedAt: to,
  paymentAt: to,
  charges: [],
  segments: [],
  chargedSegments: [],
  usage: [],
});
