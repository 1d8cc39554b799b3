/** Reports that were saved, and the standard ones that need not be. A report is its node's and is read by all who read there. */
import { and, asc, eq, gt, or, type SQL, type SQLWrapper, sql } from "drizzle-orm";
import { type Author, recordChange } from "../audit/record-change.ts";
import { type Edit, type Editable, recordedEdit } from "../audit/recorded-edit.ts";
import { definitionLimits } from "../contract/definition-limits.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { reportNames } from "../contract/report-names.ts";
import { actionsOfReports } from "../contract/report-rights.ts";
import { type ChangeReport, type Report, type ReportKind, reportKinds, standardReports } from "../contract/reports.ts";
import { type Actor, newId } from "../identity/actor.ts";
import { can } from "../identity/permissions.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { lockedRow } from "../postgres/locked-row.ts";
import { reports } from "../postgres/schema/reports.ts";
import { ProblemError } from "../problem.ts";
import { checkLimit } from "../tree/check-limit.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { nameOfOthers, type WasWithin } from "../tree/past-owners.ts";
import { rowsWithin } from "../tree/rows-within.ts";
import { checkOptions } from "./custom-question.ts";

export type ReportRecord = typeof reports.$inferSelect;

/** The part of a report that a run needs. */
export type ReportToRun = Pick<ReportRecord, "name" | "kind" | "options"> & {
  report: string;
  /** Undefined for a standard one. */
  node: NodeAddress | undefined;
};

/** For who may read or write at the node at all: whether also this, which not everybody there sees. */
export function mayReadKind(
  actor: Pick<Actor, "grants">,
  kind: ReportKind,
  node: NodeAddress,
  tree: Pick<NodeTree, "isWithin">,
): boolean {
  const action = actionsOfReports[kind];
  return action === undefined || can(actor, action, node, tree);
}

/** The same of all rows of a statement: `kind` is that of a row's report, `node` what it is about. */
export function visibleKinds(
  actor: Pick<Actor, "grants">,
  kind: SQLWrapper,
  node: SQLWrapper,
  tree: Pick<NodeTree, "children">,
): SQL | undefined {
  const needed = new Set(Object.values(actionsOfReports));
  const conditions = [...needed].map((action) => {
    const kinds = reportKinds.filter((one) => actionsOfReports[one] === action);
    const tops = actor.grants.filter(({ actions }) => actions.has(action)).map((grant) => grant.node);
    return or(sql`${kind} <> ALL(${sql.param(kinds)}::text[])`, rowsWithin(node, tops, tree) ?? sql`true`);
  });
  return and(...conditions);
}

/** Throws `forbidden` where the caller may not see there what such a report shows. `actor`: with all that they may. */
export function requireKind(
  actor: Pick<Actor, "grants">,
  kind: ReportKind,
  node: NodeAddress,
  tree: Pick<NodeTree, "isWithin">,
): void {
  if (!mayReadKind(actor, kind, node, tree))
    throw new ProblemError(
      "forbidden",
      `a report of the kind ${kind} needs ${actionsOfReports[kind] ?? "read"} at ${node}`,
      {
        field: "report",
      },
    );
}

export function standardReport(kind: ReportKind, node: NodeAddress): Report {
  return {
    id: kind,
    name: reportNames[kind],
    node,
    kind,
    options: {},
    standard: true,
    created_at: null,
    created_by: null,
  };
}

/** `wasWithin`: its reader's past. */
export function describeReport(
  { id, name, node, kind, options, createdAt, createdBy }: ReportRecord,
  wasWithin: WasWithin,
): Report {
  const created_by = wasWithin(node, createdAt) ? createdBy : nameOfOthers;
  return { id, name, node, kind, options, standard: false, created_at: createdAt.toISOString(), created_by };
}

/** What an `ETag` of a report is made of, and what the audit keeps. */
export function stateOfReport({ node, name, kind, options }: ReportRecord) {
  return { node, name, kind, options };
}

/** `saved`: the name of the saved report. What was removed is called by its id. */
export function nameOfReport(reference: string, saved: string | null | undefined): string {
  const kind = standardReports.find((one) => one === reference);
  return saved ?? (kind ? reportNames[kind] : reference);
}

/** By an id, or the name of a standard one; undefined where there is none. */
export async function findReport(db: Queries, reference: string): Promise<ReportToRun | undefined> {
  const kind = standardReports.find((one) => one === reference);
  if (kind) return { report: kind, name: reportNames[kind], kind, options: {}, node: undefined };
  const found = await readReport(db, reference);
  return found && { report: found.id, name: found.name, kind: found.kind, options: found.options, node: found.node };
}

export async function readReport(db: Queries, id: string): Promise<ReportRecord | undefined> {
  const [found] = await db.select().from(reports).where(eq(reports.id, id));
  return found;
}

/** By name, then id: those of the node and all below it that the reader may see there. */
export async function listReports(
  db: Queries,
  tree: Pick<NodeTree, "children">,
  {
    node,
    reader,
    kind,
    after,
    limit,
  }: {
    node: NodeAddress;
    /** With all that they may. */
    reader: Pick<Actor, "grants">;
    kind: ReportKind | undefined;
    after: { name: string; id: string } | undefined;
    limit: number;
  },
): Promise<ReportRecord[]> {
  const behind = after && or(gt(reports.name, after.name), and(eq(reports.name, after.name), gt(reports.id, after.id)));
  return await db
    .select()
    .from(reports)
    .where(
      and(
        rowsWithin(reports.node, [node], tree),
        visibleKinds(reader, reports.kind, reports.node, tree),
        kind && eq(reports.kind, kind),
        behind,
      ),
    )
    .orderBy(asc(reports.name), asc(reports.id))
    .limit(limit);
}

const limit = { what: "reports", table: reports, ...definitionLimits.reports };

/** Throws `conflict` where the node has one of that name, `invalid_request` where the options do not fit the kind. */
export async function createReport(
  postgres: Postgres,
  tree: Pick<NodeTree, "ancestors" | "children">,
  wanted: Pick<ReportRecord, "node" | "name" | "kind" | "options">,
  by: Author,
): Promise<ReportRecord> {
  checkOptions(wanted.kind, wanted.options);
  return await postgres.transaction(async (tx) => {
    await checkLimit(tx, tree, wanted.node, limit);
    const [made] = await tx
      .insert(reports)
      .values({ ...wanted, id: newId("rpt"), createdBy: by.name })
      .onConflictDoNothing()
      .returning();
    if (!made) throw nameTaken(wanted);
    await recordChange(tx, {
      by,
      node: made.node,
      action: "report.created",
      subject: made.id,
      after: stateOfReport(made),
    });
    return made;
  });
}

const nameTaken = ({ node, name }: { node: string; name: string }) =>
  new ProblemError("conflict", `${node} already has a report ${JSON.stringify(name)}`, { field: "name" });

const editable: Editable<ReportRecord> = {
  lock: (tx, id) => lockedRow(tx, reports, id, "report"),
  stateOf: stateOfReport,
};

export async function changeReport(
  postgres: Postgres,
  id: string,
  change: ChangeReport,
  edit: Edit,
): Promise<ReportRecord> {
  return await recordedEdit(postgres, editable, { ...edit, id, action: "report.changed" }, async (tx, before) => {
    const wanted = { name: change.name ?? before.name, options: change.options ?? before.options };
    checkOptions(before.kind, wanted.options);
    const [other] = await tx
      .select({ id: reports.id })
      .from(reports)
      .where(and(eq(reports.node, before.node), eq(reports.name, wanted.name)));
    if (other && other.id !== id) throw nameTaken({ ...wanted, node: before.node });
    const [after = before] = await tx.update(reports).set(wanted).where(eq(reports.id, id)).returning();
    return after;
  });
}

/** Its runs stay until they expire. */
export async function removeReport(postgres: Postgres, id: string, edit: Edit): Promise<void> {
  await recordedEdit(postgres, editable, { ...edit, id, action: "report.removed" }, async (tx) => {
    await tx.delete(reports).where(eq(reports.id, id));
    return undefined;
  });
}
