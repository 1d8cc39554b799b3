/** Who may see which report: shared by the code that decides it and the code that explains it. */
import type { Action } from "./accounts.ts";
import type { ReportKind } from "./reports.ts";

/** What a report of the kind shows beside usage, and so what its author and each of its readers need besides `read`. */
export const actionsOfReports: Readonly<Partial<Record<ReportKind, Action>>> = {
  billing: "prices:read",
  financial: "prices:read",
  audit: "audit:read",
};
