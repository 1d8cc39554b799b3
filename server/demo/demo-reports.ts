/** The reports that the demonstration is sent, with those of the weeks and months before it was started. */
import type { CreateReport } from "../contract/reports.ts";
import type { CreateSchedule } from "../contract/schedules.ts";
import type { UsageApi } from "../programs/usage-api.ts";

const languages: CreateReport = {
  name: "Demonstration: languages by month",
  node: "all",
  kind: "custom",
  options: { meters: ["transcribed_minutes", "documents"], group_by: "language", window: "month" },
};

/** By the report's id or, of a standard one, its name. */
const schedules = (languagesId: string): CreateSchedule[] => [
  {
    ...{ report: "usage", node: "all", every: "week", at: "07:30", tz: "Europe/Amsterdam", weekday: "mon" },
    ...{ formats: ["pdf", "xlsx"], past_periods: 8 },
  },
  {
    ...{ report: "activity", node: "all", every: "month", at: "08:00", tz: "Europe/Amsterdam", day: 1 },
    ...{ formats: ["pdf", "csv"], past_periods: 2 },
  },
  {
    ...{ report: languagesId, node: "all", every: "month", at: "08:00", tz: "Europe/Amsterdam", day: 1 },
    ...{ formats: ["xlsx"], past_periods: 2 },
  },
];

/** Makes what is missing; what is there stays as somebody left it. `channels`: where they are sent. */
export async function makeReports(api: UsageApi, channels: readonly string[]): Promise<void> {
  const known = (await api.reports()).reports.find(({ name }) => name === languages.name);
  const { id } = known ?? (await api.createReport(languages));
  const there = (await api.schedules()).schedules;
  for (const wanted of schedules(id))
    if (!there.some(({ report, every }) => report === wanted.report && every === wanted.every))
      await api.createSchedule({ ...wanted, channels: [...channels] });
}
