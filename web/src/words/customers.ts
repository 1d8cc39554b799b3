/** The states of a reseller's customers. */

import type { Organization, OrganizationSort } from "@contract/organizations.ts";
import type { QuotaStatus } from "@contract/quota-status.ts";
import { customersTexts as t } from "../texts/en/customers.ts";

type Tone = "neutral" | "accent" | "good" | "warn" | "bad";

export const quotaLooks: Record<QuotaStatus, { tone: Tone; bar: string }> = {
  under: { tone: "good", bar: "bg-good" },
  moderate: { tone: "accent", bar: "bg-accent" },
  high: { tone: "warn", bar: "bg-warn" },
  over: { tone: "bad", bar: "bg-bad" },
};

export const quotaNames: Record<QuotaStatus, string> = t.quotaStatuses;
/** From which share of a limit on. */
export const quotaHints: Record<QuotaStatus, string> = t.quotaHints;

/** Which way a column is sorted when it is first asked for. */
export const firstOrder: Record<OrganizationSort, "asc" | "desc"> = {
  name: "asc",
  relevance: "asc",
  usage: "desc",
  users: "desc",
  created: "desc",
};

/** How much of its most used limit an organization has used; a limit of nothing is passed by anything. */
export const percentOfLimit = ({ quota }: Organization): number =>
  quota?.percent === null ? Number.POSITIVE_INFINITY : Number(quota?.percent ?? 0);

/** Those that have used most of a limit first. */
export const mostOfLimitFirst = (organizations: readonly Organization[]): Organization[] =>
  organizations.toSorted((a, b) => percentOfLimit(b) - percentOfLimit(a));
