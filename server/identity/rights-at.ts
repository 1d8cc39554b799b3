/** Rights as they were when something was promised or shown, for a decision that falls later. */
import type { RoleAt } from "../contract/accounts.ts";
import type { RightsAt } from "../postgres/schema/accounts.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import type { Actor } from "./actor.ts";
import { actionsOfRole, canAll } from "./permissions.ts";

export function rightsOf(actor: Pick<Actor, "grants">): RightsAt[] {
  return actor.grants.map(({ node, actions }) => ({ node, actions: [...actions] }));
}

/** Whether who had the rights could give every one of the roles. */
export function couldGive(
  rights: readonly RightsAt[],
  roles: readonly RoleAt[],
  tree: Pick<NodeTree, "isWithin">,
): boolean {
  const grants = rights.map(({ node, actions }) => ({ node, actions: new Set(actions) }));
  return roles.every(({ node, role }) => canAll({ grants }, actionsOfRole(role), node, tree));
}
