/** Users with all their roles, and offers as the users that they may become. */
import { and, asc, inArray, type SQL, sql } from "drizzle-orm";
import type { RoleAt } from "../contract/accounts.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Queries } from "../postgres/client.ts";
import { roleOffers, userRoles, users } from "../postgres/schema/accounts.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { rowsWithin } from "../tree/rows-within.ts";
import { isInUse } from "./account-use.ts";
import type { RoleOffer } from "./role-offers.ts";

export interface UserRecord {
  id: string;
  email: string;
  name: string | null;
  /** Nobody uses it yet. */
  isInvited: boolean;
  isDisabled: boolean;
  hasSecondFactor: boolean;
  createdAt: Date;
  /** All of them, by node, then role. */
  roles: RoleAt[];
}

/** Those of `users` that match, by e-mail address. */
export async function readAccounts(db: Queries, condition?: SQL): Promise<UserRecord[]> {
  const rows = await db.select({ user: users, isInUse }).from(users).where(condition).orderBy(asc(users.email));
  const roles = await db
    .select()
    .from(userRoles)
    .where(condition && inArray(userRoles.userId, db.select({ id: users.id }).from(users).where(condition)))
    .orderBy(asc(userRoles.node), asc(userRoles.role));
  const byUser = new Map<string, RoleAt[]>();
  for (const { userId, node, role } of roles) byUser.set(userId, [...(byUser.get(userId) ?? []), { node, role }]);
  return rows.map(({ user, isInUse }) => ({
    id: user.id,
    email: user.email,
    name: user.name,
    isInvited: !isInUse,
    isDisabled: user.disabledAt !== null,
    hasSecondFactor: user.totpSince !== null,
    createdAt: user.createdAt,
    roles: byUser.get(user.id) ?? [],
  }));
}

/** Those of `role_offers` that match, ended ones too: they can be made good again. */
export async function readOffers(db: Queries, condition?: SQL, lock?: "update"): Promise<RoleOffer[]> {
  const reading = db.select().from(roleOffers).where(condition);
  return await (lock ? reading.for(lock) : reading);
}

/** Where a user stands in the list: two offers may be to one address. */
export type UserPosition = Pick<UserRecord, "email" | "id">;

/** Up to `limit` accounts with a role at one of the nodes or below it and such offers, by e-mail address, then id. */
export async function readUsersBelow(
  db: Queries,
  tree: Pick<NodeTree, "children">,
  tops: readonly NodeAddress[],
  { after, limit }: { after: UserPosition | undefined; limit: number },
): Promise<UserRecord[]> {
  const nearest = (table: typeof users | typeof roleOffers, held: SQL | undefined) => {
    const place = sql`(${table.email} COLLATE "C", ${table.id} COLLATE "C")`;
    const behind = after && sql`${place} > (${after.email}, ${after.id})`;
    const inOrder = sql`${table.email} COLLATE "C", ${table.id} COLLATE "C"`;
    return db.select({ id: table.id }).from(table).where(and(held, behind)).orderBy(inOrder).limit(limit);
  };
  const below = rowsWithin(userRoles.node, tops, tree);
  const holders = db.select({ id: userRoles.userId }).from(userRoles).where(below);
  const offered = rowsWithin(sql`offered ->> 'node'`, tops, tree);
  const isOffered =
    offered && sql`EXISTS (SELECT FROM jsonb_array_elements(${roleOffers.roles}) AS offered WHERE ${offered})`;
  const accounts = await readAccounts(db, inArray(users.id, nearest(users, below && inArray(users.id, holders))));
  const offers = await readOffers(db, inArray(roleOffers.id, nearest(roleOffers, isOffered)));
  return [...accounts, ...offers.map(ofOffer)].sort(byPosition).slice(0, limit);
}

/** As Postgres compares with the collation "C": by bytes. */
function byPosition(a: UserPosition, b: UserPosition): number {
  return (
    Buffer.compare(Buffer.from(a.email), Buffer.from(b.email)) || Buffer.compare(Buffer.from(a.id), Buffer.from(b.id))
  );
}

/** What who offers may know, which is what they said themselves. */
export function ofOffer({ id, email, name, roles, createdAt }: RoleOffer): UserRecord {
  return { id, email, name, isInvited: true, isDisabled: false, hasSecondFactor: false, createdAt, roles };
}
