/** What the kinds of reports are called, in files and in the dashboard. */
import type { ReportKind } from "./reports.ts";

export const reportNames: Readonly<Record<ReportKind, string>> = {
  usage: "Usage summary",
  billing: "Billing report",
  activity: "Activity report",
  organizations: "Usage by organization",
  financial: "Financial report",
  audit: "Activity log",
  custom: "Custom report",
};
