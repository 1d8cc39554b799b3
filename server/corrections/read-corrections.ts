/** What was corrected behind a figure: of one node, in one span of time, the newest few. */
import { and, desc, eq, gte, isNotNull, lt, max, or, type SQL, type SQLWrapper, sql } from "drizzle-orm";
import { nodeAddress, parseNode } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Queries } from "../postgres/client.ts";
import { eventCorrections, timeBefore } from "../postgres/schema/corrections.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { spansWithin } from "../tree/past-owners.ts";
import type { Correction } from "./record-correction.ts";

/** The range is ms since 1970, UTC, `toMs` exclusive. */
interface Range {
  fromMs: number;
  toMs: number;
}

export interface CorrectionsAsked extends Range {
  node: NodeAddress;
}

type Tree = Pick<NodeTree, "organizationsEverBelow" | "pathsBetween">;

const shownCorrections = 100;

/**
 * The newest 100, the oldest of them first, of events that were the node's, or stood below it at the event's time, and lay in the
 * range before they were corrected; also of those that came from elsewhere or went there. No other tenant's are read.
 */
export async function readCorrectionsWithin(
  db: Queries,
  tree: Tree,
  { node, ...range }: CorrectionsAsked,
): Promise<Correction[]> {
  const { before, at, id } = eventCorrections;
  const time = timeBefore(before);
  const rows = await db
    .select()
    .from(eventCorrections)
    .where(and(gte(time, range.fromMs), lt(time, range.toMs), ofNode(node, tree, range)))
    .orderBy(desc(at), desc(id))
    .limit(shownCorrections);
  return rows.reverse();
}

/**
 * How many corrected events that were the node's, or stood below it at the event's time, lay in each of the windows before; the
 * windows follow each other. Windows without any are left out.
 */
export async function countCorrections(
  db: Queries,
  tree: Tree,
  node: NodeAddress,
  windows: readonly { startMs: number; endMs: number }[],
): Promise<{ place: number; events: number; lastAt: Date }[]> {
  const [first, last] = [windows[0], windows.at(-1)];
  if (!first || !last) return [];
  const { before, at, appliedAt } = eventCorrections;
  const time = timeBefore(before);
  const starts = sql.param(windows.map(({ startMs }) => startMs));
  const place = sql<number>`width_bucket(${time}, ${starts}::bigint[]) - 1`;
  const isOfNode = ofNode(node, tree, { fromMs: first.startMs, toMs: last.endMs });
  return await db
    .select({ place, events: sql<number>`count(*)::int`, lastAt: max(at) })
    .from(eventCorrections)
    .where(and(gte(time, first.startMs), lt(time, last.endMs), isNotNull(appliedAt), isOfNode))
    .groupBy(sql`1`)
    .orderBy(sql`1`)
    .then((rows) => rows.flatMap(({ lastAt, ...row }) => (lastAt === null ? [] : [{ ...row, lastAt }])));
}

/** Undefined: of all. */
function ofNode(node: NodeAddress, tree: Tree, range: Range): SQL | undefined {
  if (node === "all") return undefined;
  const { before, after, organization, newOrganization } = eventCorrections;
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
  const own = { throughout: [parsed.id], partly: [] };
  const { throughout, partly } = parsed.kind === "organization" ? own : organizationsOf(node, tree, range);
  const columns = [organization, newOrganization];
  return or(
    ...columns.map((column) => sql`${column} = ANY(${sql.param(throughout)}::text[])`),
    ...(partly.length === 0 ? [] : columns.map((column) => isOfSpans(column, partly))),
  );
}

interface OrganizationSpan extends Range {
  organization: string;
}

/** The organizations that stood below the node in the whole range, by id, and in which parts of it those did that moved. */
function organizationsOf(
  node: NodeAddress,
  tree: Tree,
  range: Range,
): { throughout: string[]; partly: OrganizationSpan[] } {
  const throughout: string[] = [];
  const partly: OrganizationSpan[] = [];
  for (const organization of tree.organizationsEverBelow(node)) {
    const spans = spansWithin(tree, [node], nodeAddress("organization", organization), range);
    const [first] = spans;
    if (first?.fromMs === range.fromMs && first.toMs === range.toMs) throughout.push(organization);
    else partly.push(...spans.map((span) => ({ organization, ...span })));
  }
  return { throughout, partly };
}

function isOfSpans(column: SQLWrapper, spans: readonly OrganizationSpan[]): SQL {
  const time = timeBefore(eventCorrections.before);
  const organizations = sql.param(spans.map(({ organization }) => organization));
  const [starts, ends] = [sql.param(spans.map(({ fromMs }) => fromMs)), sql.param(spans.map(({ toMs }) => toMs))];
  return sql`(${column} = ANY(${organizations}::text[]) AND EXISTS (
    SELECT FROM unnest(${organizations}::text[], ${starts}::bigint[], ${ends}::bigint[]) AS span (organization, from_ms, to_ms)
    WHERE span.organization = ${column} AND ${time} >= span.from_ms AND ${time} < span.to_ms))`;
}
