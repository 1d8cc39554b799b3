/**
 * Roles that are offered to an address and wait until its holder accepts. Whoever offers learns nothing about the address: an offer
 * looks the same, and is made in the same way, whether it has an account or not. An account is made when the first one comes.
 */

import { and, asc, desc, eq, gt } from "drizzle-orm";
import { type Author, recordChange } from "../audit/record-change.ts";
import type { RoleAt } from "../contract/accounts.ts";
import { weekMs } from "../contract/durations.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import type { RightsAt } from "../postgres/schema/accounts.ts";
import { roleOffers, userRoles, users } from "../postgres/schema/accounts.ts";
import { lockAddress } from "./account-use.ts";
import { newId } from "./actor.ts";
import { checkRolesOfUser } from "./check-role-limit.ts";
import { hashSecret, newSecret } from "./credential-cache.ts";
import { announceSignInSessions } from "./sign-in-sessions.ts";

/** As long as a link of one is good. */
const offerLifetimeMs = weekMs;

export type RoleOffer = typeof roleOffers.$inferSelect;

export interface WantedOffer {
  /** Lower case. */
  email: string;
  name: string | undefined;
  roles: readonly RoleAt[];
  /** The rights of the person who will be shown its link; null where only a mail will have it. */
  shownTo: RightsAt[] | null;
  /** Nobody will have a new link: that of an offer that stands stays good. */
  keepsLink?: boolean;
}

/** A second offer by the same one to the same address adds to the first, whose link ends. `token` is the only copy. */
export async function makeOffer(
  tx: Queries,
  { email, name, roles, shownTo, keepsLink = false }: WantedOffer,
  by: Author,
  nowMs: number,
): Promise<{ offer: RoleOffer; token: string }> {
  // Two at once would not see each other's: each would make an offer, and they would wait for each other's rows in a ring.
  await lockAddress(tx, email);
  const open = await tx.select().from(roleOffers).where(eq(roleOffers.email, email)).for("update");
  const own = open.find(({ offeredBy }) => offeredBy.kind === by.kind && offeredBy.id === by.id);
  const token = newSecret();
  const link = { tokenHash: hashSecret(token), shownTo, expiresAt: new Date(nowMs + offerLifetimeMs) };
  if (own) {
    const changed = { ...(!keepsLink && link), name: name ?? own.name, roles: joined(own.roles, roles) };
    if (changed.roles.length > own.roles.length) checkRolesOfUser(changed.roles.length);
    const [offer] = await tx.update(roleOffers).set(changed).where(eq(roleOffers.id, own.id)).returning();
    if (!offer) throw new Error("the offer was not stored");
    await recordOffer(tx, by, own, offer, "user.invited");
    return { offer, token };
  }
  const { kind, id, name: author } = by;
  const row = { id: newId("usr"), email, name: name ?? null, roles: joined([], roles), ...link };
  const made = { ...row, createdAt: new Date(nowMs), offeredBy: { kind, id, name: author } };
  const [offer] = await tx.insert(roleOffers).values(made).returning();
  if (!offer) throw new Error("the offer was not stored");
  await recordOffer(tx, by, undefined, offer, "user.invited");
  return { offer, token };
}

/** Ends the earlier link; the answer is the only copy. */
export async function renewLink(
  tx: Queries,
  { id }: Pick<RoleOffer, "id">,
  { shownTo, nowMs }: { shownTo: RightsAt[] | null; nowMs: number },
): Promise<string> {
  const token = newSecret();
  const link = { tokenHash: hashSecret(token), shownTo, expiresAt: new Date(nowMs + offerLifetimeMs) };
  await tx.update(roleOffers).set(link).where(eq(roleOffers.id, id));
  return token;
}

/** The oldest first; `email` in lower case. Those that have ended are not among them. */
export function offersTo(db: Queries, email: string, nowMs: number): Promise<RoleOffer[]> {
  return db
    .select()
    .from(roleOffers)
    .where(and(eq(roleOffers.email, email), gt(roleOffers.expiresAt, new Date(nowMs))))
    .orderBy(asc(roleOffers.createdAt), asc(roleOffers.id));
}

/** To the user's address, the newest first. */
export async function offersOf({ db }: Postgres, userId: string, nowMs: number) {
  const rows = await db
    .select({ offer: roleOffers, verifiedAt: users.emailVerifiedAt })
    .from(roleOffers)
    .innerJoin(users, eq(users.email, roleOffers.email))
    .where(and(eq(users.id, userId), gt(roleOffers.expiresAt, new Date(nowMs))))
    .orderBy(desc(roleOffers.createdAt), desc(roleOffers.id));
  return rows.map(({ offer, verifiedAt }) => ({ ...offer, needsLink: verifiedAt === null }));
}

export interface Answered {
  userId: string;
  id: string;
  by: Author;
  nowMs: number;
}

/**
 * The holder takes the roles. `link_needed` where nothing proves yet that the account belongs to whoever has the address, and
 * `token` is not the offer's; undefined where there is no such offer to the user.
 */
export async function acceptOffer(
  postgres: Postgres,
  { userId, id, by, nowMs, token }: Answered & { token: string | undefined },
): Promise<"accepted" | "link_needed" | undefined> {
  return await postgres.transaction(async (tx) => {
    const found = await lockOwn(tx, { userId, id, nowMs });
    if (!found) return undefined;
    const { user, offer } = found;
    const hasLink = token !== undefined && hashSecret(token) === offer.tokenHash;
    if (user.emailVerifiedAt === null && !hasLink) return "link_needed";
    await takeRoles(tx, offer, userId, by);
    return "accepted";
  });
}

/** False where there is no such offer to the user. */
export async function declineOffer(postgres: Postgres, { userId, id, by, nowMs }: Answered): Promise<boolean> {
  return await postgres.transaction(async (tx) => {
    const found = await lockOwn(tx, { userId, id, nowMs });
    if (!found) return false;
    await tx.delete(roleOffers).where(eq(roleOffers.id, id));
    // Those at the node learn no more about the account than they knew.
    const unknown = { ...by, id, address: null };
    await recordOffer(tx, unknown, found.offer, undefined, "user.invitation_declined");
    return true;
  });
}

/** The offer becomes roles of the account. Throws `conflict` where these would be too many. */
export async function takeRoles(tx: Queries, offer: RoleOffer, userId: string, by: Author): Promise<void> {
  await tx
    .insert(userRoles)
    .values(offer.roles.map(({ node, role }) => ({ userId, node, role })))
    .onConflictDoNothing();
  checkRolesOfUser(await tx.$count(userRoles, eq(userRoles.userId, userId)));
  await tx.delete(roleOffers).where(eq(roleOffers.id, offer.id));
  await announceSignInSessions(tx);
  for (const { node, roles } of byNode(offer.roles))
    await recordChange(tx, { by, node, action: "user.joined", subject: userId, after: { email: offer.email, roles } });
}

/** One entry for each node, so that who sees the node sees who is to get into it. */
export async function recordOffer(
  tx: Queries,
  by: Author,
  before: RoleOffer | undefined,
  after: RoleOffer | undefined,
  action: string,
): Promise<void> {
  const nodes = new Set([...(before?.roles ?? []), ...(after?.roles ?? [])].map(({ node }) => node));
  const at = (offer: RoleOffer | undefined, node: string) =>
    offer && { email: offer.email, name: offer.name, roles: rolesAt(offer.roles, node) };
  for (const node of nodes)
    await recordChange(tx, {
      by,
      node,
      action,
      subject: (after ?? before)?.id ?? "",
      before: at(before, node),
      after: at(after, node),
    });
}

/** Locks the user first and the offer after it, as everything that sets a password does. */
async function lockOwn(tx: Queries, { userId, id, nowMs }: { userId: string; id: string; nowMs: number }) {
  const [user] = await tx.select().from(users).where(eq(users.id, userId)).for("update");
  if (!user || user.disabledAt) return undefined;
  const isOpen = and(
    eq(roleOffers.id, id),
    eq(roleOffers.email, user.email),
    gt(roleOffers.expiresAt, new Date(nowMs)),
  );
  const [offer] = await tx.select().from(roleOffers).where(isOpen).for("update");
  return offer && { user, offer };
}

const rolesAt = (roles: readonly RoleAt[], node: string) =>
  roles.filter((one) => one.node === node).map(({ role }) => role);

const byNode = (roles: readonly RoleAt[]) =>
  [...new Set(roles.map(({ node }) => node))].map((node) => ({ node, roles: rolesAt(roles, node) }));

/** Each role once, by node, then role. */
function joined(some: readonly RoleAt[], more: readonly RoleAt[]): RoleAt[] {
  const each = new Map([...some, ...more].map(({ node, role }) => [`${node}\n${role}`, { node, role }]));
  return [...each.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}
