/** What the server is asked about a reseller's customers, and the words for their states. */
import type { OrganizationList, OrganizationSort } from "@contract/organizations.ts";
import type { Overview } from "@contract/overview.ts";
import type { QuotaStatus } from "@contract/quota-status.ts";
import { readCsv, searchOf, send } from "./client.ts";

export interface OrganizationsQuestion {
  node?: string | undefined;
  search?: string | undefined;
  plan?: string | undefined;
  status?: string | undefined;
  quota?: string | undefined;
  meter?: string | undefined;
  tz: string;
  sort?: string | undefined;
  order?: string | undefined;
  cursor?: string | undefined;
  limit: number;
}

export function readOrganizations(question: OrganizationsQuestion, signal?: AbortSignal): Promise<OrganizationList> {
  return send<OrganizationList>("GET", `/v1/organizations?${searchOf(question)}`, { signal });
}

/** All that match, not one page. */
export function readOrganizationsCsv(question: OrganizationsQuestion): Promise<Blob> {
  return readCsv(`/v1/organizations?${searchOf({ ...question, limit: undefined, cursor: undefined })}`);
}

export function readOverview(
  question: { node?: string | undefined; meter?: string | undefined; tz: string },
  signal?: AbortSignal,
): Promise<Overview> {
  return send<Overview>("GET", `/v1/overview?${searchOf(question)}`, { signal });
}

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
