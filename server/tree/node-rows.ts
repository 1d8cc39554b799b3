/** The rows of nodes, and of where they stand since when, in Postgres. */
import { inArray, sql } from "drizzle-orm";
import { nodeKinds } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { nodeParents, nodes } from "../postgres/schema/accounts.ts";
import { addressOf, type NewNode } from "./node-record.ts";

export interface NodeRows {
  nodes: (typeof nodes.$inferSelect)[];
  parents: (typeof nodeParents.$inferSelect)[];
}

/** Rows per statement; Postgres takes 65,535 parameters in one. */
const rowsPerStatement = 5_000;

/** As they are at one instant. */
export async function readAllNodeRows(postgres: Postgres): Promise<NodeRows> {
  return await postgres.transaction(
    async (tx) => ({ nodes: await tx.select().from(nodes), parents: await tx.select().from(nodeParents) }),
    "snapshot",
  );
}

/** Those of the nodes that there are, some at a time, each part as it is at one instant. */
export async function* readNodeRows(
  postgres: Postgres,
  addresses: readonly NodeAddress[],
): AsyncGenerator<NodeRows, void, void> {
  for (let start = 0; start < addresses.length; start += rowsPerStatement) {
    const chunk = addresses.slice(start, start + rowsPerStatement);
    yield await postgres.transaction(
      async (tx) => ({
        nodes: await tx.select().from(nodes).where(inArray(nodes.node, chunk)),
        parents: await tx.select().from(nodeParents).where(inArray(nodeParents.node, chunk)),
      }),
      "snapshot",
    );
  }
}

export type AddressedNode = NewNode & { node: NodeAddress };

/**
 * Parents go before what stands below them, and nodes of one depth in the order of their addresses: two requests never
 * wait for each other in a ring.
 */
export function inOrderOfInsertion(wanted: readonly NewNode[]): AddressedNode[] {
  return wanted
    .map((node) => ({ ...node, node: addressOf(node) }))
    .sort((a, b) => nodeKinds.indexOf(a.kind) - nodeKinds.indexOf(b.kind) || (a.node < b.node ? -1 : 1));
}

/** Inserts those that do not exist, with where they stand since ever; answers the addresses of these. */
export async function insertNodeRows(tx: Queries, ordered: readonly AddressedNode[]): Promise<Set<NodeAddress>> {
  const inserted = new Set<NodeAddress>();
  for (let start = 0; start < ordered.length; start += rowsPerStatement) {
    const chunk = ordered.slice(start, start + rowsPerStatement);
    // Each column is one parameter: importing 100,000 nodes took 7 s so, 37 s with a parameter for each value.
    const column = <T>(of: (node: (typeof chunk)[number]) => T) => sql.param(chunk.map(of));
    const { rows: made } = await tx.execute<{ node: NodeAddress }>(sql`
      INSERT INTO nodes (node, kind, id, name, external_id, status, fields)
      SELECT * FROM unnest(
        ${column(({ node }) => node)}::text[], ${column(({ kind }) => kind)}::text[], ${column(({ id }) => id)}::text[],
        ${column(({ name }) => name)}::text[], ${column(({ externalId }) => externalId ?? null)}::text[],
        ${column(({ status }) => status ?? "active")}::text[],
        ${column(({ fields }) => JSON.stringify(fields ?? {}))}::jsonb[])
      ON CONFLICT DO NOTHING RETURNING node`);
    const fresh = new Set(made.map(({ node }) => node));
    const placed = chunk.filter(({ node }) => fresh.has(node));
    await tx.execute(sql`
      INSERT INTO node_parents (node, parent, valid_from)
      SELECT node, parent, 'epoch' FROM unnest(
        ${sql.param(placed.map(({ node }) => node))}::text[],
        ${sql.param(placed.map(({ parent }) => parent))}::text[]) AS placed (node, parent)`);
    for (const node of fresh) inserted.add(node);
  }
  return inserted;
}
