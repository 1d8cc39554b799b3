/**
 * Who has which role where, and who may change that: nobody gives or takes a role that has a right which they do not have at its
 * node themselves. A caller sees of a user the roles within reach and no others; what concerns the whole account (its links, its
 * name, whether it may be used) is only for those who could give every role that it has. An address is offered roles, which wait
 * until its holder accepts: until then a caller sees the offer and nothing of an account.
 */
import { and, eq, sql } from "drizzle-orm";
import { type Author, recordChange } from "../audit/record-change.ts";
import type { RoleAt } from "../contract/accounts.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { roleOffers, signInSessions, userRoles, users, userTokens } from "../postgres/schema/accounts.ts";
import { ProblemError } from "../problem.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import type { Actor } from "./actor.ts";
import { checkRoleLimit, checkRolesOfUser } from "./check-role-limit.ts";
import { hashSecret } from "./credential-cache.ts";
import { actionsOfRole, canAll } from "./permissions.ts";
import { ofOffer, readAccounts, readOffers, readUsersBelow, type UserPosition, type UserRecord } from "./read-users.ts";
import { rightsOf } from "./rights-at.ts";
import { makeOffer, type RoleOffer, recordOffer, renewLink } from "./role-offers.ts";
import { announceSignInSessions } from "./sign-in-sessions.ts";
import { issueToken } from "./user-tokens.ts";
import { accountOf } from "./users.ts";

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

/** The link that a mail brings or, where no mail is sent, that its maker passes on. */
export interface Link {
  email: string;
  /** Undefined: no mail may go to the address now, and the earlier link stays valid. */
  token: string | undefined;
  /** `offer`: to who has an account. `reset`: into an account in use; such a link is mailed or not made at all. */
  kind: "invitation" | "offer" | "reset";
}

/** A user or an offer, as it is and as far as the caller sees it. */
interface Locked {
  user: UserRecord;
  seen: UserRecord;
  offer: RoleOffer | undefined;
}

/** Counts a mail to the address (in lower case) for who causes it, and says whether it may go. */
export type MayMail = (by: Actor, address: string) => Promise<boolean>;

export class UserDirectory {
  readonly #postgres: Postgres;
  readonly #tree: NodeTree;
  readonly #now: () => number;
  readonly #mayMail: MayMail | undefined;

  /** `mayMail`: there where links are mailed; else they are shown to whoever makes them. */
  constructor(
    postgres: Postgres,
    tree: NodeTree,
    { mayMail, now = Date.now }: { mayMail: MayMail | undefined; now?: () => number },
  ) {
    this.#postgres = postgres;
    this.#tree = tree;
    this.#mayMail = mayMail;
    this.#now = now;
  }

  /** Up to `limit` users with a role within reach and of those who are offered one, by e-mail address. */
  async list(actor: Actor, page: { after: UserPosition | undefined; limit: number }): Promise<UserRecord[]> {
    const found = await readUsersBelow(this.#postgres.db, this.#tree, actor.reach, page);
    return found.map((user) => this.#seenBy(actor, user) ?? { ...user, roles: [] });
  }

  async get(actor: Actor, id: string): Promise<UserRecord | undefined> {
    return (await this.#find(this.#postgres.db, actor, id))?.seen;
  }

  /**
   * Offers the roles to the address, whether it has an account or not; only the words of the mail depend on that. Throws
   * `forbidden` for a role that is not the caller's to give.
   */
  async offer(
    { email, name, roles }: { email: string; name?: string | undefined; roles: readonly RoleAt[] },
    { actor, by }: Change,
  ): Promise<{ user: UserRecord; link: Link }> {
    this.#checkMayGive(actor, roles);
    const account = accountOf(email);
    const keepsLink = !(await this.#mayGo(actor, account));
    return await this.#postgres.transaction(async (tx) => {
      await checkRoleLimit(tx, this.#tree, roles);
      const [holder] = await readAccounts(tx, eq(users.email, account));
      const wanted = { email: account, name, roles, shownTo: this.#shownTo(actor), keepsLink };
      const { offer, token } = await makeOffer(tx, wanted, by, this.#now());
      const kind = holder && !holder.isInvited ? "offer" : "invitation";
      return { user: ofOffer(offer), link: { email: account, token: keepsLink ? undefined : token, kind } };
    });
  }

  /**
   * A new link in place of the one before. Undefined where there is no such user within reach; throws `forbidden` unless
   * the caller could give all that the account has, `conflict` for one in use where no mail can be sent.
   */
  async inviteAgain(id: string, actor: Actor): Promise<Link | undefined> {
    return await this.#postgres.transaction(async (tx) => {
      const found = await this.#find(tx, actor, id, "update");
      if (!found) return undefined;
      const { user, offer } = found;
      this.#checkStandsAbove(actor, user);
      const [nowMs, shownTo, email] = [this.#now(), this.#shownTo(actor), user.email];
      if (offer) {
        const [holder] = await readAccounts(tx, eq(users.email, email));
        const kind = holder && !holder.isInvited ? "offer" : "invitation";
        if (!(await this.#mayGo(actor, email))) return { email, kind, token: undefined };
        return { email, kind, token: await renewLink(tx, offer, { shownTo, nowMs }) };
      }
      if (user.isInvited) {
        if (!(await this.#mayGo(actor, email))) return { email, kind: "invitation", token: undefined };
        const invitation = { userId: id, purpose: "invitation", shownTo } as const;
        return { email, kind: "invitation", token: await issueToken(tx, invitation, nowMs) };
      }
      if (user.isDisabled) throw new ProblemError("conflict", "the user is disabled");
      if (!this.#mayMail)
        throw new ProblemError(
          "conflict",
          "the account is in use, so its links can only be sent by email; see TIDEMARK_SMTP_URL",
        );
      if (!(await this.#mayGo(actor, email))) return { email, kind: "reset", token: undefined };
      const reset = { userId: id, purpose: "password_reset", shownTo: null } as const;
      return { email, kind: "reset", token: await issueToken(tx, reset, nowMs) };
    });
  }

  /** A link that could not be mailed is shown to whoever made it, and opens from then on what such a link may. */
  async showInstead(token: string, actor: Actor): Promise<void> {
    const [shownTo, tokenHash] = [rightsOf(actor), hashSecret(token)];
    await this.#postgres.transaction(async (tx) => {
      await tx.update(roleOffers).set({ shownTo }).where(eq(roleOffers.tokenHash, tokenHash));
      await tx.update(userTokens).set({ shownTo }).where(eq(userTokens.tokenHash, tokenHash));
    });
  }

  /** Undefined when there is no such user within reach. `check` throws where the user is not what the caller saw. */
  async change(
    id: string,
    change: UserChange,
    { actor, by }: Change,
    check: (current: UserRecord) => void,
  ): Promise<UserRecord | undefined> {
    return await this.#postgres.transaction(async (tx) => {
      const { name, roles, isDisabled } = change;
      // The limit is checked before rows are locked, as where an offer is made: else the two would wait for each other.
      const known = roles && (await this.#find(tx, actor, id));
      if (known)
        await checkRoleLimit(
          tx,
          this.#tree,
          roles.filter((role) => !has(known.user.roles, role)),
        );
      const before = await this.#find(tx, actor, id, "update");
      if (!before) return undefined;
      check(before.seen);
      // The account itself is shared by all its roles: who edits it must stand above all of them.
      if (name !== undefined || isDisabled !== undefined) this.#checkStandsAbove(actor, before.user);
      if (before.offer) return await this.#changeOffer(tx, { ...before, offer: before.offer }, change, { actor, by });
      if (isDisabled && before.user.roles.some(({ node, role }) => node === "all" && role === "owner"))
        await checkOwnerStays(tx, id);
      if (roles !== undefined) await this.#replaceRoles(tx, before, roles, actor);
      const disabledAt = isDisabled ? new Date(this.#now()) : null;
      const edits = { ...(name !== undefined && { name }), ...(isDisabled !== undefined && { disabledAt }) };
      if (Object.keys(edits).length > 0) await tx.update(users).set(edits).where(eq(users.id, id));
      if (isDisabled) await tx.delete(signInSessions).where(eq(signInSessions.userId, id));
      const after = await this.#finish(tx, before.user, by, "user.changed");
      return after && this.#seenBy(actor, after);
    });
  }

  /** Takes the roles within reach; who has none left is removed with all sessions. False when there is no such user. */
  async remove(id: string, { actor, by }: Change, check: (current: UserRecord) => void): Promise<boolean> {
    return await this.#postgres.transaction(async (tx) => {
      const before = await this.#find(tx, actor, id, "update");
      if (!before) return false;
      check(before.seen);
      const isLast = before.seen.roles.length === before.user.roles.length;
      if (before.offer) {
        const roles = this.#rolesInstead(before, [], actor);
        await this.#storeOffer(tx, before.offer, { roles }, { by, action: "user.removed" });
        return true;
      }
      await this.#replaceRoles(tx, before, [], actor);
      if (isLast) await tx.delete(users).where(eq(users.id, id));
      await this.#finish(tx, before.user, by, "user.removed");
      return true;
    });
  }

  async #find(db: Queries, actor: Actor, id: string, lock?: "update"): Promise<Locked | undefined> {
    if (lock) await db.select().from(users).where(eq(users.id, id)).for(lock);
    const [account] = await readAccounts(db, eq(users.id, id));
    const [offer] = account ? [] : await readOffers(db, eq(roleOffers.id, id), lock);
    const user = account ?? (offer && ofOffer(offer));
    const seen = user && this.#seenBy(actor, user);
    return user && seen && { user, seen, offer };
  }

  #shownTo(actor: Actor) {
    return this.#mayMail ? null : rightsOf(actor);
  }

  /** Whether who is to have a link will: by a mail that may go, or where there is no mail, shown by whoever made it. */
  async #mayGo(actor: Actor, address: string): Promise<boolean> {
    return (await this.#mayMail?.(actor, address)) ?? true;
  }

  async #changeOffer(
    tx: Queries,
    before: Locked & { offer: RoleOffer },
    { name, roles, isDisabled }: UserChange,
    { actor, by }: Change,
  ): Promise<UserRecord | undefined> {
    if (isDisabled)
      throw new ProblemError("conflict", "nobody has accepted yet; delete the user instead", { field: "disabled" });
    const edits = {
      ...(name !== undefined && { name }),
      ...(roles !== undefined && { roles: this.#rolesInstead(before, roles, actor) }),
    };
    const after = await this.#storeOffer(tx, before.offer, edits, { by, action: "user.changed" });
    return after && this.#seenBy(actor, ofOffer(after));
  }

  /** An offer of no role is none. */
  async #storeOffer(
    tx: Queries,
    offer: RoleOffer,
    edits: Partial<Pick<RoleOffer, "name" | "roles">>,
    { by, action }: { by: Author; action: string },
  ): Promise<RoleOffer | undefined> {
    const own = eq(roleOffers.id, offer.id);
    const after = { ...offer, ...edits };
    if (after.roles.length === 0) await tx.delete(roleOffers).where(own);
    else await tx.update(roleOffers).set({ name: after.name, roles: after.roles }).where(own);
    const left = after.roles.length === 0 ? undefined : after;
    await recordOffer(tx, by, offer, left, action);
    return left;
  }

  /** What the user has when the roles within reach are `wanted`; throws where these are not the caller's to give or take. */
  #rolesInstead({ user, seen }: Locked, wanted: readonly RoleAt[], actor: Actor): RoleAt[] {
    const taken = seen.roles.filter((role) => !has(wanted, role));
    const given = wanted.filter((role) => !has(user.roles, role));
    this.#checkMayGive(actor, [...wanted.filter((role) => !has(seen.roles, role)), ...taken]);
    const next = [...user.roles.filter((role) => !has(taken, role)), ...given];
    if (next.length > user.roles.length) checkRolesOfUser(next.length);
    return next;
  }

  async #replaceRoles(tx: Queries, before: Locked, wanted: readonly RoleAt[], actor: Actor): Promise<void> {
    const { user, seen } = before;
    const next = this.#rolesInstead(before, wanted, actor);
    const taken = user.roles.filter((role) => !has(next, role));
    const given = next.filter((role) => !has(user.roles, role));
    // Somebody else's account gets into no new place without its holder: that is offered.
    const isNewPlace = ({ node }: RoleAt) => !seen.roles.some((one) => this.#tree.isWithin(node, one.node));
    if (!this.#standsAbove(actor, user) && given.some(isNewPlace))
      throw new ProblemError(
        "forbidden",
        "the user must accept a role in another place; offer it with POST /v1/users",
        {
          field: "roles",
        },
      );
    if (has(taken, { node: "all", role: "owner" })) await checkOwnerStays(tx, user.id);
    for (const { node, role } of taken)
      await tx
        .delete(userRoles)
        .where(and(eq(userRoles.userId, user.id), eq(userRoles.node, node), eq(userRoles.role, role)));
    if (given.length > 0)
      await tx
        .insert(userRoles)
        .values(given.map(({ node, role }) => ({ userId: user.id, node, role })))
        .onConflictDoNothing();
  }

  async #finish(tx: Queries, before: UserRecord, by: Author, action: string): Promise<UserRecord | undefined> {
    await announceSignInSessions(tx);
    const [after] = await readAccounts(tx, eq(users.id, before.id));
    const nodes = [...before.roles, ...(after?.roles ?? [])].map(({ node }) => node);
    // At the node of the role that changed: one entry for each, so that who sees the node sees who got into it.
    for (const node of new Set(nodes)) {
      const at = (user: UserRecord | undefined) => user && asRecorded(user, node);
      await recordChange(tx, { by, node, action, subject: before.id, before: at(before), after: at(after) });
    }
    return after;
  }

  #seenBy(actor: Actor, user: UserRecord): UserRecord | undefined {
    const roles = user.roles.filter(({ node }) => this.#isWithinReach(actor, node));
    return roles.length > 0 ? { ...user, roles } : undefined;
  }

  #isWithinReach(actor: Actor, node: NodeAddress): boolean {
    return actor.reach.some((top) => this.#tree.isWithin(node, top));
  }

  #checkMayGive(actor: Actor, roles: readonly RoleAt[]): void {
    for (const { node, role } of roles) {
      if (!this.#isWithinReach(actor, node))
        throw new ProblemError("forbidden", `${node} is not within ${actor.reach.join(" or ")}`, { field: "roles" });
      if (!this.#tree.get(node)) throw new ProblemError("not_found", `there is no node ${node}`, { field: "roles" });
      if (!canAll(actor, actionsOfRole(role), node, this.#tree))
        throw new ProblemError("forbidden", `the caller cannot give or remove the role ${role} at ${node}`, {
          field: "roles",
        });
    }
  }

  #standsAbove(actor: Actor, { roles }: UserRecord): boolean {
    return roles.every(({ node, role }) => canAll(actor, actionsOfRole(role), node, this.#tree));
  }

  /** In words that do not reveal roles elsewhere. */
  #checkStandsAbove(actor: Actor, user: UserRecord): void {
    if (!this.#standsAbove(actor, user))
      throw new ProblemError(
        "forbidden",
        "this changes the whole account, so it needs permission to give every role it has",
      );
  }
}

const has = (list: readonly RoleAt[], one: RoleAt) =>
  list.some(({ node, role }) => node === one.node && role === one.role);

/** Locks all owners of the root, so that two who take each other's role do not both succeed. */
async function checkOwnerStays(tx: Queries, userId: string): Promise<void> {
  const { rows } = await tx.execute<{ user_id: string }>(
    sql`SELECT r.user_id FROM user_roles r JOIN users u ON u.id = r.user_id AND u.disabled_at IS NULL
        WHERE r.node = 'all' AND r.role = 'owner' ORDER BY r.user_id FOR UPDATE OF r`,
  );
  if (rows.every(({ user_id }) => user_id === userId))
    throw new ProblemError("conflict", "at least one person must be an owner of all", { field: "roles" });
}

/** What concerns the node; roles elsewhere are nobody's business there. */
function asRecorded({ email, name, isDisabled, roles }: UserRecord, node: NodeAddress) {
  return { email, name, isDisabled, roles: roles.filter((one) => one.node === node).map(({ role }) => role) };
}
