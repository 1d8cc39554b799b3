/**
 * A cache of all subscriptions, plans, models and roles. Every change of them has an entry in the audit, written in the same
 * transaction, so the audit's newest number says whether the cache is still current: that is all that Postgres is asked
 * for while nothing changes.
 */
import { and, asc, eq, isNull } from "drizzle-orm";
import type { SubscriptionRecord } from "../billing/billing-cycle.ts";
import { listModels, type ModelRecord } from "../billing/models.ts";
import type { TermsByVersion } from "../billing/quotas.ts";
import { listSubscriptions } from "../billing/subscriptions.ts";
import { nodeAddress, parseNode } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Postgres } from "../postgres/client.ts";
import { userRoles, users } from "../postgres/schema/accounts.ts";
import { auditHead } from "../postgres/schema/audit.ts";
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

export class AccountStates {
  readonly #postgres: Postgres;
  #held: AccountState | undefined;

  constructor(postgres: Postgres) {
    this.#postgres = postgres;
  }

  async read(): Promise<AccountState> {
    const [head] = await this.#postgres.db.select({ sequence: auditHead.sequence }).from(auditHead);
    if (!this.#held || this.#held.sequence !== head?.sequence) this.#held = await readState(this.#postgres);
    return this.#held;
  }
}

function readState(postgres: Postgres): Promise<AccountState> {
  return postgres.transaction(async (tx) => {
    const [head] = await tx.select({ sequence: auditHead.sequence }).from(auditHead);
    const subscriptions = await listSubscriptions(tx);
    const versions = await tx.select().from(planVersions);
    const named = await tx.select({ id: plans.id, name: plans.name }).from(plans);
    const roles = await tx
      .select({ userId: userRoles.userId, node: userRoles.node })
      .from(userRoles)
      .innerJoin(users, and(eq(users.id, userRoles.userId), isNull(users.disabledAt)))
      .orderBy(asc(userRoles.node));
    const usersOf = new Map<NodeAddress, Set<string>>();
    for (const { node, userId } of roles) {
      const found = usersOf.get(node);
      if (found) found.add(userId);
      else usersOf.set(node, new Set([userId]));
    }
    return {
      sequence: head?.sequence ?? 0,
      subscriptions,
      terms: new Map(versions.map(({ planId, version, terms }) => [`${planId} ${version}`, terms])),
      planNames: new Map(named.map(({ id, name }) => [id, name])),
      models: await listModels(tx),
      users: usersOf,
      userCounts: usersByOrganization(usersOf),
    };
  }, "snapshot");
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
