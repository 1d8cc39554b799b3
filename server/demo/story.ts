/** The story of the demonstration: chapters in the order in which they happened, after the history of meetings. */
import { bills } from "./chapters/bills.ts";
import { limits } from "./chapters/limits.ts";
import { mistakes } from "./chapters/mistakes.ts";
import { models } from "./chapters/models.ts";
import { notesAndDashboards } from "./chapters/notes.ts";
import { people } from "./chapters/people.ts";
import { plans } from "./chapters/plans.ts";
import { reports } from "./chapters/reports.ts";
import { rules } from "./chapters/rules.ts";
import type { Chapter } from "./stage.ts";

/** Who is there and where they moved comes before any usage (chapters/who-is-there.ts). Bills are closed within a minute of the plans. */
export const story: readonly Chapter[] = [
  plans,
  rules,
  people,
  models,
  notesAndDashboards,
  reports,
  bills,
  mistakes,
  limits,
];
