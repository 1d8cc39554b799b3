/** How many roles users may have, and be offered, at a node and below one tenant. */
import { sql } from "drizzle-orm";
import type { RoleAt } from "../contract/accounts.ts";
import { definitionLimits } from "../contract/definition-limits.ts";
import type { Queries } from "../postgres/client.ts";
import { roleOffers, userRoles } from "../postgres/schema/accounts.ts";
import { ProblemError } from "../problem.ts";
import { checkLimit, type RowLimit } from "../tree/check-limit.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { tenantOf } from "../tree/tenant-of.ts";

const limit: RowLimit = {
  what: "roles of users, with those that are offered",
  field: "roles",
  table: userRoles,
  ...definitionLimits.roles,
  async others(tx, within) {
    const held = within(sql`offered ->> 'node'`) ?? sql`true`;
    const { rows } = await tx.execute<{ roles: number }>(
      sql`SELECT count(*)::int AS roles FROM ${roleOffers}, jsonb_array_elements(${roleOffers.roles}) AS offered WHERE ${held}`,
    );
    return rows[0]?.roles ?? 0;
  },
};

const { ofUser } = definitionLimits.roles;

/** Throws `conflict` where one user would have more roles than may be looked at with each request of theirs. */
export function checkRolesOfUser(roles: number): void {
  if (roles > ofUser) throw new ProblemError("conflict", `a user can have at most ${ofUser} roles`, { field: "roles" });
}

/** Throws `conflict` where one of the nodes, or its tenant, has as many as it may. */
export async function checkRoleLimit(
  tx: Queries,
  tree: Pick<NodeTree, "ancestors" | "children">,
  added: readonly RoleAt[],
): Promise<void> {
  // In one order for all, so that no two wait for each other.
  const nodes = [...new Set(added.map(({ node }) => node))].map((node) => ({ node, tenant: tenantOf(node, tree) }));
  nodes.sort((a, b) => (a.tenant < b.tenant ? -1 : a.tenant > b.tenant ? 1 : 0));
  for (const { node } of nodes) await checkLimit(tx, tree, node, limit);
}
