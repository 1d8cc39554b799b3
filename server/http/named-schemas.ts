/** The names that schemas of the contract have in the OpenAPI document: those that they are exported under. */
import { z } from "zod";
import * as accounts from "../contract/accounts.ts";
import * as alerts from "../contract/alerts.ts";
import * as annotations from "../contract/annotations.ts";
import * as audit from "../contract/audit.ts";
import * as channels from "../contract/channels.ts";
import * as charges from "../contract/charges.ts";
import * as corrections from "../contract/corrections.ts";
import * as dataChanges from "../contract/data-changes.ts";
import * as definitionLimits from "../contract/definition-limits.ts";
import * as deliveries from "../contract/deliveries.ts";
import * as events from "../contract/events.ts";
import * as explain from "../contract/explain.ts";
import * as ingestHealth from "../contract/ingest-health.ts";
import * as jobs from "../contract/jobs.ts";
import * as live from "../contract/live.ts";
import * as meters from "../contract/meters.ts";
import * as models from "../contract/models.ts";
import * as nodes from "../contract/nodes.ts";
import * as notificationPreferences from "../contract/notification-preferences.ts";
import * as notifications from "../contract/notifications.ts";
import * as organizations from "../contract/organizations.ts";
import * as orphans from "../contract/orphans.ts";
import * as overview from "../contract/overview.ts";
import * as passkeys from "../contract/passkeys.ts";
import * as plans from "../contract/plans.ts";
import * as problem from "../contract/problem.ts";
import * as quarantine from "../contract/quarantine.ts";
import * as quotas from "../contract/quotas.ts";
import * as reconciliation from "../contract/reconciliation.ts";
import * as records from "../contract/records.ts";
import * as reports from "../contract/reports.ts";
import * as rules from "../contract/rules.ts";
import * as schedules from "../contract/schedules.ts";
import * as sessions from "../contract/sessions.ts";
import * as sharedViews from "../contract/shared-views.ts";
import * as statements from "../contract/statements.ts";
import * as subscriptions from "../contract/subscriptions.ts";
import * as usage from "../contract/usage.ts";
import * as users from "../contract/users.ts";
import * as viewLinks from "../contract/view-links.ts";
import * as views from "../contract/views.ts";
import * as whatIf from "../contract/what-if.ts";

const contracts = [
  accounts,
  alerts,
  annotations,
  audit,
  channels,
  charges,
  corrections,
  dataChanges,
  definitionLimits,
  deliveries,
  events,
  explain,
  ingestHealth,
  jobs,
  live,
  meters,
  models,
  nodes,
  notificationPreferences,
  notifications,
  organizations,
  orphans,
  overview,
  passkeys,
  plans,
  problem,
  quarantine,
  quotas,
  reconciliation,
  records,
  reports,
  rules,
  schedules,
  sessions,
  sharedViews,
  statements,
  subscriptions,
  usage,
  users,
  viewLinks,
  views,
  whatIf,
];

/** Objects and unions get names; a name for each text or number would hide what it is. */
const isNamed = (value: unknown): value is z.ZodType => value instanceof z.ZodObject || value instanceof z.ZodUnion;

/** A schema by its name; `usageEventSchema` is `UsageEvent`. Those of queries are parameters, which have no such name. */
export const namedSchemas: ReadonlyMap<string, z.ZodType> = new Map(
  contracts.flatMap((contract) =>
    Object.entries(contract as Record<string, unknown>).flatMap(([exported, value]): [string, z.ZodType][] => {
      const name = /^(\w+)Schema$/.exec(exported)?.[1];
      if (name === undefined || name.endsWith("Query") || !isNamed(value)) return [];
      return [[name.charAt(0).toUpperCase() + name.slice(1), value]];
    }),
  ),
);
