/** What was corrected behind a figure: of one node, in one span of time, the newest few. */
import { and, desc, eq, gte, isNotNull, lt, max, or, type SQL, type SQLWrapper, sql } from "drizzle-orm";
import { parseNode } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Queries } from "../postgres/client.ts";
import { eventCorrections, timeBefore } from "../postgres/schema/corrections.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { organizationsWithin } from "../tree/rows-within.ts";
import type { Correction } from "./record-correction.ts";

/** The range is ms since 1970, UTC, `toMs` exclusive. */
export interface CorrectionsAsked {
  node: NodeAddress;
  fromMs: number;
  toMs: number;
}

const shownCorrections = 100;

/**
 * The newest 100 of events of the node and what stands below it, as the tree is now, that had a time in the range before;
 * those that came from elsewhere or went there too. The oldest first. No other tenant's are read.
 */
export async function readCorrectionsWithin(
  db: Queries,
  tree: Pick<NodeTree, "children">,
  { node, fromMs, toMs }: CorrectionsAsked,
): Promise<Correction[]> {
  const { before, after, organization, newOrganization, at, id } = eventCorrections;
  const time = timeBefore(before);
  const rows = await db
    .select()
    .from(eventCorrections)
    .where(and(gte(time, fromMs), lt(time, toMs), ofNode(node, tree, { before, after, organization, newOrganization })))
    .orderBy(desc(at), desc(id))
    .limit(shownCorrections);
  return rows.reverse();
}

/**
 * How many events of the node and what stands below it, as the tree is now, were corrected that had a time in each of the
 * windows before; the windows follow each other. Those without any are left out.
 */
export async function countCorrections(
  db: Queries,
  tree: Pick<NodeTree, "children">,
  node: NodeAddress,
  windows: readonly { startMs: number; endMs: number }[],
): Promise<{ place: number; events: number; lastAt: Date }[]> {
  const [first, last] = [windows[0], windows.at(-1)];
  if (!first || !last) return [];
  const { before, after, organization, newOrganization, at, appliedAt } = eventCorrections;
  const time = timeBefore(before);
  const starts = sql.param(windows.map(({ startMs }) => startMs));
  const place = sql<number>`width_bucket(${time}, ${starts}::bigint[]) - 1`;
  const isOfNode = ofNode(node, tree, { before, after, organization, newOrganization });
  return await db
    .select({ place, events: sql<number>`count(*)::int`, lastAt: max(at) })
    .from(eventCorrections)
    .where(and(gte(time, first.startMs), lt(time, last.endMs), isNotNull(appliedAt), isOfNode))
    .groupBy(sql`1`)
    .orderBy(sql`1`)
    .then((rows) => rows.flatMap(({ lastAt, ...row }) => (lastAt === null ? [] : [{ ...row, lastAt }])));
}

type Columns = Record<"before" | "after" | "organization" | "newOrganization", SQLWrapper>;

/** Undefined: of all. */
function ofNode(
  node: NodeAddress,
  tree: Pick<NodeTree, "children">,
  { before, after, organization, newOrganization }: Columns,
): SQL | undefined {
  if (node === "all") return undefined;
  const parsed = parseNode(node);
  if (parsed.kind === "agent") {
    const isAgents = (event: SQLWrapper) => sql`${event}->>'agent' = ${parsed.agent}`;
    // An event that stays in its organization may come to the agent, or leave it.
    return or(
      and(eq(organization, parsed.organization), isAgents(before)),
      and(eq(organization, parsed.organization), sql`${newOrganization} IS NULL`, isAgents(after)),
      and(eq(newOrganization, parsed.organization), isAgents(after)),
    );
  }
  const organizations = sql.param(organizationsWithin(node, tree));
  return or(
    sql`${organization} = ANY(${organizations}::text[])`,
    sql`${newOrganization} = ANY(${organizations}::text[])`,
  );
}
