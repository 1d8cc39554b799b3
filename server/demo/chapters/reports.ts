/** The reports that are sent, with those of the weeks and months before, and one that somebody asked for. */
import type { CreateReport, Report, ReportList, ReportRun, RunList, StartRun } from "../../contract/reports.ts";
import type { CreateSchedule, Schedule, ScheduleList } from "../../contract/schedules.ts";
import type { Chapter, Stage } from "../stage.ts";
import { resellerOwner } from "./people.ts";
import { makeChannels } from "./rules.ts";

const languages: CreateReport = {
  name: "Demonstration: languages by month",
  node: "all",
  kind: "custom",
  options: { meters: ["transcribed_minutes", "documents"], group_by: "language", window: "month" },
};

/** `languagesId`: of the report; the standard ones go by their names. */
const schedules = (languagesId: string): CreateSchedule[] => [
  {
    report: "usage",
    node: "all",
    every: "week",
    at: "07:30",
    tz: "Europe/Amsterdam",
    weekday: "mon",
    formats: ["pdf", "xlsx"],
    past_periods: 8,
  },
  {
    report: "activity",
    node: "all",
    every: "month",
    at: "08:00",
    tz: "Europe/Amsterdam",
    day: 1,
    formats: ["pdf", "csv"],
    past_periods: 2,
  },
  {
    report: languagesId,
    node: "all",
    every: "month",
    at: "08:00",
    tz: "Europe/Amsterdam",
    day: 1,
    formats: ["xlsx"],
    past_periods: 2,
  },
];

/** In every format, by a reseller of its customers. */
async function runOnce(stage: Stage): Promise<void> {
  const node = "reseller:brightwater";
  const path = `/v1/report-runs?node=${encodeURIComponent(node)}&report=organizations`;
  if ((await stage.api.get<RunList>(path)).runs.length > 0) return;
  const run: StartRun = {
    report: "organizations",
    node,
    from: stage.day(60),
    to: stage.day(90),
    tz: "Europe/London",
    formats: ["csv", "xlsx", "pdf", "json", "parquet"],
  };
  await stage.as(resellerOwner).post<ReportRun>("/v1/report-runs", run);
}

export const reports: Chapter = {
  title: "weekly and monthly reports with those of the weeks before, and one on demand",
  async tell(stage) {
    const { api } = stage;
    const channels = await makeChannels(stage);
    const known = (await api.get<ReportList>("/v1/reports?limit=1000")).reports;
    const { id } =
      known.find(({ name }) => name === languages.name) ?? (await api.post<Report>("/v1/reports", languages));
    const there = (await api.get<ScheduleList>("/v1/schedules?limit=1000")).schedules;
    for (const wanted of schedules(id))
      if (!there.some(({ report, every }) => report === wanted.report && every === wanted.every))
        await api.post<Schedule>("/v1/schedules", { ...wanted, channels });
    await runOnce(stage);
  },
};
