/** Schedules as they are saved. The person who saves one is its author: addresses outside get what the author may see. */
import { and, asc, eq, gt, or, sql } from "drizzle-orm";
import { type Author, recordChange } from "../audit/record-change.ts";
import { type Edit, type Editable, recordedEdit } from "../audit/recorded-edit.ts";
import { definitionLimits } from "../contract/definition-limits.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import {
  type ChangeSchedule,
  type Schedule,
  type ScheduleEvery,
  type SchedulePreview,
  weekdayOfGiven,
} from "../contract/schedules.ts";
import { carryUnsubscribed } from "../delivery/unsubscribe.ts";
import { type Actor, newId } from "../identity/actor.ts";
import { formatInstant } from "../metrics/windows.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { lockedRow } from "../postgres/locked-row.ts";
import { reports } from "../postgres/schema/reports.ts";
import { schedules } from "../postgres/schema/schedules.ts";
import { ProblemError } from "../problem.ts";
import { checkLimit } from "../tree/check-limit.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { rowsWithin } from "../tree/rows-within.ts";
import { tenantOf } from "../tree/tenant-of.ts";
import { lastSlotsDue, nextSlots } from "./due.ts";
import { accountsOf } from "./entitled.ts";
import { planAll } from "./plan-slots.ts";
import { visibleKinds } from "./saved-reports.ts";
import { inWords } from "./schedule-words.ts";
import { kindOfReport, lookNextAt, needsStatements, type ScheduleRecord, timingOf } from "./timing.ts";

/** The part of a schedule that its author chooses. */
export type WantedSchedule = Required<ChangeSchedule> & { node: NodeAddress };

/** The most that one node may have. */
const limit = { what: "schedules", table: schedules, ...definitionLimits.schedules };

/** Throws `invalid_request` for a choice that the period does not have. */
export function checkTiming(given: ChangeSchedule, every: ScheduleEvery): void {
  const choices = { weekday: ["week"], day: ["month", "quarter"], fiscal_start_month: ["quarter"] } as const;
  for (const [field, periods] of Object.entries(choices)) {
    const isGiven = (given[field as keyof typeof choices] ?? null) !== null;
    if (isGiven && !(periods as readonly string[]).includes(every))
      throw new ProblemError("invalid_request", `${field} applies to ${periods.join(" and ")}, not to ${every}`, {
        field,
      });
  }
}

/** Choices that the period does not have are left out. */
function timingRow({
  every,
  weekday,
  day,
  fiscal_start_month,
}: Pick<WantedSchedule, "every" | "weekday" | "day" | "fiscal_start_month">) {
  const onDay = every === "month" || every === "quarter";
  return {
    weekday: every === "week" ? weekdayOfGiven(weekday ?? "mon") : null,
    day: onDay ? (day ?? 1) : null,
    fiscalStartMonth: every === "quarter" ? (fiscal_start_month ?? 1) : null,
  };
}

/** The row of the author's choices. */
function rowOf(wanted: WantedSchedule) {
  const { weekday: _weekday, day: _day, fiscal_start_month: _month, when_missed, when_empty, ...same } = wanted;
  return { ...same, ...timingRow(wanted), whenMissed: when_missed, whenEmpty: when_empty };
}

/** What a schedule with these choices would do. Throws `invalid_request` for one that the period does not have. */
export async function previewSchedule(
  db: Queries,
  tree: Tree,
  given: Required<Pick<ChangeSchedule, "every" | "at" | "tz">> & ChangeSchedule & { report: string; node: NodeAddress },
  { hasBucket, nowMs }: { hasBucket: boolean; nowMs: number },
): Promise<SchedulePreview> {
  const { report, node, every, at, tz, weekday = null, day = null, fiscal_start_month = null } = given;
  checkTiming(given, every);
  const row = { report, node, every, at, tz, ...timingRow({ every, weekday, day, fiscal_start_month }) };
  const next = nextSlots(await timingOf(db, tree, row), nowMs, 3);
  return {
    in_words: inWords({
      ...row,
      fiscal_start_month: row.fiscalStartMonth,
      needsStatement: needsStatements(await kindOfReport(db, report)),
    }),
    next: next.map(({ atMs, fromMs, toMs }) => ({
      at: formatInstant(atMs, tz),
      from: formatInstant(fromMs, tz),
      to: formatInstant(toMs, tz),
    })),
    is_kept: hasBucket,
  };
}

function wantedOf(record: ScheduleRecord): WantedSchedule {
  const { report, node, every, at, tz, weekday, day, fiscalStartMonth, formats, recipients, channels, subject } =
    record;
  return {
    report,
    node,
    every,
    at,
    tz,
    weekday,
    day,
    fiscal_start_month: fiscalStartMonth,
    formats,
    recipients,
    channels,
    subject,
    when_missed: record.whenMissed,
    when_empty: record.whenEmpty,
  };
}

/** What an `ETag` of a schedule is made of, and what the audit keeps. */
export function stateOfSchedule(record: ScheduleRecord) {
  return { ...wantedOf(record), paused: record.paused };
}

export async function readSchedule(db: Queries, id: string): Promise<ScheduleRecord | undefined> {
  const [found] = await db.select().from(schedules).where(eq(schedules.id, id));
  return found;
}

/**
 * The oldest first: those of the node and all below it whose report the reader may see there, each with the name of its saved
 * report. A schedule outlives its report, and is then shown to all who read at its node.
 */
export async function listSchedules(
  db: Queries,
  tree: Pick<NodeTree, "children">,
  {
    node,
    reader,
    report,
    after,
    limit,
  }: {
    node: NodeAddress;
    /** With all that they may. */
    reader: Pick<Actor, "grants">;
    report: string | undefined;
    after: { atMs: number; id: string } | undefined;
    limit: number;
  },
): Promise<{ schedule: ScheduleRecord; reportName: string | null }[]> {
  const at = after && new Date(after.atMs);
  const behind =
    after && at && or(gt(schedules.createdAt, at), and(eq(schedules.createdAt, at), gt(schedules.id, after.id)));
  // The name of a standard report is its kind.
  const kind = sql`coalesce(${reports.kind}, ${schedules.report})`;
  return await db
    .select({ schedule: schedules, reportName: reports.name })
    .from(schedules)
    .leftJoin(reports, eq(reports.id, schedules.report))
    .where(
      and(
        rowsWithin(schedules.node, [node], tree),
        visibleKinds(reader, kind, schedules.node, tree),
        report === undefined ? undefined : eq(schedules.report, report),
        behind,
      ),
    )
    .orderBy(asc(schedules.createdAt), asc(schedules.id))
    .limit(limit);
}

type Tree = Pick<NodeTree, "ancestors" | "pathsBetween">;

/** The last `pastPeriods` slots that were due by now are sent, and those that are due from now on. Throws `conflict` where the node has too many. */
export async function createSchedule(
  postgres: Postgres,
  tree: Pick<NodeTree, "ancestors" | "children" | "pathsBetween">,
  { pastPeriods = 0, ...wanted }: WantedSchedule & { pastPeriods?: number },
  by: Author,
  nowMs: number,
): Promise<ScheduleRecord> {
  return await postgres.transaction(async (tx) => {
    await checkLimit(tx, tree, wanted.node, limit);
    const row = rowOf(wanted);
    const [made] = await tx
      .insert(schedules)
      .values({
        ...row,
        id: newId("sch"),
        people: await peopleAmong(tx, row.recipients),
        ...authored(by),
        ...(await fromPastOn(tx, tree, row, { pastPeriods, nowMs })),
        createdAt: new Date(nowMs),
      })
      .returning();
    if (!made) throw new Error("the schedule was not stored");
    await carryUnsubscribed(tx, listOf(tree, made, made.recipients));
    const after = stateOfSchedule(made);
    await recordChange(tx, { by, node: made.node, action: "schedule.created", subject: made.id, after });
    return made;
  });
}

const editable: Editable<ScheduleRecord> = {
  lock: (tx, id) => lockedRow(tx, schedules, id, "schedule"),
  stateOf: stateOfSchedule,
};

/** A new time leaves slots that were due by now as they are: none is forgotten, and a period that was sent is not sent again. */
export async function changeSchedule(
  postgres: Postgres,
  tree: Tree,
  id: string,
  change: ChangeSchedule,
  edit: Edit,
  nowMs: number,
): Promise<ScheduleRecord> {
  return await recordedEdit(postgres, editable, { ...edit, id, action: "schedule.changed" }, async (tx, before) => {
    const wanted: WantedSchedule = { ...wantedOf(before), ...change };
    checkTiming(change, wanted.every);
    const row = rowOf(wanted);
    const isTimed = timed.some((field) => row[field] !== before[field]);
    if (isTimed) await planAll(tx, tree, before, nowMs);
    const [after = before] = await tx
      .update(schedules)
      .set({
        ...row,
        ...authored(edit.by),
        people: await peopleAmong(tx, row.recipients, before.people),
        ...(isTimed && (await fromNowOn(tx, tree, row, nowMs))),
        ...(row.every !== before.every && { coveredUntil: null }),
      })
      .where(eq(schedules.id, id))
      .returning();
    await carryUnsubscribed(tx, listOf(tree, after, addedTo(before.recipients, after.recipients)));
    return after;
  });
}

/** A cycle's statement is waited for where the report needs it. */
const timed = ["report", "every", "at", "tz", "weekday", "day", "fiscalStartMonth"] as const;

/** Slots that are due while it is paused are never sent; what was due before is, when it goes on. A repeat changes nothing. */
export async function pauseSchedule(
  postgres: Postgres,
  tree: Tree,
  id: string,
  paused: boolean,
  edit: Edit,
  nowMs: number,
): Promise<ScheduleRecord> {
  const action = paused ? "schedule.paused" : "schedule.resumed";
  return await recordedEdit(postgres, editable, { ...edit, id, action }, async (tx, before) => {
    if (before.paused === paused) return before;
    if (paused) await planAll(tx, tree, before, nowMs);
    const [after = before] = await tx
      .update(schedules)
      .set({ paused, ...(!paused && { ...(await fromNowOn(tx, tree, before, nowMs)), coveredUntil: null }) })
      .where(eq(schedules.id, id))
      .returning();
    return after;
  });
}

/** Removes it with its slots; their runs stay until they expire. */
export async function removeSchedule(postgres: Postgres, id: string, edit: Edit): Promise<void> {
  await recordedEdit(postgres, editable, { ...edit, id, action: "schedule.removed" }, async (tx) => {
    await tx.delete(schedules).where(eq(schedules.id, id));
    return undefined;
  });
}

export async function describeSchedule(
  db: Queries,
  tree: Tree,
  record: ScheduleRecord,
  { reportName, last }: { reportName: string; last: Schedule["last"] },
  nowMs: number,
): Promise<Schedule> {
  const { id, paused, authorName, createdAt, tz } = record;
  const { weekday: _given, ...said } = wantedOf(record);
  const shown = { ...said, weekday: record.weekday };
  const next = paused ? [] : nextSlots(await timingOf(db, tree, record), nowMs, 3);
  return {
    id,
    report_name: reportName,
    ...shown,
    paused,
    in_words: inWords({ ...shown, needsStatement: needsStatements(await kindOfReport(db, record.report)) }),
    next: next.map(({ atMs }) => formatInstant(atMs, tz)),
    last,
    created_at: createdAt.toISOString(),
    author: authorName,
  };
}

function listOf(tree: Tree, { id, node }: ScheduleRecord, addresses: readonly string[]) {
  return { list: id, tenant: tenantOf(node, tree), addresses };
}

/** The addresses, in lower case, that were not among them before, however they are written. */
export function addedTo(before: readonly string[], after: readonly string[]): string[] {
  const known = new Set(before.map((address) => address.toLowerCase()));
  return [...new Set(after.map((address) => address.toLowerCase()))].filter((address) => !known.has(address));
}

function authored({ kind, id, name }: Author) {
  return { authorKind: kind, authorId: id, authorName: name };
}

async function fromNowOn(
  tx: Queries,
  tree: Tree,
  row: Parameters<typeof timingOf>[2],
  nowMs: number,
): Promise<{ plannedUntil: Date; nextAt: Date }> {
  const timing = await timingOf(tx, tree, row);
  return { plannedUntil: new Date(nowMs), nextAt: lookNextAt(timing, nowMs) };
}

async function fromPastOn(
  tx: Queries,
  tree: Tree,
  row: Parameters<typeof timingOf>[2],
  { pastPeriods, nowMs }: { pastPeriods: number; nowMs: number },
): Promise<{ plannedUntil: Date; nextAt: Date }> {
  if (pastPeriods === 0) return await fromNowOn(tx, tree, row, nowMs);
  const [first] = lastSlotsDue(await timingOf(tx, tree, row), nowMs, pastPeriods);
  return { plannedUntil: new Date((first?.atMs ?? nowMs) - 1), nextAt: new Date(nowMs) };
}

async function peopleAmong(tx: Queries, recipients: readonly string[], before: readonly string[] = []) {
  const accounts = await accountsOf(tx, recipients);
  const isListed = (address: string) => recipients.some((one) => one.toLowerCase() === address);
  return [...new Set([...accounts.keys(), ...before.filter(isListed)])].sort();
}
