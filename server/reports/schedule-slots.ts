/**
 * The slots of schedules, each a row: a period that a schedule has to report, and how that ended. A row is unique for its
 * schedule and period, so whatever crashes between two steps, and however many processes take them, it is reported once.
 */
import { and, desc, eq, inArray, isNull, lt, lte, ne, or, type SQL, sql } from "drizzle-orm";
import type { NodeAddress } from "../contract/nodes.ts";
import type { ScheduleSlot, SlotState } from "../contract/schedules.ts";
import { newId } from "../identity/actor.ts";
import { formatInstant } from "../metrics/windows.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { countAlone } from "../postgres/count-alone.ts";
import { lockedRow } from "../postgres/locked-row.ts";
import { reportRuns } from "../postgres/schema/reports.ts";
import { scheduleSlots, schedules } from "../postgres/schema/schedules.ts";
import { ProblemError } from "../problem.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { periodBefore } from "./due.ts";
import { missedAfterMs } from "./plan-slots.ts";
import { type ScheduleRecord, timingOf } from "./timing.ts";

export type SlotRecord = typeof scheduleSlots.$inferSelect;

/** Tests of one schedule that are not over. */
const maxTests = 5;

/** What may go on, and whose turn it takes. */
export interface Candidate {
  id: string;
  node: NodeAddress;
}

const mayBeDue = (nowMs: number) => and(eq(schedules.paused, false), lte(schedules.nextAt, new Date(nowMs)));

/** Schedules that may have become due, the longest due first. */
export async function listToPlan(tx: Queries, nowMs: number): Promise<Candidate[]> {
  return await tx
    .select({ id: schedules.id, node: schedules.node })
    .from(schedules)
    .where(mayBeDue(nowMs))
    .orderBy(schedules.nextAt, schedules.id);
}

/** Locked until the transaction ends; undefined where somebody else plans it or has planned it. */
export async function lockToPlan(tx: Queries, id: string, nowMs: number): Promise<ScheduleRecord | undefined> {
  const [schedule] = await tx
    .select()
    .from(schedules)
    .where(and(eq(schedules.id, id), mayBeDue(nowMs)))
    .for("update", { skipLocked: true });
  return schedule;
}

/** A slot that may go on, locked until the transaction ends, with its schedule. */
export interface OpenSlot {
  slot: SlotRecord;
  schedule: ScheduleRecord;
}

/** Those whose period ended by `knownMs`; tests wait for nothing. */
const mayStart = ({ knownMs, nowMs }: { knownMs: number; nowMs: number }) =>
  and(
    eq(scheduleSlots.state, "waiting"),
    or(isNull(scheduleSlots.retryAt), lte(scheduleSlots.retryAt, new Date(nowMs))),
    or(sql`${scheduleSlots.test} <> ''`, and(eq(schedules.paused, false), lte(scheduleSlots.toAt, new Date(knownMs)))),
  );

/** Those whose run is over, or was removed. */
function mayBeSent(tx: Queries): SQL | undefined {
  const isUnderWay = tx
    .select({ id: reportRuns.id })
    .from(reportRuns)
    .where(and(eq(reportRuns.id, scheduleSlots.run), inArray(reportRuns.state, ["queued", "running"])));
  return and(eq(scheduleSlots.state, "running"), sql`NOT EXISTS ${isUnderWay}`);
}

async function listOpen(tx: Queries, which: SQL | undefined): Promise<Candidate[]> {
  return await tx
    .select({ id: scheduleSlots.id, node: schedules.node })
    .from(scheduleSlots)
    .innerJoin(schedules, eq(schedules.id, scheduleSlots.schedule))
    .where(which)
    .orderBy(scheduleSlots.dueAt, scheduleSlots.id);
}

async function lockOpen(tx: Queries, id: string, which: SQL | undefined): Promise<OpenSlot | undefined> {
  const [found] = await tx
    .select({ slot: scheduleSlots, schedule: schedules })
    .from(scheduleSlots)
    .innerJoin(schedules, eq(schedules.id, scheduleSlots.schedule))
    .where(and(eq(scheduleSlots.id, id), which))
    .for("update", { of: scheduleSlots, skipLocked: true });
  return found;
}

/** Waiting slots whose run may begin, the longest due first. */
export const listWaiting = (tx: Queries, known: Parameters<typeof mayStart>[0]) => listOpen(tx, mayStart(known));
export const lockWaiting = (tx: Queries, id: string, known: Parameters<typeof mayStart>[0]) =>
  lockOpen(tx, id, mayStart(known));

/** Slots that may be sent, the longest due first. */
export const listFinished = (tx: Queries) => listOpen(tx, mayBeSent(tx));
export const lockFinished = (tx: Queries, id: string) => lockOpen(tx, id, mayBeSent(tx));

/** This transaction must have locked the slot. */
export async function moveSlot(
  tx: Queries,
  id: string,
  to: Pick<SlotRecord, "state"> & Partial<Omit<SlotRecord, "id" | "schedule">>,
): Promise<void> {
  await tx.update(scheduleSlots).set(to).where(eq(scheduleSlots.id, id));
}

/** Nothing of a schedule could be sent before it was there. */
export const isLateAt = (
  { slot, schedule }: { slot: SlotRecord; schedule: Pick<ScheduleRecord, "createdAt"> },
  nowMs: number,
) => slot.test === "" && nowMs - Math.max(slot.dueAt.getTime(), schedule.createdAt.getTime()) > missedAfterMs;

/**
 * Makes a report of the last period for `to` alone, or for nobody. Throws `too_fast` while many are not over; `checkSeen` throws where
 * the schedule is not what the caller saw.
 */
export async function createTest(
  postgres: Postgres,
  tree: Pick<NodeTree, "pathsBetween">,
  schedule: ScheduleRecord,
  { to, checkSeen = () => undefined }: { to: string | null; checkSeen?: (schedule: ScheduleRecord) => void },
  nowMs: number,
): Promise<SlotRecord> {
  return await postgres.transaction(async (tx) => {
    checkSeen(await lockedRow(tx, schedules, schedule.id, "schedule"));
    await countAlone(tx, `tests of ${schedule.id}`);
    const [counted] = await tx
      .select({ count: sql<number>`count(*)::int` })
      .from(scheduleSlots)
      .where(
        and(
          eq(scheduleSlots.schedule, schedule.id),
          ne(scheduleSlots.test, ""),
          inArray(scheduleSlots.state, ["waiting", "running"]),
        ),
      );
    if ((counted?.count ?? 0) >= maxTests)
      throw new ProblemError(
        "too_fast",
        `${maxTests} tests of this schedule are not finished yet; wait for one to finish`,
        {
          retryAfterSeconds: 5,
        },
      );
    const { fromMs, toMs, tz } = periodBefore(await timingOf(tx, tree, schedule), nowMs);
    const id = newId("slt");
    const [made] = await tx
      .insert(scheduleSlots)
      .values({
        id,
        schedule: schedule.id,
        fromAt: new Date(fromMs),
        toAt: new Date(toMs),
        dueAt: new Date(nowMs),
        tz,
        test: id,
        testTo: to,
        state: "waiting" as const,
      })
      .returning();
    if (!made) throw new Error("the test was not stored");
    return made;
  });
}

/** The newest slot of each schedule that has one, tests included. */
export async function lastSlots(db: Queries, ids: readonly string[]): Promise<Map<string, SlotRecord>> {
  if (ids.length === 0) return new Map();
  const found = await db
    .selectDistinctOn([scheduleSlots.schedule])
    .from(scheduleSlots)
    .where(inArray(scheduleSlots.schedule, [...ids]))
    .orderBy(scheduleSlots.schedule, desc(scheduleSlots.dueAt), desc(scheduleSlots.id));
  return new Map(found.map((slot) => [slot.schedule, slot]));
}

/** The newest first. */
export async function listSlots(
  db: Queries,
  schedule: string,
  {
    state,
    withTests,
    after,
    limit,
  }: {
    state: SlotState | undefined;
    withTests: boolean;
    after: { atMs: number; id: string } | undefined;
    limit: number;
  },
): Promise<SlotRecord[]> {
  const at = after && new Date(after.atMs);
  const behind =
    after && at && or(lt(scheduleSlots.dueAt, at), and(eq(scheduleSlots.dueAt, at), lt(scheduleSlots.id, after.id)));
  return await db
    .select()
    .from(scheduleSlots)
    .where(
      and(
        eq(scheduleSlots.schedule, schedule),
        state && eq(scheduleSlots.state, state),
        withTests ? undefined : eq(scheduleSlots.test, ""),
        behind,
      ),
    )
    .orderBy(desc(scheduleSlots.dueAt), desc(scheduleSlots.id))
    .limit(limit);
}

export function describeSlot(
  slot: SlotRecord,
  schedule: Pick<ScheduleRecord, "tz" | "createdAt">,
  nowMs: number,
): ScheduleSlot {
  const { id, fromAt, toAt, dueAt, state, reason, run, deliveries, withheld, sentAt, isLate } = slot;
  return {
    id,
    schedule: slot.schedule,
    from: formatInstant(fromAt.getTime(), slot.tz),
    to: formatInstant(toAt.getTime(), slot.tz),
    at: formatInstant(dueAt.getTime(), schedule.tz),
    state,
    reason,
    run,
    deliveries,
    withheld,
    sent_at: sentAt?.toISOString() ?? null,
    late: isLate || (state === "waiting" && isLateAt({ slot, schedule }, nowMs)),
    test: slot.test !== "",
  };
}
