/** What was corrected behind a figure: of one node, in one span of time, the newest few. */
import { and, desc, eq, gte, lt, or, type SQL, type SQLWrapper, sql } from "drizzle-orm";
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
