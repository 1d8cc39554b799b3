/** Edits of a node: what is said about it, and where it stands. Past usage stays with the parent that it had. */
import { asc, eq, sql } from "drizzle-orm";
import { type Author, recordChange } from "../audit/record-change.ts";
import { definitionLimits } from "../contract/definition-limits.ts";
import type { NodeAddress, NodeFields, NodeStatus } from "../contract/nodes.ts";
import type { Queries } from "../postgres/client.ts";
import { announcePastChanges, type PastChange } from "../postgres/past-changes.ts";
import { nodeMoves, nodeParents, nodes } from "../postgres/schema/accounts.ts";
import { ProblemError } from "../problem.ts";
import { bytesOfFields, checkFields } from "./field-bytes.ts";
import type { NodeTree } from "./node-tree.ts";
import { type MovedPath, mayMove, movedPaths } from "./past-owners.ts";
import { type ReportSettings, readReportSettings, recordedBranding, writeReportSettings } from "./report-settings.ts";

/** What may be edited; what is left out stays. */
export interface NodeChange {
  name?: string | undefined;
  externalId?: string | null | undefined;
  status?: NodeStatus | undefined;
  fields?: NodeFields | undefined;
  reports?: Partial<ReportSettings> | undefined;
  /** The caller has checked that it exists and may be one. */
  parent?: NodeAddress | undefined;
  /** When the move takes effect, ms since 1970, UTC; in the past, what was stored since follows. Default: now. */
  effectiveFromMs?: number | undefined;
}

/** What an `ETag` of a node is made of, and what the audit keeps. */
export interface NodeState {
  node: NodeAddress;
  name: string;
  externalId: string | null;
  status: NodeStatus;
  fields: NodeFields;
  reports: ReportSettings;
  parent: NodeAddress | null;
  /** Where it stood and is to stand, in order of time; the first since ever. */
  placements: readonly ParentPlacement[];
}

export interface ParentPlacement {
  parent: NodeAddress;
  from: Date;
}

export interface NodeEdit {
  by: Author;
  /** Throws where the node is not what the caller saw. */
  check: (current: NodeState) => void;
  /** The nodes where the caller may edit. */
  reach: readonly NodeAddress[];
}

/**
 * A node that does not exist changes nothing. Throws `forbidden` for a move that gives or takes usage of a time in which it was,
 * or would become, that of nodes that are not the caller's; for fields that would become too large, as for a new node.
 */
export async function changeNode(tree: NodeTree, node: NodeAddress, change: NodeChange, edit: NodeEdit): Promise<void> {
  const larger = change.fields ? bytesOfFields(change.fields) - bytesOfFields(tree.get(node)?.fields) : 0;
  if (larger <= 0) await editNode(tree, node, change, edit);
  else await tree.withLargerFields(node, larger, () => editNode(tree, node, change, edit));
}

async function editNode(
  tree: NodeTree,
  node: NodeAddress,
  change: NodeChange,
  { by, check, reach }: NodeEdit,
): Promise<void> {
  await tree.change(async (tx) => {
    const [row] = await tx.select().from(nodes).where(eq(nodes.node, node)).for("update");
    if (!row) return { changed: [], result: undefined };
    const { before, nowMs } = await stateIn(tx, row);
    check(before);
    checkFields(change.fields, before.fields);
    const { parent, effectiveFromMs = nowMs, reports, ...edits } = change;
    const given = Object.fromEntries(Object.entries(edits).filter(([, value]) => value !== undefined));
    if (Object.keys(given).length > 0) await tx.update(nodes).set(given).where(eq(nodes.node, node));
    const settings = reports ? await writeReportSettings(tx, node, before.reports, reports) : before.reports;
    const isMoved = parent !== undefined && (parent !== before.parent || change.effectiveFromMs !== undefined);
    const move = isMoved ? { node, parent, from: new Date(effectiveFromMs) } : undefined;
    const concerned = move && concernedByMove(tree, before.placements, move, { reach, nowMs });
    const placements = move ? await placeAnew(tx, before.placements, move, concerned?.past ?? []) : before.placements;
    const after: NodeState = {
      ...before,
      ...given,
      reports: settings,
      placements,
      parent: move ? parentAt(placements, nowMs) : before.parent,
    };
    await recordChange(tx, {
      by,
      node,
      ...(concerned && { alsoOf: concerned.owners }),
      action: move ? "node.moved" : "node.changed",
      subject: node,
      before: recorded(before, move !== undefined),
      after: move ? { ...recorded(after, true), parent: move.parent, parentFrom: move.from } : recorded(after, false),
    });
    return { changed: [node], result: undefined };
  });
}

/** As the audit keeps it: with the placements where it moved, under the name `stays` that they have there. */
function recorded({ placements, reports, ...state }: NodeState, isMoved: boolean): object {
  const { keptDays } = reports;
  const branding = recordedBranding(reports.branding);
  const said = { ...state, ...(branding && { branding }), ...(keptDays !== null && { reportDays: keptDays }) };
  return isMoved ? { ...said, stays: placements } : said;
}

/** With the row of the node locked. */
async function stateIn(tx: Queries, row: typeof nodes.$inferSelect): Promise<{ before: NodeState; nowMs: number }> {
  const placements = await tx
    .select({ parent: nodeParents.parent, from: nodeParents.validFrom })
    .from(nodeParents)
    .where(eq(nodeParents.node, row.node))
    .orderBy(asc(nodeParents.validFrom));
  const { rows } = await tx.execute<{ now_ms: string }>(
    sql`SELECT extract(epoch FROM date_trunc('milliseconds', clock_timestamp())) * 1000 AS now_ms`,
  );
  const nowMs = Number(rows[0]?.now_ms);
  const { kind: _, id: __, createdAt: ___, ...said } = row;
  const reports = await readReportSettings(tx, row.node);
  return { before: { ...said, reports, parent: parentAt(placements, nowMs), placements }, nowMs };
}

function parentAt(placements: readonly ParentPlacement[], ms: number): NodeAddress | null {
  return (placements.findLast(({ from }) => from.getTime() <= ms) ?? placements[0])?.parent ?? null;
}

/** The nodes whose usage it was or becomes, which all see the move in their audit, and of the past where it stood and is to have stood. */
function concernedByMove(
  tree: NodeTree,
  placements: readonly ParentPlacement[],
  { node, parent, from }: { node: NodeAddress; parent: NodeAddress; from: Date },
  { reach, nowMs }: { reach: readonly NodeAddress[]; nowMs: number },
): { owners: NodeAddress[]; past: MovedPath[] } {
  const fromMs = from.getTime();
  const past = movedPaths(tree, placements, { node, parent, fromMs, toMs: nowMs });
  if (!past.every((paths) => mayMove(reach, paths)))
    throw new ProblemError("forbidden", "usage at that time belongs to nodes that the caller cannot change", {
      field: "effective_from",
    });
  const replaced = placements.filter(({ from: since }) => since.getTime() > nowMs && since.getTime() >= fromMs);
  if (!replaced.every((placement) => reach.some((top) => tree.isWithin(placement.parent, top))))
    throw new ProblemError("forbidden", "it would move to a node that is not the caller's", { field: "parent" });
  const present = [...tree.ancestors(node), ...tree.ancestors(parent)];
  const later = replaced.flatMap((placement) => tree.ancestors(placement.parent));
  const owners = new Set([...present, ...later, ...past.flatMap(({ before, after }) => [...before, ...after])]);
  return { owners: [...owners], past };
}

/**
 * Places the node below the parent from then on: moves after that instant, planned or done, are replaced. Throws `conflict` where the node
 * would have more placements than it may: every process holds them, and questions go by each of those within their range.
 */
async function placeAnew(
  tx: Queries,
  placements: readonly ParentPlacement[],
  { node, parent, from }: { node: NodeAddress; parent: NodeAddress; from: Date },
  past: readonly MovedPath[],
): Promise<ParentPlacement[]> {
  const after = [...placements.filter((placement) => placement.from < from), { parent, from }];
  const { placements: most } = definitionLimits.nodes;
  if (after.length > most && after.length > placements.length)
    throw new ProblemError("conflict", `the node has ${most} placements, the most allowed`, {
      field: "parent",
    });
  await tx.delete(nodeParents).where(sql`${nodeParents.node} = ${node} AND ${nodeParents.validFrom} >= ${from}`);
  await tx.insert(nodeParents).values({ node, parent, validFrom: from });
  const [moved] = await tx.insert(nodeMoves).values({ node, effectiveAt: from }).returning({ id: nodeMoves.id });
  if (moved) await announcePastChanges(tx, causeOfMove(moved.id), changesOfMove(past, from.getTime()));
  return after;
}

/** By which the changes of the past that a move makes are announced. */
export const causeOfMove = (move: number): string => `move:${move}`;

/** Those that lose or gain what was used below the node; its own figures stay. */
function changesOfMove(past: readonly MovedPath[], fromMs: number): PastChange[] {
  const differing = past.flatMap(({ before, after }) => [
    ...before.filter((one) => !after.includes(one)),
    ...after.filter((one) => !before.includes(one)),
  ]);
  return [...new Set(differing)].map((node) => ({ node, fromMs, toMs: null }));
}
