/** Every organization with its plan, users, usage and quota status. Pure. */
import type { Meter } from "../../catalog/meter.ts";
import { isSumOverTime } from "../../catalog/rule-traits.ts";
import type { Organization } from "../../contract/organizations.ts";
import { quotaFilters } from "../../contract/organizations.ts";
import type { ReportCell, ReportSection } from "../../contract/reports.ts";
import { zeroOf } from "../../metrics/usage.ts";
import { column, meterColumn, section } from "./section.ts";

export interface OrganizationsAnswers {
  meter: Meter;
  organizations: readonly Organization[];
}

export function organizationsSections({ meter, organizations }: OrganizationsAnswers): ReportSection[] {
  const isDecimal = typeof zeroOf(meter) === "string";
  const columns = [
    column("node", "Node"),
    column("name", "Name"),
    column("external_id", "External ID"),
    column("parent", "Parent"),
    column("status", "Status"),
    column("plan", "Plan"),
    column("plan_version", "Version", "integer"),
    column("subscription_status", "Subscription"),
    column("users", "Users", "integer"),
    meterColumn("usage", meter.title, meter, isDecimal),
    column("quota_status", "Quota"),
    column("quota_feature", "Limit ID"),
    column("quota_title", "Most used limit"),
    column("quota_percent", "Used", "percent", "%"),
    column("created_at", "Created", "instant"),
  ];
  const rows = organizations.map((one): ReportCell[] => [
    one.node,
    one.name,
    one.external_id,
    one.parent,
    one.status,
    one.plan?.name ?? null,
    one.plan?.version ?? null,
    one.plan?.status ?? null,
    one.users,
    one.usage,
    one.quota?.status ?? null,
    one.quota?.feature ?? null,
    one.quota?.title ?? null,
    one.quota?.percent == null ? null : Number(one.quota.percent),
    one.created_at,
  ]);
  const summed = ["users", ...(isSumOverTime(meter.rule) ? ["usage"] : [])];
  return [section("organizations", "Organizations", columns, rows, summed), byQuota(organizations)];
}

function byQuota(organizations: readonly Organization[]): ReportSection {
  const count = (status: string) => organizations.filter(({ quota }) => (quota?.status ?? "none") === status).length;
  const columns = [column("quota_status", "Quota"), column("organizations", "Organizations", "integer")];
  const rows = quotaFilters.map((status): ReportCell[] => [status, count(status)]);
  return section("quotas", "Organizations by quota status", columns, rows, ["organizations"]);
}
