/** What people are alerted to, and where that is sent. */
import type { ChangeChannel, Channel, ChannelList, CreateChannel, CreatedChannel } from "../../contract/channels.ts";
import { minuteMs } from "../../contract/durations.ts";
import type { UsageEvent } from "../../contract/events.ts";
import { nodeAddress } from "../../contract/node-address.ts";
import type { CreateRule, Rule, RuleList } from "../../contract/rules.ts";
import { demoResellers } from "../demo-accounts.ts";
import type { Chapter, Stage } from "../stage.ts";

/** It sends nothing while the demonstration is live. */
export const silentOrganization = "andes-trekking";
const spikingOrganization = "harbor-and-finch";

const channelsAt = (webhookUrl: string): CreateChannel[] => [
  { kind: "webhook", name: "Demonstration: operations", node: "all", enabled: true, url: webhookUrl },
  { kind: "email", name: "Demonstration: account managers", node: "all", enabled: true, to: ["accounts@example.com"] },
];

const everyCustomer = { node: "all", scope: "organizations" } as const;
const wantedRules: readonly Omit<CreateRule, "channels">[] = [
  // The resellers' own: people of a node see to the alerts of its rules, and of no rule above it.
  ...demoResellers.map(
    ({ id }): Omit<CreateRule, "channels"> => ({
      node: nodeAddress("reseller", id),
      scope: "organizations",
      name: "Close to a limit",
      severity: "critical",
      condition: { kind: "quota", thresholds: [90, 100] },
    }),
  ),
  {
    ...everyCustomer,
    name: "Unusual usage",
    condition: { kind: "unusual", meter: "chat_posts", direction: "up", at_least: "50" },
  },
  {
    ...everyCustomer,
    name: "Low usage of a paid plan",
    severity: "info",
    condition: { kind: "low_usage", feature: "participation_minutes", below_percent: 20, after_days: 14 },
  },
  {
    node: nodeAddress("organization", silentOrganization),
    name: "Stopped sending",
    condition: { kind: "no_data", silent_minutes: 1 },
  },
  {
    node: nodeAddress("reseller", "kestrel"),
    name: "Many failed transcriptions",
    condition: { kind: "threshold", meter: "failed_jobs", window: "1h", above: "10" },
  },
  { node: "all", name: "New and changed customers", severity: "info", condition: { kind: "customers" } },
  { node: "all", name: "Bills", condition: { kind: "billing" } },
  { node: "all", name: "The service itself", severity: "critical", condition: { kind: "system" } },
];

/** Their ids. What is there stays as somebody left it, but that the webhook is where it is now. */
export async function makeChannels({ api, settings }: Pick<Stage, "api" | "settings">): Promise<string[]> {
  const known = (await api.get<ChannelList>("/v1/channels?limit=1000")).channels;
  const ids: string[] = [];
  for (const wanted of channelsAt(settings.webhookUrl)) {
    const there = known.find(({ name }) => name === wanted.name);
    if (there?.url !== undefined && "url" in wanted && there.url !== wanted.url) {
      const change: ChangeChannel = { url: wanted.url };
      await api.patch<Channel>(`/v1/channels/${there.id}`, change);
    }
    ids.push((there ?? (await api.post<CreatedChannel>("/v1/channels", wanted))).id);
  }
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

export const rules: Chapter = {
  title: "rules and channels, one customer whose usage is unusual, one that went quiet",
  async tell(stage) {
    const { api } = stage;
    await stage.emit(spike(stage.startedAtMs));
    const channels = await makeChannels(stage);
    const key = ({ node, name }: { node?: string | undefined; name: string }) => `${node} ${name}`;
    const known = new Set((await api.get<RuleList>("/v1/rules?limit=1000")).rules.map(key));
    for (const rule of wantedRules) if (!known.has(key(rule))) await api.post<Rule>("/v1/rules", { ...rule, channels });
  },
};
