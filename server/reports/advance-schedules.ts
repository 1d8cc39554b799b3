/**
 * Advances every schedule as far as it can go. Each step is one transaction that claims one row, so any number of processes
 * may do this at once, and one that dies leaves the next step to the others:
 *
 * 1. A schedule that is due gets its slot. A crash before leaves it due; after, the slot's row is there.
 * 2. A slot whose period is complete gets its run. A crash before leaves it waiting; after, it has its run, and never a second one.
 * 3. A slot whose run is over is sent. A crash before leaves it unsent; after, its messages are in the outbox.
 */
import type { Logger } from "pino";
import { areStatementsClosed } from "../billing/statements/closed-until.ts";
import { minuteMs } from "../contract/durations.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { reportSettingsAt } from "../tree/report-settings.ts";
import { grantsOfAuthor } from "./entitled.ts";
import type { FileLinks } from "./file-link.ts";
import { planSlots } from "./plan-slots.ts";
import { reachOf } from "./reach.ts";
import { createRun, readRun } from "./runs.ts";
import { findReport, mayReadKind } from "./saved-reports.ts";
import { sendSlot } from "./send-slot.ts";
import { lockFinished, lockToPlan, lockWaiting, moveSlot, type OpenSlot } from "./slots.ts";

export interface ScheduleSource {
  postgres: Pick<Postgres, "transaction">;
  tree: Pick<NodeTree, "get" | "ancestors" | "isWithin" | "pathsBetween" | "effectiveStatus">;
  /** Everything accepted until then can be queried. */
  watermark: () => Date;
  links: FileLinks;
  /** Where people reach the dashboard, without a slash at its end. */
  publicUrl: string;
  /** Every report that is sent is put where the operator keeps them, too. */
  hasBucket?: boolean;
  /** Begins what is queued, where this process makes reports. */
  wake: () => void;
  log: Pick<Logger, "info" | "warn">;
}

/** A slot is given up after this many failures, hours after the first. */
const maxFailures = 10;

/** Rejects after everything that can go on did, where something could not. */
export async function advanceSchedules(source: ScheduleSource, nowMs: number): Promise<void> {
  const failures: unknown[] = [];
  for (const step of [planNext, startNext, sendNext]) failures.push(...(await takeAll(step, source, nowMs)));
  source.wake();
  if (failures.length > 0) throw new AggregateError(failures, "schedules could not be advanced");
}

/** Claims one row that is not in `passed`, names it, and takes it one step further; false where there is none. */
type Step = (
  source: ScheduleSource,
  nowMs: number,
  passed: string[],
  claimed: (id: string) => void,
) => Promise<boolean>;

/** A row that cannot go on is passed over, so that it holds up no other. */
async function takeAll(step: Step, source: ScheduleSource, nowMs: number): Promise<unknown[]> {
  const passed: string[] = [];
  const failures: unknown[] = [];
  for (;;) {
    let id: string | undefined;
    try {
      const isTaken = await step(source, nowMs, passed, (claimed) => {
        id = claimed;
      });
      if (!isTaken) return failures;
    } catch (error) {
      failures.push(error);
      if (id === undefined) return failures;
      passed.push(id);
    }
  }
}

const planNext: Step = async ({ postgres, tree }, nowMs, passed, claimed) =>
  await postgres.transaction(async (tx) => {
    const schedule = await lockToPlan(tx, nowMs, passed);
    if (!schedule) return false;
    claimed(schedule.id);
    await planSlots(tx, tree, schedule, nowMs);
    return true;
  });

const startNext: Step = async ({ postgres, tree, watermark }, nowMs, passed, claimed) =>
  await postgres.transaction(async (tx) => {
    const knownMs = Math.min(watermark().getTime(), nowMs);
    const open = await lockWaiting(tx, { knownMs, nowMs, passed });
    if (!open) return false;
    claimed(open.slot.id);
    if (await mayStart(tx, tree, open)) await startRun(tx, tree, open, nowMs);
    else passed.push(open.slot.id);
    return true;
  });

/** A report of a cycle waits until its statements are closed; a test uses what there is. */
async function mayStart(tx: Queries, tree: ScheduleSource["tree"], { slot, schedule }: OpenSlot): Promise<boolean> {
  if (schedule.every !== "cycle" || slot.test !== "") return true;
  return await areStatementsClosed(tx, tree, schedule.node, slot.toAt.getTime());
}

async function startRun(
  tx: Queries,
  tree: ScheduleSource["tree"],
  { slot, schedule }: OpenSlot,
  nowMs: number,
): Promise<void> {
  const report = await findReport(tx, schedule.report);
  if (!report || !tree.get(schedule.node))
    return await moveSlot(tx, slot.id, { state: "failed", reason: "report_removed" });
  const { keptDays } = await reportSettingsAt(tx, tree, schedule.node);
  const covered = { node: schedule.node, fromMs: slot.fromAt.getTime(), toMs: slot.toAt.getTime() };
  const held = await grantsOfAuthor(tx, { kind: schedule.authorKind, id: schedule.authorId }, nowMs);
  // An author who may not see it now gets nothing: what they saw once narrows nothing for those who do.
  const grants = mayReadKind({ grants: held }, report.kind, schedule.node, tree) ? held : [];
  const run = await createRun(
    tx,
    {
      ...{ ...report, ...covered, reportNode: report.node ?? null, tz: slot.tz, formats: schedule.formats },
      reach: reachOf(tree, { grants }, { kind: report.kind, ...covered }, nowMs),
      // In the schedule's name, so that it takes turns with others and nobody's own runs wait for it.
      requestedBy: { id: schedule.id, name: schedule.authorName },
      keptDays,
      onceKey: `slot ${slot.id} ${slot.failures}`,
    },
    nowMs,
  );
  await moveSlot(tx, slot.id, { state: "running", run: run.id });
}

const sendNext: Step = async (source, nowMs, passed, claimed) =>
  await source.postgres.transaction(async (tx) => {
    const open = await lockFinished(tx, passed);
    if (!open) return false;
    const { slot } = open;
    claimed(slot.id);
    const run = await readRun(tx, slot.run ?? "");
    if (run?.state === "done") {
      await sendSlot(tx, source, open, run, nowMs);
      return true;
    }
    const failures = slot.failures + 1;
    if (run?.state === "failed" && failures < maxFailures && slot.test === "") {
      const pauseMs = Math.min(60, 2 ** slot.failures) * minuteMs;
      await moveSlot(tx, slot.id, { state: "waiting", failures, retryAt: new Date(nowMs + pauseMs) });
    } else await moveSlot(tx, slot.id, { state: "failed", reason: "run_failed", failures });
    source.log.warn({ schedule: slot.schedule, slot: slot.id, run: slot.run }, "a scheduled report could not be made");
    return true;
  });
