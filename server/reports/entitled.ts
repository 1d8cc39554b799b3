/**
 * Who gets a report: decided when it is sent, by the rights at that time. A person gets what they may see themselves; an address
 * outside, and a channel, what the author of the schedule may see.
 */
import { eq, inArray } from "drizzle-orm";
import type { Grant } from "../identity/actor.ts";
import { actionsOfKey, actionsOfRole, can, limitedByStatus } from "../identity/permissions.ts";
import { readAccounts, type UserRecord } from "../identity/read-users.ts";
import { accountOf } from "../identity/users.ts";
import type { Queries } from "../postgres/client.ts";
import { apiKeys, users } from "../postgres/schema/accounts.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { type RunRecord, seesRun } from "./runs.ts";
import { mayReadKind } from "./saved-reports.ts";

type Tree = Pick<NodeTree, "isWithin" | "effectiveStatus" | "pathsBetween">;

export interface Entitlement {
  /** May the author see it now? */
  author: boolean;
  /** The addresses that may get it, as they were given. */
  addresses: ReadonlySet<string>;
}

export async function entitledTo(
  db: Queries,
  tree: Tree,
  run: RunRecord,
  {
    author,
    addresses,
    people,
  }: {
    author: { kind: "user" | "key" | "system"; id: string };
    addresses: readonly string[];
    /** Addresses, in lower case, that had an account: they are never treated as outside addresses. */
    people: readonly string[];
  },
  nowMs: number,
): Promise<Entitlement> {
  const may = (held: Grant[]) => {
    const holder = limitedByStatus({ grants: held }, tree);
    return (
      can(holder, "read", run.node, tree) && mayReadKind(holder, run.kind, run.node, tree) && seesRun(tree, holder, run)
    );
  };
  const authorMay = may(await grantsOfAuthor(db, author, nowMs));
  const accounts = await accountsOf(db, addresses);
  const isEntitled = (address: string) => {
    const account = accounts.get(accountOf(address));
    if (account) return may(grantsOfUser(account));
    return authorMay && !people.includes(accountOf(address));
  };
  return { author: authorMay, addresses: new Set(addresses.filter(isEntitled)) };
}

/** By address, in lower case; those without an account are left out. */
export async function accountsOf(db: Queries, addresses: readonly string[]): Promise<Map<string, UserRecord>> {
  if (addresses.length === 0) return new Map();
  const found = await readAccounts(db, inArray(users.email, addresses.map(accountOf)));
  return new Map(found.map((account) => [account.email, account]));
}

function grantsOfUser({ isDisabled, roles }: UserRecord): Grant[] {
  return isDisabled ? [] : roles.map(({ node, role }) => ({ node, role, actions: actionsOfRole(role) }));
}

/** What the author of a schedule may now. */
export async function grantsOfAuthor(
  db: Queries,
  { kind, id }: { kind: "user" | "key" | "system"; id: string },
  nowMs: number,
): Promise<Grant[]> {
  if (kind === "user") return (await readAccounts(db, eq(users.id, id))).flatMap(grantsOfUser);
  if (kind === "system") return [{ node: "all", actions: actionsOfRole("owner") }];
  const [key] = await db.select().from(apiKeys).where(eq(apiKeys.id, id));
  const hasEnded = !key || key.revokedAt || (key.expiresAt && key.expiresAt.getTime() <= nowMs);
  return hasEnded ? [] : [{ node: key.node, actions: actionsOfKey(key.scopes, key.seePrices) }];
}
