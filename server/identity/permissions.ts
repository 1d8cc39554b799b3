/**
 * Who may do what, as one table: action by role, and by the scopes of a key. A role or a key gives its rights at a node
 * and everywhere below it.
 */
import { type Action, actions, type KeyScope, type Role } from "../contract/accounts.ts";
import { nodeKinds, parseNode } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import type { Actor, Grant } from "./actor.ts";

/** What a key needs of: its scopes, and whether it may see prices. */
type KeyRight = KeyScope | "prices";

interface ActionRights {
  roles: readonly Role[];
  /** A key needs all of them. */
  key: readonly KeyRight[];
}

const everyone = ["owner", "admin", "manager", "finance", "viewer"] as const;
const managers = ["owner", "admin", "manager"] as const;
const admins = ["owner", "admin"] as const;
/** Prices, costs, revenue and margins are for them alone: an admin runs the service without seeing what it earns. */
const accountants = ["owner", "finance"] as const;

export const rightsOfActions: Readonly<Record<Action, ActionRights>> = {
  ingest: { roles: admins, key: ["ingest"] },
  read: { roles: everyone, key: ["read"] },
  "nodes:write": { roles: managers, key: ["admin"] },
  "events:correct": { roles: managers, key: ["admin"] },
  "rules:write": { roles: managers, key: ["admin"] },
  "reports:write": { roles: managers, key: ["admin"] },
  // Whoever shows figures to others reads them.
  "views:share": { roles: managers, key: ["admin", "read"] },
  "meters:write": { roles: admins, key: ["admin"] },
  "keys:write": { roles: admins, key: ["admin"] },
  // Every role reads, and nobody gives what they do not have.
  "users:write": { roles: admins, key: ["admin", "read"] },
  "audit:read": { roles: admins, key: ["admin"] },
  "prices:read": { roles: accountants, key: ["read", "prices"] },
  "plans:write": { roles: accountants, key: ["admin", "prices"] },
  "payments:write": { roles: accountants, key: ["admin", "prices"] },
  admin: { roles: admins, key: ["admin"] },
};

export function actionsOfRole(role: Role): ReadonlySet<Action> {
  return new Set(actions.filter((action) => rightsOfActions[action].roles.includes(role)));
}

export function actionsOfKey(scopes: readonly KeyScope[], seesPrices: boolean): ReadonlySet<Action> {
  const rights: ReadonlySet<KeyRight> = new Set(seesPrices ? [...scopes, "prices"] : scopes);
  return new Set(actions.filter((action) => rightsOfActions[action].key.every((right) => rights.has(right))));
}

/** Whether the actor may do this at the node. */
export function can(
  actor: Pick<Actor, "grants">,
  action: Action,
  node: NodeAddress,
  tree: Pick<NodeTree, "isWithin">,
): boolean {
  return actor.grants.some((grant) => grant.actions.has(action) && tree.isWithin(node, grant.node));
}

/** Whether the actor may do at the node whatever `wanted` allows: so that nobody gives away more than they have. */
export function canAll(
  actor: Pick<Actor, "grants">,
  wanted: ReadonlySet<Action>,
  node: NodeAddress,
  tree: Pick<NodeTree, "isWithin">,
): boolean {
  return [...wanted].every((action) => can(actor, action, node, tree));
}

/**
 * The actor narrowed to where it may do this: `node` and `reach` are those of the grants that allow the action. `grants` stay whole,
 * since routes look up other rights in them. Undefined where none allows it.
 */
export function narrowTo(actor: Actor, action: Action): Actor | undefined {
  const grants = actor.grants.filter((grant) => grant.actions.has(action));
  const [first] = grants;
  return first && { ...actor, node: first.node, reach: [...new Set(grants.map(({ node }) => node))] };
}

/** What a node's status leaves to its own people and keys. Usage that happened is always taken: it must not be lost. */
const actionsUnderStatus: Readonly<Record<"suspended" | "cancelled", ReadonlySet<Action>>> = {
  suspended: new Set<Action>(["ingest", "read", "prices:read", "audit:read"]),
  cancelled: new Set<Action>(["ingest"]),
};

/** The actor as the status of each of its nodes, and of what stands above them, allows now. */
export function limitedByStatus<Holder extends Pick<Actor, "grants">>(
  actor: Holder,
  tree: Pick<NodeTree, "effectiveStatus">,
): Holder {
  const statuses = actor.grants.map(({ node }) => tree.effectiveStatus(node));
  if (!statuses.some((status) => status === "suspended" || status === "cancelled")) return actor;
  const grants = actor.grants.map((grant, index): Grant => {
    const status = statuses[index];
    if (status !== "suspended" && status !== "cancelled") return grant;
    const left = actionsUnderStatus[status];
    return { ...grant, actions: new Set([...grant.actions].filter((action) => left.has(action))), status };
  });
  return { ...actor, grants };
}

/** Grants in the order in which one of them is taken where no node is asked for: nearest to the root first. */
export function byDepth(grants: readonly Grant[]): Grant[] {
  const depth = ({ node }: Grant) => {
    const { kind } = parseNode(node);
    return kind === "all" ? -1 : nodeKinds.indexOf(kind);
  };
  return [...grants].sort((a, b) => depth(a) - depth(b));
}
