/** The states of a reseller's customers in words. */
import type { OrganizationSort } from "@contract/organizations.ts";
import type { QuotaStatus } from "@contract/quota-status.ts";

type Tone = "neutral" | "accent" | "good" | "warn" | "bad";

export const quotaWords: Record<QuotaStatus, { label: string; tone: Tone; bar: string; hint: string }> = {
  under: { label: "Under", tone: "good", bar: "bg-good", hint: "below 50 % of the limit" },
  moderate: { label: "Moderate", tone: "accent", bar: "bg-accent", hint: "50 to 80 %" },
  high: { label: "High", tone: "warn", bar: "bg-warn", hint: "80 to 95 %" },
  over: { label: "At or over", tone: "bad", bar: "bg-bad", hint: "from 95 % on" },
};

/** Which way a column is sorted when it is first asked for. */
export const firstOrder: Record<OrganizationSort, "asc" | "desc"> = {
  name: "asc",
  relevance: "asc",
  usage: "desc",
  users: "desc",
  created: "desc",
};
