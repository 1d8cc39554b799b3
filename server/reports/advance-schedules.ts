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
import { inTurns } from "../fairness/in-turns.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { placeOf } from "../tree/past-owners.ts";
import { reportSettingsAt } from "../tree/report-settings.ts";
import { tenantOf } from "../tree/tenant-of.ts";
import { grantsOfAuthor } from "./entitled.ts";
import type { FileLinks } from "./file-link.ts";
import { planSlots } from "./plan-slots.ts";
import { reachOf } from "./reach.ts";
import { createRun, readRun } from "./runs.ts";
import { findReport, mayReadKind } from "./saved-reports.ts";
import {
  type Candidate,
  listFinished,
  listToPlan,
  listWaiting,
  lockFinished,
  lockToPlan,
  lockWaiting,
  moveSlot,
  type OpenSlot,
} from "./schedule-slots.ts";
import { sendSlot } from "./send-slot.ts";
import { kindOfReport, needsStatements } from "./timing.ts";

export interface ScheduleSource {
  postgres: Pick<Postgres, "transaction">;
  tree: Pick<NodeTree, "get" | "ancestors" | "children" | "isWithin" | "pathsBetween" | "effectiveStatus">;
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

/** How much of each step is taken before the next step has its turn, tenants in turn. */
const maxAtOnce = 50;
/** So long a list is worked off before it is read again: what came meanwhile waits no longer, and thousands are not listed for each fifty. */
const listedForMs = 5_000;

interface Tick extends ScheduleSource {
  nowMs: number;
  /** Everything is known until then: ms since 1970, UTC. */
  knownMs: number;
  /** Whether the statements of a node for a cycle's end are closed, by both: looked up once in a tick. */
  closed: Map<string, boolean>;
}

interface Step {
  /** Who may have something to do, the longest due first. */
  list(tx: Queries, tick: Tick): Promise<Candidate[]>;
  /** Takes one a step further; false where it cannot go on now, or somebody else takes it. */
  take(tx: Queries, tick: Tick, id: string): Promise<boolean>;
}

/** What is left of the last list of a step, in turns. */
interface Turns {
  step: Step;
  left: Candidate[];
  /** `performance.now()`. */
  listedAtMs: number;
  /** Those that could not go on: they hold up no other. */
  passed: Set<string>;
}

/**
 * Rejects after everything that can go on did, where something could not. Tenants take turns and so do the steps: whatever there
 * is of one tenant, what is due of the others is planned, begun and sent meanwhile.
 */
export async function advanceSchedules(source: ScheduleSource, nowMs: number): Promise<void> {
  const knownMs = Math.min(source.watermark().getTime(), nowMs);
  const tick: Tick = { ...source, nowMs, knownMs, closed: new Map() };
  const failures: unknown[] = [];
  const steps = [planning, starting, sending].map(
    (step): Turns => ({ step, left: [], listedAtMs: 0, passed: new Set<string>() }),
  );
  let isGoingOn = true;
  while (isGoingOn) {
    isGoingOn = false;
    for (const turns of steps) if (await takeSome(turns, tick, failures)) isGoingOn = true;
    source.wake();
  }
  if (failures.length > 0) throw new AggregateError(failures, "schedules could not be advanced");
}

/** Gives whether any were taken. */
async function takeSome(turns: Turns, tick: Tick, failures: unknown[]): Promise<boolean> {
  const { step, passed } = turns;
  const { postgres } = tick;
  try {
    await listTurns(turns, tick);
  } catch (error) {
    failures.push(error);
    return false;
  }
  const some = turns.left.splice(0, maxAtOnce);
  for (const { id } of some)
    try {
      if (!(await postgres.transaction((tx) => step.take(tx, tick, id)))) passed.add(id);
    } catch (error) {
      failures.push(error);
      passed.add(id);
    }
  return some.length > 0;
}

async function listTurns(turns: Turns, tick: Tick): Promise<void> {
  const { step, passed, left, listedAtMs } = turns;
  const nowMs = performance.now();
  if (left.length > 0 && nowMs - listedAtMs < listedForMs) return;
  turns.left = [];
  const listed = await tick.postgres.transaction((tx) => step.list(tx, tick));
  const waiting = listed.filter(({ id }) => !passed.has(id));
  turns.left = inTurns(waiting, ({ node }) => tenantOf(placeOf(node), tick.tree));
  turns.listedAtMs = nowMs;
}

const planning: Step = {
  list: (tx, { nowMs }) => listToPlan(tx, nowMs),
  async take(tx, { tree, nowMs }, id) {
    const schedule = await lockToPlan(tx, id, nowMs);
    if (schedule) await planSlots(tx, tree, schedule, nowMs);
    return schedule !== undefined;
  },
};

const starting: Step = {
  list: listWaiting,
  async take(tx, tick, id) {
    const open = await lockWaiting(tx, id, tick);
    if (!open || !(await mayStart(tx, tick, open))) return false;
    await startRun(tx, tick.tree, open, tick.nowMs);
    return true;
  },
};

/** A report of what a cycle costs waits until its statements are closed; a test uses what there is. */
async function mayStart(tx: Queries, { tree, closed }: Tick, { slot, schedule }: OpenSlot): Promise<boolean> {
  if (schedule.every !== "cycle" || slot.test !== "") return true;
  if (!needsStatements(await kindOfReport(tx, schedule.report))) return true;
  const key = `${slot.toAt.getTime()} ${schedule.node}`;
  const isClosed = closed.get(key) ?? (await areStatementsClosed(tx, tree, schedule.node, slot.toAt.getTime()));
  closed.set(key, isClosed);
  return isClosed;
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
      ...report,
      ...covered,
      reportNode: report.node ?? null,
      tz: slot.tz,
      formats: schedule.formats,
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

const sending: Step = {
  list: listFinished,
  async take(tx, tick, id) {
    const open = await lockFinished(tx, id);
    if (!open) return false;
    const { slot } = open;
    const run = await readRun(tx, slot.run ?? "");
    if (run?.state === "done") {
      await sendSlot(tx, tick, open, run, tick.nowMs);
      return true;
    }
    const failures = slot.failures + 1;
    if (run?.state === "failed" && failures < maxFailures && slot.test === "") {
      const pauseMs = Math.min(60, 2 ** slot.failures) * minuteMs;
      await moveSlot(tx, id, { state: "waiting", failures, retryAt: new Date(tick.nowMs + pauseMs) });
    } else await moveSlot(tx, id, { state: "failed", reason: "run_failed", failures });
    tick.log.warn({ schedule: slot.schedule, slot: id, run: slot.run }, "a scheduled report could not be made");
    return true;
  },
};
