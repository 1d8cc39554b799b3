/** Who comes near a limit and over one, and what is done about the alerts. */
import type { Alert, AlertList } from "../../contract/alerts.ts";
import { dayMs } from "../../contract/durations.ts";
import type { UsageEvent } from "../../contract/events.ts";
import { nodeAddress } from "../../contract/node-address.ts";
import type { Period } from "../../contract/quotas.ts";
import type { ApiCaller } from "../../programs/api-caller.ts";
import type { Chapter, Stage } from "../stage.ts";
import { accountManager, resellerAdmin } from "./people.ts";

/** Percent of the transcribed minutes of its plan that each has used of the cycle that runs. */
export const usedPercent = { "lindqvist-consulting": 76, "redwood-robotics": 92, "banyan-softworks": 108 } as const;
export const nearOrganization = "redwood-robotics";
export const overOrganization = "banyan-softworks";
const feature = "transcribed_minutes";

/** Rules are evaluated every two seconds. */
const firedWithinMs = 60_000;
const snoozedDays = 2;

/** One large upload each, now, as far as it is missing to the percentage. */
async function uploads(api: ApiCaller, nowMs: number): Promise<UsageEvent[]> {
  const events: UsageEvent[] = [];
  for (const [organization, percent] of Object.entries(usedPercent)) {
    const node = encodeURIComponent(nodeAddress("organization", organization));
    const { quotas, start } = await api.get<Period>(`/v1/period?node=${node}`);
    const quota = quotas.find((one) => one.feature === feature);
    if (!quota || quota.limit === null) continue;
    const missing = Math.ceil((Number(quota.limit) * percent) / 100 - Number(quota.used));
    if (missing <= 0) continue;
    const id = `demo-upload-${organization}-${Date.parse(start)}-${nowMs}`;
    events.push({
      id,
      type: "transcription.completed",
      organization,
      user: `${organization}-archive`,
      time: new Date(nowMs).toISOString(),
      job: id,
      value: String(missing),
      properties: { language: "en", model: "standard", kind: "transcript", format: "txt", mode: "batch" },
    });
  }
  return events;
}

/** The alert of a rule of their own that fires at an organization's limit, once it does. */
async function firing(stage: Stage, person: ApiCaller, organization: string): Promise<Alert | undefined> {
  const node = encodeURIComponent(nodeAddress("organization", organization));
  return await stage.waitFor(async () => {
    const { alerts } = await person.get<AlertList>(`/v1/alerts?kind=quota&state=firing&node=${node}&limit=100`);
    return alerts.find((one) => one.feature === feature && one.is_own);
  }, firedWithinMs);
}

export const limits: Chapter = {
  title: "one customer near its limit, one over it; one alert acknowledged, one snoozed",
  async tell(stage) {
    await stage.emit(await uploads(stage.api, Date.now()));
    const [admin, manager] = [stage.as(resellerAdmin), stage.as(accountManager)];
    const over = await firing(stage, admin, overOrganization);
    if (over && over.acknowledged === null) await admin.post<Alert>(`/v1/alerts/${over.id}/acknowledge`);
    const near = await firing(stage, manager, nearOrganization);
    if (near && near.snoozed_until === null) {
      const until = new Date(Date.now() + snoozedDays * dayMs).toISOString();
      await manager.post<Alert>(`/v1/alerts/${near.id}/snooze`, { until });
    }
  },
};
