/** What a schedule's choices and its node's billing cycles say of when it is due. */
import { readCycleSpans } from "../billing/cycle-spans.ts";
import { weekdays } from "../contract/rules.ts";
import type { Queries } from "../postgres/client.ts";
import type { schedules } from "../postgres/schema/schedules.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { nextSlots, type Timing } from "./due.ts";

export type ScheduleRecord = typeof schedules.$inferSelect;

/** A subscription that begins or ends moves the cycles of a node. */
const lookAtCyclesMs = 10 * 60_000;

/** By the node's billing cycles as they are known now. */
export async function timingOf(
  db: Queries,
  tree: Pick<NodeTree, "pathsBetween">,
  schedule: Pick<ScheduleRecord, "node" | "every" | "at" | "tz" | "weekday" | "day" | "fiscalStartMonth">,
): Promise<Timing> {
  const { node, every, at, tz, weekday, day, fiscalStartMonth } = schedule;
  const [hours, minutes] = at.split(":").map(Number) as [number, number];
  return {
    every,
    tz,
    atMinutes: hours * 60 + minutes,
    weekday: weekdays.indexOf(weekday ?? "mon") + 1,
    day: day ?? 1,
    fiscalStartMonth: fiscalStartMonth ?? 1,
    cycles: every === "cycle" ? await readCycleSpans(db, tree, node) : [],
  };
}

/** When to look for slots next, given that those due by `nowMs` have their rows. */
export function lookNextAt(timing: Timing, nowMs: number): Date {
  const [next] = nextSlots(timing, nowMs, 1);
  const nextMs = next?.atMs ?? nowMs + lookAtCyclesMs;
  return new Date(timing.every === "cycle" ? Math.min(nextMs, nowMs + lookAtCyclesMs) : nextMs);
}
