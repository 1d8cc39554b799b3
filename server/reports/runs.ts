/** Runs: each is one making of a report, and what was known then for as long as it is kept. */
import { and, desc, eq, gt, inArray, lt, or, sql } from "drizzle-orm";
import { dayMs } from "../contract/durations.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { ReportFormat, ReportRun, RunState } from "../contract/reports.ts";
import { type Actor, newId } from "../identity/actor.ts";
import { formatInstant } from "../metrics/windows.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { countAlone } from "../postgres/count-alone.ts";
import { lockedRow } from "../postgres/locked-row.ts";
import { reportRuns } from "../postgres/schema/reports.ts";
import { ProblemError } from "../problem.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { nameOfOthers } from "../tree/past-owners.ts";
import { rowsWithin } from "../tree/rows-within.ts";
import { tenantOf } from "../tree/tenant-of.ts";
import { seesReach } from "./reach.ts";
import type { ReportQuestion } from "./report-source.ts";
import { removeFiles } from "./run-files.ts";
import { visibleKinds } from "./saved-reports.ts";

export type RunRecord = typeof reportRuns.$inferSelect;

/** How long a run is kept, with its files. */
export const keptDays = 90;

export interface NewRun extends ReportQuestion {
  /** Whose the report is; null for a standard one. */
  reportNode: NodeAddress | null;
  formats: readonly ReportFormat[];
  requestedBy: { id: string; name: string };
  /** For how long it is kept, with its files. */
  keptDays: number;
  /** Only one run with the same key is ever made: a slot of a schedule. */
  onceKey?: string;
}

/**
 * Queues a run; whoever has the role `worker` makes it. With `onceKey` the one that has it already is given back. Call it in
 * the transaction that says why the run is made: there is none without the other.
 */
export async function createRun(db: Queries, wanted: NewRun, nowMs: number): Promise<RunRecord> {
  const { report, name, kind, options, reportNode, node, fromMs, toMs, tz } = wanted;
  const { formats, requestedBy, keptDays, onceKey, reach = null } = wanted;
  const row = {
    id: newId("run"),
    onceKey: onceKey ?? null,
    report,
    name,
    kind,
    options,
    reportNode,
    node,
    tz,
    reach: reach && [...reach],
    fromAt: new Date(fromMs),
    toAt: new Date(toMs),
    formats: [...formats],
    state: "queued" as const,
    requestedAt: new Date(nowMs),
    requestedById: requestedBy.id,
    requestedByName: requestedBy.name,
    expiresAt: new Date(nowMs + keptDays * dayMs),
  };
  const [made] = await db
    .insert(reportRuns)
    .values(row)
    .onConflictDoNothing({ target: reportRuns.onceKey })
    .returning();
  if (made) return made;
  const [found] = await db
    .select()
    .from(reportRuns)
    .where(eq(reportRuns.onceKey, onceKey ?? ""));
  if (!found) throw new Error("a run with this key was removed meanwhile");
  return found;
}

/** How many runs of one caller may wait or be made at once. */
export const maxUnfinished = 20;
/** And of one tenant. */
const maxOfTenant = 100;

/**
 * As `createRun`, for a caller. Throws `too_fast` where they, or the tenant that the run is about, have as many that are not over
 * as they may. A caller may ask about several tenants, so all are counted one after another.
 */
export async function createRunInTurn(
  postgres: Pick<Postgres, "transaction">,
  tree: Pick<NodeTree, "ancestors">,
  wanted: NewRun,
  nowMs: number,
): Promise<RunRecord> {
  return await postgres.transaction(async (tx) => {
    await countAlone(tx, "unfinished report runs");
    const unfinished = await unfinishedRuns(tx);
    const tenant = tenantOf(wanted.node, tree);
    const sum = (runs: typeof unfinished) => runs.reduce((total, one) => total + one.runs, 0);
    const refuse = (most: number, whose: string) => {
      throw new ProblemError("too_fast", `${most} runs of this ${whose} are not finished yet; wait for one to finish`, {
        retryAfterSeconds: 5,
      });
    };
    const ofCaller = unfinished.filter(({ caller }) => caller === wanted.requestedBy.id);
    if (sum(ofCaller) >= maxUnfinished) refuse(maxUnfinished, "caller");
    const ofTenant = unfinished.filter(({ node }) => tenantOf(node, tree) === tenant);
    if (sum(ofTenant) >= maxOfTenant) refuse(maxOfTenant, "tenant");
    return await createRun(tx, wanted, nowMs);
  });
}

export async function readRun(db: Queries, id: string): Promise<RunRecord | undefined> {
  const [found] = await db.select().from(reportRuns).where(eq(reportRuns.id, id));
  return found;
}

/** How many runs are not over: by caller, and by the node that they are about. */
export async function unfinishedRuns(db: Queries): Promise<{ node: NodeAddress; caller: string; runs: number }[]> {
  return await db
    .select({ node: reportRuns.node, caller: reportRuns.requestedById, runs: sql<number>`count(*)::int` })
    .from(reportRuns)
    .where(inArray(reportRuns.state, ["queued", "running"]))
    .groupBy(reportRuns.node, reportRuns.requestedById);
}

/** The newest first: those about the node and all below it that the reader may see there, and that are kept. */
export async function listRuns(
  db: Queries,
  tree: Pick<NodeTree, "children">,
  {
    node,
    reader,
    report,
    state,
    nowMs,
    after,
    limit,
  }: {
    node: NodeAddress;
    /** With all that they may. */
    reader: Pick<Actor, "grants">;
    report: string | undefined;
    state: RunState | undefined;
    nowMs: number;
    after: { atMs: number; id: string } | undefined;
    limit: number;
  },
): Promise<RunRecord[]> {
  const at = after && new Date(after.atMs);
  const behind =
    after && at && or(lt(reportRuns.requestedAt, at), and(eq(reportRuns.requestedAt, at), lt(reportRuns.id, after.id)));
  const conditions = [
    rowsWithin(reportRuns.node, [node], tree),
    visibleKinds(reader, reportRuns.kind, reportRuns.node, tree),
    report === undefined ? undefined : eq(reportRuns.report, report),
    state && eq(reportRuns.state, state),
    gt(reportRuns.expiresAt, new Date(nowMs)),
    behind,
  ];
  return await db
    .select()
    .from(reportRuns)
    .where(and(...conditions))
    .orderBy(desc(reportRuns.requestedAt), desc(reportRuns.id))
    .limit(limit);
}

/** A run that is over stays as it is. `check` throws where its state is not what the caller saw. */
export async function cancelRun(
  postgres: Pick<Postgres, "transaction">,
  id: string,
  check: (current: unknown) => void,
): Promise<RunRecord> {
  return await postgres.transaction(async (tx) => {
    const before = await lockedRow(tx, reportRuns, id, "run");
    check(stateOfRun(before));
    const [after = before] = await tx
      .update(reportRuns)
      .set({ state: "cancelled", ...unleased })
      .where(and(eq(reportRuns.id, id), inArray(reportRuns.state, ["queued", "running"])))
      .returning();
    return after;
  });
}

/** What an `ETag` of a run is made of: how far it is in percent is no state. */
export const stateOfRun = ({ id, state }: RunRecord): object => ({ id, state });

export function questionOfRun(run: RunRecord): ReportQuestion & { reach: NodeAddress[] } {
  const { report, name, kind, options, node, fromAt, toAt, tz } = run;
  const reach = run.reach ?? [node];
  return { report, name, kind, options, node, fromMs: fromAt.getTime(), toMs: toAt.getTime(), tz, reach };
}

/** Whether a holder of these rights would see all that it shows. */
export function seesRun(tree: Pick<NodeTree, "pathsBetween">, holder: Pick<Actor, "grants">, run: RunRecord): boolean {
  return seesReach(tree, holder, questionOfRun(run), run.requestedAt.getTime());
}

const unleased = { lease: null, leasedUntil: null };
/** How long a lease lasts that is not renewed. */
const leaseMs = 30_000;
/** A run is given up after it was begun this often: its process died, or a store was away. */
export const maxAttempts = 3;

/** Between whom runs take turns. */
export interface Turns {
  /** Whose callers share. */
  tenantOf: (node: NodeAddress) => string;
  /** Whether another of the tenant's may be made here now. */
  mayRun: (tenant: string) => boolean;
}

/**
 * Takes a queued run, of the tenant of which the fewest are being made, then of the caller, then the oldest: whoever asks for
 * many, by however many keys, holds up their own. Undefined where nothing may be made.
 */
export async function claimRun(
  db: Queries,
  lease: string,
  nowMs: number,
  turns: Turns = { tenantOf: (node) => node, mayRun: () => true },
): Promise<RunRecord | undefined> {
  const until = new Date(nowMs + leaseMs).toISOString();
  for (const { node, caller } of await inTurn(db, nowMs, turns)) {
    const { rows } = await db.execute<{ id: string }>(sql`
      UPDATE report_runs SET state = 'running', lease = ${lease}, leased_until = ${until}::timestamptz, attempts = attempts + 1, error = NULL
      WHERE id = (
        SELECT run.id FROM report_runs AS run
        WHERE run.state = 'queued' AND run.node = ${node} AND run.requested_by_id = ${caller}
        ORDER BY run.requested_at, run.id
        FOR UPDATE SKIP LOCKED LIMIT 1
      ) AND state = 'queued' RETURNING id`);
    const [claimed] = rows;
    if (claimed) return await readRun(db, claimed.id);
    // Another process was quicker.
  }
  return undefined;
}

/** About which nodes, and of which callers, the next runs to be made are. */
async function inTurn(
  db: Queries,
  nowMs: number,
  { tenantOf, mayRun }: Turns,
): Promise<{ node: NodeAddress; caller: string }[]> {
  const now = new Date(nowMs).toISOString();
  const { rows } = await db.execute<{ node: NodeAddress; caller: string; running: number; oldest: string | null }>(sql`
    SELECT node, requested_by_id AS caller,
      count(*) FILTER (WHERE state = 'running' AND leased_until > ${now}::timestamptz)::int AS running,
      min(requested_at) FILTER (WHERE state = 'queued') AS oldest
    FROM report_runs WHERE state IN ('queued', 'running') GROUP BY node, requested_by_id`);
  const [ofTenants, ofCallers] = [new Map<string, number>(), new Map<string, number>()];
  for (const { node, caller, running } of rows) {
    const tenant = tenantOf(node);
    ofTenants.set(tenant, (ofTenants.get(tenant) ?? 0) + running);
    ofCallers.set(caller, (ofCallers.get(caller) ?? 0) + running);
  }
  const waiting = rows.flatMap(({ node, caller, oldest }) => {
    const tenant = tenantOf(node);
    if (oldest === null || !mayRun(tenant)) return [];
    const order = [ofTenants.get(tenant) ?? 0, ofCallers.get(caller) ?? 0, new Date(oldest).getTime()] as const;
    return { node, caller, order };
  });
  return waiting.sort((a, b) => a.order[0] - b.order[0] || a.order[1] - b.order[1] || a.order[2] - b.order[2]);
}

/** Gives back what a process that died had claimed; after a few attempts it has failed, and its files are removed. */
export async function releaseAbandoned(db: Queries, nowMs: number): Promise<void> {
  const abandoned = and(eq(reportRuns.state, "running"), lt(reportRuns.leasedUntil, new Date(nowMs)));
  const givenUp = await db
    .update(reportRuns)
    .set({ state: "failed", error: "the processes that were creating it stopped", ...unleased })
    .where(and(abandoned, sql`${reportRuns.attempts} >= ${maxAttempts}`))
    .returning({ id: reportRuns.id });
  for (const { id } of givenUp) await removeFiles(db, id);
  await db
    .update(reportRuns)
    .set({ state: "queued", progress: 0, ...unleased })
    .where(abandoned);
}

/** Leaves the run, if it is still this lease's, to be begun again from `untilMs` (ms since 1970) on, and says why until then. */
export async function pauseRun(
  db: Queries,
  { id, lease, untilMs, error }: { id: string; lease: string; untilMs: number; error: string },
): Promise<void> {
  await db
    .update(reportRuns)
    .set({ lease: null, leasedUntil: new Date(untilMs), progress: 0, error })
    .where(and(eq(reportRuns.id, id), eq(reportRuns.lease, lease), eq(reportRuns.state, "running")));
}

/** False when the run is this lease's no longer: it was cancelled, or given to another. */
export async function keepLease(
  db: Queries,
  { id, lease, nowMs, progress }: { id: string; lease: string; nowMs: number; progress: number },
): Promise<boolean> {
  const kept = await db
    .update(reportRuns)
    .set({ leasedUntil: new Date(nowMs + leaseMs), progress })
    .where(and(eq(reportRuns.id, id), eq(reportRuns.lease, lease), eq(reportRuns.state, "running")))
    .returning({ id: reportRuns.id });
  return kept.length > 0;
}

/** How it ended, if it is still this lease's. */
export async function endRun(
  db: Queries,
  id: string,
  lease: string,
  end: Partial<Pick<RunRecord, "state" | "error" | "watermark" | "madeAt" | "progress">>,
): Promise<boolean> {
  const ended = await db
    .update(reportRuns)
    .set({ ...end, lease: null, leasedUntil: null })
    .where(and(eq(reportRuns.id, id), eq(reportRuns.lease, lease), eq(reportRuns.state, "running")))
    .returning({ id: reportRuns.id });
  return ended.length > 0;
}

/** Removes runs with their files. */
export async function removeExpired(db: Queries, nowMs: number): Promise<void> {
  await db.delete(reportRuns).where(lt(reportRuns.expiresAt, new Date(nowMs)));
}

export function isKept(run: RunRecord, nowMs: number): boolean {
  return run.expiresAt.getTime() > nowMs;
}

/**
 * `seesReport`: whether its reader may see the report itself, and so what it is about; `sawRequest`: whether its node was the
 * reader's when it was asked for.
 */
export function describeRun(
  run: RunRecord,
  {
    seesReport,
    sawRequest,
    files,
    urlExpiresMs,
  }: { seesReport: boolean; sawRequest: boolean; files: ReportRun["files"]; urlExpiresMs: number },
): ReportRun {
  const { id, kind, node, tz, formats, state, progress, error } = run;
  const { report, name } = seesReport ? run : { report: kind, name: kind };
  const options = seesReport ? run.options : {};
  return {
    id,
    report,
    name,
    kind,
    options,
    node,
    from: formatInstant(run.fromAt.getTime(), tz),
    to: formatInstant(run.toAt.getTime(), tz),
    tz,
    formats,
    state,
    progress,
    error,
    watermark: run.watermark?.toISOString() ?? null,
    made_at: run.madeAt?.toISOString() ?? null,
    requested_at: run.requestedAt.toISOString(),
    requested_by: sawRequest ? run.requestedByName : nameOfOthers,
    expires_at: run.expiresAt.toISOString(),
    url_expires_at: files.length > 0 ? new Date(urlExpiresMs).toISOString() : null,
    files,
  };
}
