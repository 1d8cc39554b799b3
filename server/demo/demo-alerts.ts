/** What the demonstration is alerted to: rules and channels, and what happens so that they have something to say at once. */
import type { CreateChannel } from "../contract/channels.ts";
import { minuteMs } from "../contract/durations.ts";
import type { UsageEvent } from "../contract/events.ts";
import { nodeAddress } from "../contract/node-address.ts";
import type { CreateRule } from "../contract/rules.ts";
import type { UsageApi } from "../programs/usage-api.ts";

/** It sends nothing while the demonstration is live. */
export const silentOrganization = "andes-trekking";
const spikingOrganization = "harbor-and-finch";
const crossingOrganizations = ["lindqvist-consulting", "redwood-robotics", "banyan-softworks"];

const webhookName = "Demonstration: operations";
const channels = (webhookUrl: string): CreateChannel[] => [
  { kind: "webhook", name: webhookName, node: "all", enabled: true, url: webhookUrl },
  { kind: "email", name: "Demonstration: account managers", node: "all", enabled: true, to: ["accounts@example.com"] },
];

const everyCustomer = { node: "all", scope: "organizations" } as const;
const rules: readonly Omit<CreateRule, "channels">[] = [
  {
    ...everyCustomer,
    name: "Close to a limit",
    severity: "critical",
    condition: { kind: "quota", thresholds: [90, 100] },
  },
  {
    ...{ ...everyCustomer, name: "Unusual usage" },
    condition: { kind: "unusual", meter: "chat_posts", direction: "up", at_least: "50" },
  },
  {
    ...{ ...everyCustomer, name: "Low usage of a paid plan", severity: "info" },
    condition: { kind: "low_usage", feature: "participation_minutes", below_percent: 20, after_days: 14 },
  },
  {
    ...{ node: nodeAddress("organization", silentOrganization), name: "Stopped sending" },
    condition: { kind: "no_data", silent_minutes: 1 },
  },
  { node: "all", name: "New and changed customers", severity: "info", condition: { kind: "customers" } },
  { node: "all", name: "Bills", condition: { kind: "billing" } },
  { node: "all", name: "The service itself", severity: "critical", condition: { kind: "system" } },
];

/**
 * Makes what is missing by its name; what is there stays as somebody left it, but that the webhook is where it is now. Answers the
 * channels' ids.
 */
export async function makeAlerts(api: UsageApi, webhookUrl: string): Promise<string[]> {
  const known = (await api.channels()).channels;
  const ids: string[] = [];
  for (const wanted of channels(webhookUrl)) {
    const there = known.find(({ name }) => name === wanted.name);
    if (there && there.url !== undefined && "url" in wanted && there.url !== wanted.url)
      await api.changeChannel(there.id, { url: wanted.url });
    ids.push((there ?? (await api.createChannel(wanted))).id);
  }
  const names = new Set((await api.rules()).rules.map(({ name }) => name));
  for (const rule of rules) if (!names.has(rule.name)) await api.createRule({ ...rule, channels: ids });
  return ids;
}

/** Three hours of one organization's chat at several times its usual, until `atMs`: by its ids the same at each start. */
export function spike(atMs: number): UsageEvent[] {
  const posts = 1_200;
  return Array.from({ length: posts }, (_, index) => ({
    id: `demo-spike-${Math.floor(atMs / minuteMs)}-${index}`,
    type: "chat.posted",
    time: new Date(atMs - 180 * minuteMs + (index * 180 * minuteMs) / posts).toISOString(),
    organization: spikingOrganization,
    user: `${spikingOrganization}-importer`,
    properties: { visibility: "public" },
  }));
}

/** What takes some organizations over the next threshold of their plan, now. */
export async function crossings(api: UsageApi, atMs: number): Promise<UsageEvent[]> {
  const events: UsageEvent[] = [];
  for (const organization of crossingOrganizations) {
    const { quotas } = await api.period(nodeAddress("organization", organization));
    const quota = quotas.find(({ meter }) => meter === "transcribed_minutes");
    const next = quota?.thresholds.find(({ reached }) => !reached);
    if (!quota || quota.limit === null || !next) continue;
    const minutes = Math.ceil((Number(quota.limit) * next.percent) / 100 - Number(quota.used)) + 1;
    events.push({
      ...{ id: `demo-crossing-${organization}-${atMs}`, type: "transcription.completed", organization },
      ...{ time: new Date(atMs).toISOString(), job: `demo-crossing-${organization}-${atMs}`, value: String(minutes) },
      properties: { language: "en", model: "standard", kind: "transcript", format: "txt" },
    });
  }
  return events;
}
