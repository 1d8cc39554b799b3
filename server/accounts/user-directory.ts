/**
 * Who has which role where, and who may change that: nobody gives or takes a role that has a right which they do not
 * have at its node themselves. A caller sees of a user the roles within reach and no others.
 */
import { asc, eq, inArray, sql } from "drizzle-orm";
import { type Author, recordChange } from "../audit/record-change.ts";
import type { Role } from "../contract/accounts.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { ProblemError } from "../http/problem-error.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { sessions, userRoles, users } from "../postgres/schema/accounts.ts";
import { type Actor, newId } from "./actor.ts";
import type { NodeTree } from "./node-tree.ts";
import { actionsOfRole, canAll } from "./permissions.ts";
import { sessionsChannel } from "./sessions.ts";
import { issueToken } from "./user-tokens.ts";
import { accountOf } from "./users.ts";

export interface RoleAt {
  node: NodeAddress;
  role: Role;
}

export interface UserRecord {
  id: string;
  email: string;
  name: string | null;
  isInvited: boolean;
  isDisabled: boolean;
  hasSecondFactor: boolean;
  createdAt: Date;
  /** All of them, by node, then role. */
  roles: RoleAt[];
}

export interface UserChange {
  name?: string | null | undefined;
  /** In place of those within reach. */
  roles?: readonly RoleAt[] | undefined;
  isDisabled?: boolean | undefined;
}

/** `actor` is narrowed to `users:write`. */
export interface Change {
  actor: Actor;
  by: Author;
}

export class UserDirectory {
  readonly #postgres: Postgres;
  readonly #tree: NodeTree;
  readonly #now: () => number;

  constructor(postgres: Postgres, tree: NodeTree, now: () => number = Date.now) {
    this.#postgres = postgres;
    this.#tree = tree;
    this.#now = now;
  }

  /** The users with a role within reach, by e-mail address. */
  async list(actor: Actor): Promise<UserRecord[]> {
    const found = await readUsers(this.#postgres.db);
    return found.flatMap((user) => this.#seenBy(actor, user) ?? []);
  }

  async get(actor: Actor, id: string): Promise<UserRecord | undefined> {
    const [user] = await readUsers(this.#postgres.db, id);
    return user && this.#seenBy(actor, user);
  }

  /**
   * Gives the roles to the user with this address, who is made when there is none. `token` invites who has no password
   * yet; it is the only copy. Throws `forbidden` for a role that is not the caller's to give.
   */
  async invite(
    { email, name, roles }: { email: string; name?: string | undefined; roles: readonly RoleAt[] },
    { actor, by }: Change,
  ): Promise<{ user: UserRecord; token: string | undefined }> {
    this.#checkMayGive(actor, roles);
    const account = accountOf(email);
    return await this.#postgres.transaction(async (tx) => {
      await tx
        .insert(users)
        .values({ id: newId("usr"), email: account, name: name ?? null })
        .onConflictDoNothing();
      const [row] = await tx.select().from(users).where(eq(users.email, account)).for("update");
      if (!row) throw new Error("the user was not stored");
      const [before] = await readUsers(tx, row.id);
      await tx
        .insert(userRoles)
        .values(roles.map(({ node, role }) => ({ userId: row.id, node, role })))
        .onConflictDoNothing();
      const [user] = await readUsers(tx, row.id);
      if (!user || !before) throw new Error("the user was not stored");
      const token = row.passwordHash === null ? await issueToken(tx, row.id, "invitation", this.#now()) : undefined;
      await tx.execute(sql`SELECT pg_notify(${sessionsChannel}, '')`);
      await this.#record(tx, by, before.roles.length > 0 ? before : undefined, user, "user.invited");
      return { user: this.#seenBy(actor, user) ?? user, token };
    });
  }

  /** A new invitation; the one before ends. Undefined where there is nothing to accept, or no such user within reach. */
  async inviteAgain(id: string, actor: Actor): Promise<{ user: UserRecord; token: string } | undefined> {
    const user = await this.get(actor, id);
    if (!user?.isInvited) return undefined;
    return { user, token: await issueToken(this.#postgres.db, id, "invitation", this.#now()) };
  }

  /** Undefined when there is no such user within reach. `check` throws where the user is not what the caller saw. */
  async change(
    id: string,
    { name, roles, isDisabled }: UserChange,
    { actor, by }: Change,
    check: (current: UserRecord) => void,
  ): Promise<UserRecord | undefined> {
    return await this.#postgres.transaction(async (tx) => {
      const before = await this.#lock(tx, actor, id);
      if (!before) return undefined;
      check(before.seen);
      // The account itself is shared by all its roles: who edits it must stand above all of them.
      if (name !== undefined || isDisabled !== undefined) this.#checkMayGive(actor, before.user.roles);
      if (isDisabled && before.user.roles.some(({ node, role }) => node === "all" && role === "owner"))
        await checkOwnerStays(tx, id);
      if (roles !== undefined) await this.#replaceRoles(tx, before, roles, actor);
      const disabledAt = isDisabled ? new Date(this.#now()) : null;
      const edits = { ...(name !== undefined && { name }), ...(isDisabled !== undefined && { disabledAt }) };
      if (Object.keys(edits).length > 0) await tx.update(users).set(edits).where(eq(users.id, id));
      if (isDisabled) await tx.delete(sessions).where(eq(sessions.userId, id));
      return await this.#finish(tx, before.user, by, "user.changed", actor);
    });
  }

  /** Takes the roles within reach; who has none left is removed with all sessions. False when there is no such user. */
  async remove(id: string, { actor, by }: Change): Promise<boolean> {
    return await this.#postgres.transaction(async (tx) => {
      const before = await this.#lock(tx, actor, id);
      if (!before) return false;
      await this.#replaceRoles(tx, before, [], actor);
      const isLast = before.seen.roles.length === before.user.roles.length;
      if (isLast) await tx.delete(users).where(eq(users.id, id));
      await this.#finish(tx, before.user, by, "user.removed", actor);
      return true;
    });
  }

  async #lock(tx: Queries, actor: Actor, id: string): Promise<{ user: UserRecord; seen: UserRecord } | undefined> {
    await tx.select().from(users).where(eq(users.id, id)).for("update");
    const [user] = await readUsers(tx, id);
    const seen = user && this.#seenBy(actor, user);
    return user && seen && { user, seen };
  }

  async #replaceRoles(
    tx: Queries,
    { user, seen }: { user: UserRecord; seen: UserRecord },
    wanted: readonly RoleAt[],
    actor: Actor,
  ): Promise<void> {
    const has = (list: readonly RoleAt[], one: RoleAt) =>
      list.some(({ node, role }) => node === one.node && role === one.role);
    const taken = seen.roles.filter((role) => !has(wanted, role));
    const given = wanted.filter((role) => !has(seen.roles, role));
    this.#checkMayGive(actor, [...given, ...taken]);
    if (has(taken, { node: "all", role: "owner" })) await checkOwnerStays(tx, user.id);
    for (const { node, role } of taken)
      await tx
        .delete(userRoles)
        .where(sql`${userRoles.userId} = ${user.id} AND ${userRoles.node} = ${node} AND ${userRoles.role} = ${role}`);
    if (given.length > 0)
      await tx
        .insert(userRoles)
        .values(given.map(({ node, role }) => ({ userId: user.id, node, role })))
        .onConflictDoNothing();
  }

  async #finish(
    tx: Queries,
    before: UserRecord,
    by: Author,
    action: string,
    actor: Actor,
  ): Promise<UserRecord | undefined> {
    await tx.execute(sql`SELECT pg_notify(${sessionsChannel}, '')`);
    const [after] = await readUsers(tx, before.id);
    await this.#record(tx, by, before, after, action);
    return after && (this.#seenBy(actor, after) ?? after);
  }

  /** At the node of the role that changed: one entry for each, so that who sees the node sees who got into it. */
  async #record(
    tx: Queries,
    by: Author,
    before: UserRecord | undefined,
    after: UserRecord | undefined,
    action: string,
  ): Promise<void> {
    const id = (before ?? after)?.id ?? "";
    const nodes = [...(before?.roles ?? []), ...(after?.roles ?? [])].map(({ node }) => node);
    for (const node of new Set(nodes)) {
      const at = (user: UserRecord | undefined) => user && asRecorded(user, node);
      await recordChange(tx, { by, node, action, subject: id, before: at(before), after: at(after) });
    }
  }

  #seenBy(actor: Actor, user: UserRecord): UserRecord | undefined {
    const roles = user.roles.filter(({ node }) => actor.reach.some((top) => this.#tree.isWithin(node, top)));
    return roles.length > 0 ? { ...user, roles } : undefined;
  }

  #checkMayGive(actor: Actor, roles: readonly RoleAt[]): void {
    for (const { node, role } of roles) {
      if (!actor.reach.some((top) => this.#tree.isWithin(node, top)))
        throw new ProblemError("forbidden", `${node} is not within ${actor.reach.join(" or ")}`, { field: "roles" });
      if (!this.#tree.get(node)) throw new ProblemError("not_found", `there is no node ${node}`, { field: "roles" });
      if (!canAll(actor, actionsOfRole(role), node, this.#tree))
        throw new ProblemError("forbidden", `the role ${role} at ${node} is not the caller's to give or take`, {
          field: "roles",
        });
    }
  }
}

/** All, by e-mail address, or the one. */
async function readUsers(db: Queries, id?: string): Promise<UserRecord[]> {
  const rows = await db
    .select()
    .from(users)
    .where(id === undefined ? undefined : eq(users.id, id))
    .orderBy(asc(users.email));
  const roles = await db
    .select()
    .from(userRoles)
    .where(id === undefined ? undefined : inArray(userRoles.userId, [id]))
    .orderBy(asc(userRoles.node), asc(userRoles.role));
  const byUser = new Map<string, RoleAt[]>();
  for (const { userId, node, role } of roles) byUser.set(userId, [...(byUser.get(userId) ?? []), { node, role }]);
  return rows.map((row) => ({
    id: row.id,
    email: row.email,
    name: row.name,
    isInvited: row.passwordHash === null,
    isDisabled: row.disabledAt !== null,
    hasSecondFactor: row.totpSince !== null,
    createdAt: row.createdAt,
    roles: byUser.get(row.id) ?? [],
  }));
}

/** Locks all owners of the root, so that two who take each other's role do not both succeed. */
async function checkOwnerStays(tx: Queries, userId: string): Promise<void> {
  const { rows } = await tx.execute<{ user_id: string }>(
    sql`SELECT r.user_id FROM user_roles r JOIN users u ON u.id = r.user_id AND u.disabled_at IS NULL
        WHERE r.node = 'all' AND r.role = 'owner' ORDER BY r.user_id FOR UPDATE OF r`,
  );
  if (rows.every(({ user_id }) => user_id === userId))
    throw new ProblemError("conflict", "somebody must stay owner of all", { field: "roles" });
}

/** What concerns the node; roles elsewhere are nobody's business there. */
function asRecorded({ email, name, isDisabled, roles }: UserRecord, node: NodeAddress) {
  return { email, name, isDisabled, roles: roles.filter((one) => one.node === node).map(({ role }) => role) };
}
