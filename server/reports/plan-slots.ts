/** Writes what is due of a schedule as rows: a row is unique for its schedule and period. */

import { eq } from "drizzle-orm";
import { hourMs } from "../contract/durations.ts";
import { newId } from "../identity/actor.ts";
import type { Queries } from "../postgres/client.ts";
import { scheduleSlots, schedules } from "../postgres/schema/schedules.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { cycleEndDueBy, cyclesDue, dueSlots } from "./due.ts";
import { lookNextAt, type ScheduleRecord, timingOf } from "./timing.ts";

/** A restart or a deployment is no reason to leave a slot out. */
export const missedAfterMs = hourMs;
/** How many slots are planned for one schedule at once. */
const maxPlanned = 500;

type Planned = Pick<ScheduleRecord, "plannedUntil" | "nextAt" | "coveredUntil">;

/** Writes the rows of what is due by now of a schedule that this transaction has locked, as many as are planned at once. */
export async function planSlots(
  tx: Queries,
  tree: Pick<NodeTree, "pathsBetween">,
  schedule: ScheduleRecord,
  nowMs: number,
): Promise<Planned> {
  const timing = await timingOf(tx, tree, schedule);
  const plannedMs = schedule.plannedUntil.getTime();
  // Edits move the ends of cycles, also into the past: which of them have their rows is known by where they end.
  const coveredMs =
    timing.every === "cycle" ? (schedule.coveredUntil?.getTime() ?? cycleEndDueBy(timing, plannedMs)) : undefined;
  const all = coveredMs === undefined ? dueSlots(timing, plannedMs, nowMs) : cyclesDue(timing, coveredMs, nowMs);
  const due = all.slice(0, maxPlanned);
  const rows = due.map(({ fromMs, toMs, atMs, tz }) => {
    // What only came to be due after it was looked for was not missed.
    const isMissed = schedule.whenMissed === "skip" && nowMs - Math.max(atMs, plannedMs) > missedAfterMs;
    const period = { fromAt: new Date(fromMs), toAt: new Date(toMs), tz, dueAt: new Date(atMs) };
    const fate = isMissed ? { state: "skipped" as const, reason: "missed" as const } : { state: "waiting" as const };
    return { id: newId("slt"), schedule: schedule.id, ...period, ...fate };
  });
  if (rows.length > 0) await tx.insert(scheduleSlots).values(rows).onConflictDoNothing();
  const last = due.at(-1);
  const isAll = due.length < maxPlanned || !last;
  // A clock that was set back must not make anything due again.
  const untilMs = Math.max(plannedMs, isAll ? nowMs : last.atMs);
  const nextAt = isAll ? lookNextAt(timing, untilMs) : new Date(nowMs);
  const endMs = coveredMs === undefined ? undefined : (last?.toMs ?? coveredMs);
  const coveredUntil = endMs === undefined ? null : new Date(endMs);
  const planned = { plannedUntil: new Date(untilMs), nextAt, coveredUntil };
  await tx.update(schedules).set(planned).where(eq(schedules.id, schedule.id));
  return planned;
}

/** All that is due by now of a schedule that this transaction has locked; of one that is paused, nothing is. */
export async function planAll(
  tx: Queries,
  tree: Pick<NodeTree, "pathsBetween">,
  schedule: ScheduleRecord,
  nowMs: number,
): Promise<void> {
  if (schedule.paused) return;
  for (let left = schedule; left.plannedUntil.getTime() < nowMs; )
    left = { ...left, ...(await planSlots(tx, tree, left, nowMs)) };
}
