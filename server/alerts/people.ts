/** Who may see an alert: everybody with a role at its node or above it now, of billing above it then, with the right to see prices. */
import { and, eq, isNull, sql } from "drizzle-orm";
import type { NodeAddress } from "../contract/nodes.ts";
import type { RuleKind } from "../contract/rules.ts";
import { rightsOfActions } from "../identity/permissions.ts";
import type { Queries } from "../postgres/client.ts";
import { userRoles, users } from "../postgres/schema/accounts.ts";
import type { NodeTree } from "../tree/node-tree.ts";

export interface Person<Row> {
  id: string;
  email: string;
  /** Those of the alerts that they may see. */
  rows: Row[];
}

/** `only`: of nobody but this user. */
export async function recipientsOf<
  Row extends { node: NodeAddress; kind: RuleKind; owners: readonly NodeAddress[] | null },
>(
  tx: Queries,
  tree: Pick<NodeTree, "ancestors" | "effectiveStatus">,
  rows: readonly Row[],
  only?: string,
): Promise<Person<Row>[]> {
  const paths = new Map(rows.map((row) => [row, row.owners ?? tree.ancestors(row.node)]));
  const places = [...new Set([...paths.values()].flat())];
  const roles = await tx
    .select({ userId: userRoles.userId, email: users.email, node: userRoles.node, role: userRoles.role })
    .from(userRoles)
    .innerJoin(users, and(eq(users.id, userRoles.userId), isNull(users.disabledAt)))
    .where(
      and(
        sql`${userRoles.node} = ANY(${sql.param(places)}::text[])`,
        only === undefined ? undefined : eq(userRoles.userId, only),
      ),
    );
  const byNode = new Map<NodeAddress, typeof roles>();
  for (const one of roles)
    if (tree.effectiveStatus(one.node) !== "cancelled") byNode.set(one.node, [...(byNode.get(one.node) ?? []), one]);
  const people = new Map<string, Person<Row>>();
  for (const row of rows) {
    const needed = rightsOfActions[row.kind === "billing" ? "prices:read" : "read"].roles;
    const seeing = (paths.get(row) ?? []).flatMap((node) => byNode.get(node) ?? []);
    const able = seeing.filter(({ role }) => needed.includes(role));
    for (const [id, email] of new Map(able.map(({ userId, email }) => [userId, email]))) {
      const known = people.get(id);
      if (known) known.rows.push(row);
      else people.set(id, { id, email, rows: [row] });
    }
  }
  return [...people.values()];
}
