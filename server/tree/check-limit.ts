/** How many rows of a table a node and its tenant may have. */
import { and, type SQL, type SQLWrapper, sql } from "drizzle-orm";
import type { PgColumn, PgTable } from "drizzle-orm/pg-core";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Queries } from "../postgres/client.ts";
import { countAlone } from "../postgres/count-alone.ts";
import { ProblemError } from "../problem.ts";
import type { NodeTree } from "./node-tree.ts";
import { rowsWithin } from "./rows-within.ts";
import { tenantOf } from "./tenant-of.ts";

export interface RowLimit {
  /** The rows in plain words, as many: `rules`. */
  what: string;
  table: PgTable & { node: PgColumn };
  /** The field of the request that is at fault; default: `node`. */
  field?: string;
  /** Which of the rows count; undefined: all. */
  which?: SQL;
  /** What else counts, of the nodes that a column or an expression of a node is narrowed to. */
  others?: (tx: Queries, within: (node: SQLWrapper) => SQL | undefined) => Promise<number>;
  ofNode: number;
  /** All below one node right below the root; Infinity: no more than each of its nodes may have. */
  ofTenant: number;
}

/**
 * Throws `conflict` where the node, or its tenant, has as many as it may. Nobody else adds one to the tenant's until the
 * transaction ends.
 */
export async function checkLimit(
  tx: Queries,
  tree: Pick<NodeTree, "ancestors" | "children">,
  node: NodeAddress,
  { what, table, field = "node", which, others, ofNode, ofTenant }: RowLimit,
): Promise<void> {
  const tenant = tenantOf(node, tree);
  await countAlone(tx, `${what} of ${tenant}`);
  const countOf = async (within: (node: SQLWrapper) => SQL | undefined) => {
    const held = and(within(table.node), which);
    const [counted] = await tx.select({ rows: sql<number>`count(*)::int` }).from(table).where(held);
    return (counted?.rows ?? 0) + ((await others?.(tx, within)) ?? 0);
  };
  const refuse = (whose: string, most: number) =>
    new ProblemError("conflict", `${whose} has ${most} ${what}, the most allowed`, { field });
  if ((await countOf((column) => sql`${column} = ${node}`)) >= ofNode) throw refuse(node, ofNode);
  if (tenant === "all" || ofTenant === Number.POSITIVE_INFINITY) return;
  if ((await countOf((column) => rowsWithin(column, [tenant], tree))) >= ofTenant) throw refuse("the tenant", ofTenant);
}

export interface ByteLimit {
  what: string;
  field: string;
  /** What it is to be, as JSON. */
  added: unknown;
  /** What is there already and gives way to it: what does not grow is taken, whatever its size. */
  replaced?: unknown;
  /** The length of one, and of all that the tenant has. */
  most: number;
  ofTenant: number;
  /** How many bytes those have whose nodes are within. */
  heldBy: (within: (node: PgColumn) => SQL | undefined) => Promise<number>;
}

/**
 * Throws `invalid_request` where it is too large by itself, `conflict` where its tenant would have too much. As `checkLimit`
 * counts.
 */
export async function checkBytes(
  tx: Queries,
  tree: Pick<NodeTree, "ancestors" | "children">,
  node: NodeAddress,
  { what, field, added, replaced, most, ofTenant, heldBy }: ByteLimit,
): Promise<void> {
  const bytes = jsonBytes(added);
  const before = replaced === undefined ? 0 : jsonBytes(replaced);
  if (bytes <= before) return;
  if (bytes > most)
    throw new ProblemError("invalid_request", `takes ${bytes} bytes as JSON; at most ${most} are allowed`, { field });
  const tenant = tenantOf(node, tree);
  if (tenant === "all") return;
  await countAlone(tx, `${what} of ${tenant}`);
  if ((await heldBy((column) => rowsWithin(column, [tenant], tree))) - before + bytes > ofTenant)
    throw new ProblemError("conflict", `the tenant's ${what} would take more than ${ofTenant} bytes`, { field });
}

const jsonBytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
