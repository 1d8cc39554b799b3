/** A schedule as a person fills it in. */
import type { ReportFormat } from "@contract/reports.ts";
import type {
  ChangeSchedule,
  CreateSchedule,
  PreviewSchedule,
  Schedule,
  ScheduleEvery,
  Weekday,
} from "@contract/schedules.ts";

export interface ScheduleDraft {
  report: string;
  node: string;
  every: ScheduleEvery;
  at: string;
  tz: string;
  weekday: Weekday;
  day: string;
  fiscalStartMonth: string;
  formats: ReportFormat[];
  /** Addresses, by commas or lines. */
  recipients: string;
  channels: string[];
  /** Empty: what the report is about. */
  subject: string;
  whenMissed: Schedule["when_missed"];
  whenEmpty: Schedule["when_empty"];
  /** How many that are over are sent when it is made. */
  pastPeriods: string;
}

export function newScheduleDraft(report: string, node: string, tz: string, recipient: string): ScheduleDraft {
  return {
    report,
    node,
    every: "month",
    at: "08:00",
    tz,
    weekday: "mon",
    day: "1",
    fiscalStartMonth: "1",
    formats: ["pdf", "xlsx"],
    recipients: recipient,
    channels: [],
    subject: "",
    whenMissed: "catch_up",
    whenEmpty: "send",
    pastPeriods: "0",
  };
}

export function draftOfSchedule(schedule: Schedule): ScheduleDraft {
  const { report, node, every, at, tz, weekday, day, fiscal_start_month, formats, recipients, channels } = schedule;
  return {
    report,
    node,
    every,
    at,
    tz,
    weekday: weekday ?? "mon",
    day: String(day ?? 1),
    fiscalStartMonth: String(fiscal_start_month ?? 1),
    formats: [...formats],
    recipients: recipients.join("\n"),
    channels: [...channels],
    subject: schedule.subject ?? "",
    whenMissed: schedule.when_missed,
    whenEmpty: schedule.when_empty,
    pastPeriods: "0",
  };
}

/** When it is sent; choices that the period does not have are left out. */
function timingOf({ every, at, tz, weekday, day, fiscalStartMonth }: ScheduleDraft) {
  return {
    every,
    at,
    tz: tz.trim(),
    weekday: every === "week" ? weekday : null,
    day: every === "month" || every === "quarter" ? Number(day) : null,
    fiscal_start_month: every === "quarter" ? Number(fiscalStartMonth) : null,
  };
}

export function previewOf(draft: ScheduleDraft): PreviewSchedule {
  return { report: draft.report, node: draft.node, ...timingOf(draft) };
}

/** What can be edited of a schedule that is there: it stays of its report, at its node. */
export function scheduleChangeOf(draft: ScheduleDraft): ChangeSchedule {
  const subject = draft.subject.trim();
  return {
    ...timingOf(draft),
    formats: [...draft.formats],
    channels: [...draft.channels],
    subject: subject === "" ? null : subject,
    recipients: draft.recipients.split(/[\s,;]+/).filter((one) => one !== ""),
    when_missed: draft.whenMissed,
    when_empty: draft.whenEmpty,
  };
}

export function newScheduleOf(draft: ScheduleDraft): CreateSchedule {
  const { report, node, pastPeriods } = draft;
  const chosen = scheduleChangeOf(draft) as Required<ChangeSchedule>;
  return { ...chosen, report, node, past_periods: Number(pastPeriods) };
}
