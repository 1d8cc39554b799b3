/**
 * What a link that sets a password opens now. One that was mailed shows that whoever has it reads the address's mail. One
 * that was shown to whoever made it shows nothing: it opens only what its maker could have given away altogether, and
 * nothing that somebody uses already.
 */
import { and, eq, gt } from "drizzle-orm";
import type { Author } from "../audit/record-change.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import type { RightsAt } from "../postgres/schema/accounts.ts";
import { roleOffers, userRoles, users, userTokens } from "../postgres/schema/accounts.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { handOverToAddressOwner, isInUse, lockAddress } from "./account-use.ts";
import { hashSecret } from "./credential-cache.ts";
import { couldGive } from "./rights-at.ts";
import { offersTo, type RoleOffer, takeRoles } from "./role-offers.ts";
import { replacePassword } from "./user-tokens.ts";

interface PasswordLink {
  email: string;
  /** Undefined where the link makes it. */
  account: typeof users.$inferSelect | undefined;
  /** What comes with it. */
  offer: RoleOffer | undefined;
  isMailed: boolean;
}

interface Asked {
  token: string;
  nowMs: number;
  tree: Pick<NodeTree, "isWithin">;
}

/** `gone`: unknown, used, too old, or not good any more; `in_use`: an offer to an account, whose holder signs in to take it. */
export type LinkState = "usable" | "in_use" | "gone";

export async function stateOfLink({ db }: Pick<Postgres, "db">, asked: Asked): Promise<LinkState> {
  const link = await readLink(db, asked);
  return typeof link === "string" ? link : "usable";
}

/** The person comes in with a password of their choice; the state of the link where it is not usable (any more). */
export async function setPasswordByLink(
  postgres: Postgres,
  { passwordHash, address, ...asked }: Asked & { passwordHash: string; address: string | null },
): Promise<{ userId: string } | Exclude<LinkState, "usable">> {
  return await postgres.transaction(async (tx) => {
    const link = await readLink(tx, asked, "update");
    if (typeof link === "string") return link;
    const { email, offer, isMailed } = link;
    const account = link.account ?? (await makeAccount(tx, { ...link, nowMs: asked.nowMs }));
    const by: Author = { kind: "user", id: account.id, name: email, address };
    if (isMailed) await handOverToAddressOwner(tx, account, { by, nowMs: asked.nowMs });
    await replacePassword(tx, account, passwordHash, by);
    if (offer) await takeRoles(tx, offer, account.id, by);
    return { userId: account.id };
  });
}

/** Makes the account under the id of the offer; it has no right until the roles are taken. */
async function makeAccount(tx: Queries, { email, offer, isMailed, nowMs }: PasswordLink & { nowMs: number }) {
  if (!offer) throw new Error("a link without an account is an offer's");
  const row = { id: offer.id, email, name: offer.name, ...(isMailed && { emailVerifiedAt: new Date(nowMs) }) };
  const [account] = await tx.insert(users).values(row).returning();
  if (!account) throw new Error("the user was not stored");
  return account;
}

async function readLink(
  db: Queries,
  asked: Asked,
  lock?: "update",
): Promise<PasswordLink | Exclude<LinkState, "usable">> {
  const isGood = { hash: hashSecret(asked.token), after: new Date(asked.nowMs) };
  const ofToken = and(eq(userTokens.tokenHash, isGood.hash), gt(userTokens.expiresAt, isGood.after));
  const [token] = await db.select().from(userTokens).where(ofToken);
  const ofOffer = and(eq(roleOffers.tokenHash, isGood.hash), gt(roleOffers.expiresAt, isGood.after));
  const [offer] = token ? [] : await db.select().from(roleOffers).where(ofOffer);
  if (!token && !offer) return "gone";
  if (lock && offer) await lockAddress(db, offer.email);
  const isAccount = token ? eq(users.id, token.userId) : eq(users.email, offer?.email ?? "");
  const reading = db.select({ account: users, isInUse }).from(users).where(isAccount);
  const [found] = await (lock ? reading.for(lock, { of: users }) : reading);
  const account = found?.account;
  if (lock && (await isUsedMeanwhile(db, { token, offer }))) return "gone";
  if (account?.disabledAt) return "gone";
  if (found?.isInUse && offer) return "in_use";
  const email = account?.email ?? offer?.email ?? "";
  const shownTo = token ? token.shownTo : (offer?.shownTo ?? null);
  if (shownTo !== null && (found?.isInUse || !(await opensAll(db, { email, account, shownTo }, asked)))) return "gone";
  return { email, account, offer, isMailed: shownTo === null };
}

/** Whether somebody else used it while this transaction waited for the account. */
async function isUsedMeanwhile(
  db: Queries,
  { token, offer }: { token: typeof userTokens.$inferSelect | undefined; offer: RoleOffer | undefined },
): Promise<boolean> {
  const rows = token
    ? await db.select().from(userTokens).where(eq(userTokens.tokenHash, token.tokenHash)).for("update")
    : await db
        .select()
        .from(roleOffers)
        .where(eq(roleOffers.tokenHash, offer?.tokenHash ?? ""))
        .for("update");
  return rows.length === 0;
}

/** Whether who was shown the link could give every role that the address has or was offered by anybody. */
async function opensAll(
  db: Queries,
  { email, account, shownTo }: { email: string; account: { id: string } | undefined; shownTo: RightsAt[] },
  { nowMs, tree }: Asked,
): Promise<boolean> {
  const held = account ? await db.select().from(userRoles).where(eq(userRoles.userId, account.id)) : [];
  const offered = (await offersTo(db, email, nowMs)).flatMap(({ roles }) => roles);
  return couldGive(shownTo, [...held, ...offered], tree);
}
