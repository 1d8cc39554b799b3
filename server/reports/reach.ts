/**
 * Whose past a report shows. Statements and changes stay with those who had their node then: after a move its new owner sees
 * of them from the move on, in reports as in lists.
 */
import type { NodeAddress } from "../contract/nodes.ts";
import { actionsOfReports } from "../contract/report-rights.ts";
import type { ReportKind } from "../contract/reports.ts";
import type { Actor } from "../identity/actor.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { ownersWithin, placeOf, stoodWithin } from "../tree/past-owners.ts";

type Holder = Pick<Actor, "grants">;
type Paths = Pick<NodeTree, "pathsBetween">;

interface ReportScope {
  kind: ReportKind;
  node: NodeAddress;
  /** ms since 1970, UTC. */
  fromMs: number;
  /** Exclusive. */
  toMs: number;
}

/** By which nodes a holder sees what such a report shows; undefined of kinds that everybody at the node sees. */
function topsOf({ grants }: Holder, kind: ReportKind): NodeAddress[] | undefined {
  const action = actionsOfReports[kind];
  return action && grants.filter(({ actions }) => actions.has(action)).map(({ node }) => node);
}

/** Until when there is anything to show at `nowMs`, and from when. */
const spanOf = ({ fromMs, toMs }: ReportScope, nowMs: number) => {
  const lastMs = Math.min(toMs - 1, nowMs);
  return { fromMs: Math.min(fromMs, lastMs), lastMs };
};

/** Whether the node was one of `tops`, or stood below one, in all of the report's span. */
function sawAll(tree: Paths, tops: readonly NodeAddress[], report: ReportScope, nowMs: number): boolean {
  const { fromMs, lastMs } = spanOf(report, nowMs);
  return tops.includes(report.node) || stoodWithin(tree, tops, placeOf(report.node), fromMs, lastMs);
}

/**
 * The nodes by which a holder sees the rows of a report: it has those that stood at or below one of them then. Somebody who may
 * see none of it, such as an author whose right has ended, narrows nothing for others: each is judged alone.
 */
export function reachOf(tree: Paths, holder: Holder, report: ReportScope, nowMs: number): NodeAddress[] {
  const tops = topsOf(holder, report.kind);
  if (tops === undefined || tops.length === 0 || sawAll(tree, tops, report, nowMs)) return [report.node];
  const { fromMs, lastMs } = spanOf(report, nowMs);
  const owners = ownersWithin(tree, placeOf(report.node), fromMs, lastMs);
  return tops.filter((top) => owners.includes(top));
}

/** Whether a holder would see each row of a report that was made by `reach` at `atMs`. */
export function seesReach(
  tree: Paths,
  holder: Holder,
  report: ReportScope & { reach: readonly NodeAddress[] },
  atMs: number,
): boolean {
  const tops = topsOf(holder, report.kind);
  if (tops === undefined || sawAll(tree, tops, report, atMs)) return true;
  return report.reach.every((node) => sawAll(tree, tops, { ...report, node }, atMs));
}
