/**
 * A cache of all subscriptions, plans, models and roles. Every change of them has an entry in the audit, written in the same
 * transaction, so the audit's newest number says whether the cache is still current, and its entries say what is to be read
 * again: that is all that Postgres is asked for.
 */
import { and, asc, eq, gte, inArray, isNull, or } from "drizzle-orm";
import { changesSince, readById } from "../audit/changes-since.ts";
import type { SubscriptionRecord } from "../billing/billing-cycle.ts";
import { listModels, type ModelRecord } from "../billing/models.ts";
import type { TermsByVersion } from "../billing/quotas.ts";
import { listSubscriptions, readSubscriptions } from "../billing/subscriptions.ts";
import { nodeAddress, parseNode } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { userRoles, users } from "../postgres/schema/accounts.ts";
import { auditHead } from "../postgres/schema/audit.ts";
import { models } from "../postgres/schema/models.ts";
import { plans, planVersions } from "../postgres/schema/plans.ts";

export interface AccountState {
  /** Another one after every change. */
  sequence: number;
  subscriptions: readonly SubscriptionRecord[];
  terms: TermsByVersion;
  planNames: ReadonlyMap<string, string>;
  models: readonly ModelRecord[];
  /** By node, the ids of the users with a role there who are not disabled. */
  users: ReadonlyMap<NodeAddress, ReadonlySet<string>>;
  /** How many users each organization has, those of its agents included. */
  userCounts: ReadonlyMap<NodeAddress, number>;
}

/** What is read, by id. */
interface Rows {
  subscriptions: ReadonlyMap<string, SubscriptionRecord>;
  /** As `AccountState.terms`. */
  terms: TermsByVersion;
  newestVersions: ReadonlyMap<string, number>;
  planNames: ReadonlyMap<string, string>;
  models: ReadonlyMap<string, ModelRecord>;
  /** By user who is not disabled. */
  roles: ReadonlyMap<string, readonly NodeAddress[]>;
}

export class AccountStates {
  readonly #postgres: Postgres;
  #held: { rows: Rows; state: AccountState } | undefined;

  constructor(postgres: Postgres) {
    this.#postgres = postgres;
  }

  async read(): Promise<AccountState> {
    const [head] = await this.#postgres.db.select({ sequence: auditHead.sequence }).from(auditHead);
    const held = this.#held;
    if (held && held.state.sequence === head?.sequence) return held.state;
    const { rows, sequence } = await this.#postgres.transaction(
      (tx) => readChanged(tx, held && { rows: held.rows, sequence: held.state.sequence }),
      "snapshot",
    );
    const state = stateOf(rows, sequence, held);
    // When two reads run at once, the later state stays.
    if (!this.#held || this.#held.state.sequence <= sequence) this.#held = { rows, state };
    return state;
  }
}

/** Only what changed since `held` is read: one tenant's changes do not make every process read all tenants' plans again. */
async function readChanged(
  tx: Queries,
  held: { rows: Rows; sequence: number } | undefined,
): Promise<{ rows: Rows; sequence: number }> {
  const [head] = await tx.select({ sequence: auditHead.sequence }).from(auditHead);
  const sequence = head?.sequence ?? 0;
  const changed = held && sequence > held.sequence ? await changesSince(tx, held.sequence) : undefined;
  const known = changed ? held?.rows : undefined;
  const rows = {
    ...(await readPlans(tx, known, changed?.get("plan"))),
    subscriptions: await readById(known?.subscriptions, changed?.get("subscription"), async (ids) =>
      (await (ids ? readSubscriptions(tx, ids) : listSubscriptions(tx))).map((one) => [one.id, one]),
    ),
    models: await readById(known?.models, changed?.get("model"), async (ids) =>
      (await listModels(tx, ids && inArray(models.id, [...ids]))).map((one) => [one.id, one]),
    ),
    roles: await readById(known?.roles, changed?.get("user"), (ids) => readRoles(tx, ids)),
  };
  return { rows, sequence };
}

/** A published version never changes: of a plan that is known only its newest version and later ones are read. */
async function readPlans(
  tx: Queries,
  known: Rows | undefined,
  ids: readonly string[] | undefined,
): Promise<Pick<Rows, "terms" | "newestVersions" | "planNames">> {
  if (known && !ids) return known;
  const asked = known
    ? ids?.map((id) => and(eq(planVersions.planId, id), gte(planVersions.version, known.newestVersions.get(id) ?? 0)))
    : undefined;
  const versions = await tx
    .select()
    .from(planVersions)
    .where(asked && or(...asked))
    .orderBy(asc(planVersions.version));
  const named = await tx
    .select({ id: plans.id, name: plans.name, node: plans.node })
    .from(plans)
    .where(known && ids && inArray(plans.id, [...ids]));
  const owners = new Map(named.map(({ id, node }) => [id, node]));
  return {
    terms: new Map([
      ...(known?.terms ?? []),
      ...versions.flatMap(({ planId, version, terms }) => {
        const node = owners.get(planId);
        return node === undefined ? [] : [[`${planId} ${version}`, { ...terms, node }] as const];
      }),
    ]),
    newestVersions: new Map([
      ...(known?.newestVersions ?? []),
      ...versions.map(({ planId, version }) => [planId, version] as const),
    ]),
    planNames: new Map([...(known?.planNames ?? []), ...named.map(({ id, name }) => [id, name] as const)]),
  };
}

async function readRoles(tx: Queries, ids: readonly string[] | undefined): Promise<[string, NodeAddress[]][]> {
  const rows = await tx
    .select({ userId: userRoles.userId, node: userRoles.node })
    .from(userRoles)
    .innerJoin(users, and(eq(users.id, userRoles.userId), isNull(users.disabledAt)))
    .where(ids && inArray(userRoles.userId, [...ids]));
  const roles = new Map<string, NodeAddress[]>();
  for (const { userId, node } of rows) {
    const own = roles.get(userId);
    if (own) own.push(node);
    else roles.set(userId, [node]);
  }
  return [...roles];
}

/** What did not change is that of the state before. */
function stateOf(rows: Rows, sequence: number, before: { rows: Rows; state: AccountState } | undefined): AccountState {
  const { terms, planNames } = rows;
  const isSame = (part: keyof Rows) => before !== undefined && before.rows[part] === rows[part];
  const ofUsers = before && isSame("roles") ? before.state : usersOf(rows.roles);
  return {
    sequence,
    terms,
    planNames,
    users: ofUsers.users,
    userCounts: ofUsers.userCounts,
    subscriptions: before && isSame("subscriptions") ? before.state.subscriptions : [...rows.subscriptions.values()],
    models: before && isSame("models") ? before.state.models : [...rows.models.values()],
  };
}

function usersOf(roles: Rows["roles"]): Pick<AccountState, "users" | "userCounts"> {
  const byNode = new Map<NodeAddress, Set<string>>();
  for (const [userId, nodes] of roles)
    for (const node of nodes) {
      const found = byNode.get(node);
      if (found) found.add(userId);
      else byNode.set(node, new Set([userId]));
    }
  return { users: byNode, userCounts: usersByOrganization(byNode) };
}

/** How many users each organization has, its agents' included: by its address. */
function usersByOrganization(users: AccountState["users"]): Map<NodeAddress, number> {
  const found = new Map<NodeAddress, Set<string>>();
  for (const [node, ids] of users) {
    const organization = organizationOf(node);
    if (organization === undefined) continue;
    const own = found.get(organization) ?? new Set();
    for (const id of ids) own.add(id);
    found.set(organization, own);
  }
  return new Map([...found].map(([node, ids]) => [node, ids.size]));
}

function organizationOf(node: NodeAddress): NodeAddress | undefined {
  const parsed = parseNode(node);
  if (parsed.kind === "agent") return nodeAddress("organization", parsed.organization);
  return parsed.kind === "organization" ? node : undefined;
}
