/** What a schedule's choices and its node's billing cycles say of when it is due. */
import { readCycleSpans } from "../billing/cycle-spans.ts";
import { settlingMs } from "../billing/statements/due-parts.ts";
import type { ReportKind } from "../contract/reports.ts";
import { weekdays } from "../contract/rules.ts";
import type { Queries } from "../postgres/client.ts";
import type { schedules } from "../postgres/schema/schedules.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { nextSlots, type Timing } from "./due.ts";
import { findReport } from "./saved-reports.ts";

export type ScheduleRecord = typeof schedules.$inferSelect;

/** A subscription that begins or ends moves the cycles of a node. */
const lookAtCyclesMs = 10 * 60_000;

/** Whether what the report tells of a cycle is known once its statement has closed: what it costs. */
export const needsStatements = (kind: ReportKind | undefined): boolean => kind === "billing" || kind === "financial";

/** A report that was removed tells nothing. */
export async function kindOfReport(db: Queries, report: string): Promise<ReportKind | undefined> {
  return (await findReport(db, report))?.kind;
}

/** By the node's billing cycles as they are known now. */
export async function timingOf(
  db: Queries,
  tree: Pick<NodeTree, "pathsBetween">,
  schedule: Pick<ScheduleRecord, "report" | "node" | "every" | "at" | "tz" | "weekday" | "day" | "fiscalStartMonth">,
): Promise<Timing> {
  const { report, node, every, at, tz, weekday, day, fiscalStartMonth } = schedule;
  const [hours, minutes] = at.split(":").map(Number) as [number, number];
  return {
    every,
    tz,
    atMinutes: hours * 60 + minutes,
    weekday: weekdays.indexOf(weekday ?? "mon") + 1,
    day: day ?? 1,
    fiscalStartMonth: fiscalStartMonth ?? 1,
    cycles: every === "cycle" ? await readCycleSpans(db, tree, node) : [],
    openMs: every === "cycle" && needsStatements(await kindOfReport(db, report)) ? settlingMs : 0,
  };
}

/** When to look for slots next, given that those due by `nowMs` have their rows. */
export function lookNextAt(timing: Timing, nowMs: number): Date {
  const [next] = nextSlots(timing, nowMs, 1);
  const nextMs = next?.atMs ?? nowMs + lookAtCyclesMs;
  return new Date(timing.every === "cycle" ? Math.min(nextMs, nowMs + lookAtCyclesMs) : nextMs);
}
