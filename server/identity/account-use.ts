/**
 * Whether an account is in use, and whose it is. An account that somebody uses already is theirs, whoever made it: links into
 * it are only mailed. Its address may still be somebody else's, where the password was set through a link that was shown
 * instead of mailed: until a mail or an identity provider proves it, it is not trusted with what is meant for that address.
 */
import { eq, type SQL, sql } from "drizzle-orm";
import { type Author, recordChange } from "../audit/record-change.ts";
import type { Queries } from "../postgres/client.ts";
import { countAlone } from "../postgres/count-alone.ts";
import { signInSessions, users, userTokens } from "../postgres/schema/accounts.ts";
import { passkeys } from "../postgres/schema/passkeys.ts";
import { announceSignInSessions } from "./sign-in-sessions.ts";

/** For a `select` from `users`. */
export const isInUse: SQL<boolean> = sql`(${users.passwordHash} IS NOT NULL OR ${users.emailVerifiedAt} IS NOT NULL
  OR EXISTS (SELECT 1 FROM ${passkeys} WHERE ${passkeys.userId} = ${users.id})
  OR EXISTS (SELECT 1 FROM ${signInSessions} WHERE ${signInSessions.userId} = ${users.id}))`;

/** Until the end of the transaction nobody else makes an account or an offer of the address, which is in lower case. */
export async function lockAddress(tx: Queries, email: string): Promise<void> {
  await countAlone(tx, `account ${email}`);
}

/**
 * The person whose address it is has come, known by a mailed link or by the identity provider. Whoever used the account before
 * loses access to it: password, passkeys, second factor and sessions end, unless it was known already whose it is.
 */
export async function handOverToAddressOwner(
  tx: Queries,
  { id, emailVerifiedAt }: { id: string; emailVerifiedAt: Date | null },
  { by, nowMs }: { by: Author; nowMs: number },
): Promise<void> {
  if (emailVerifiedAt !== null) return;
  await tx.delete(passkeys).where(eq(passkeys.userId, id));
  await tx.delete(signInSessions).where(eq(signInSessions.userId, id));
  await tx.delete(userTokens).where(eq(userTokens.userId, id));
  const noFactor = { totpSecret: null, totpSince: null, totpLastStep: null, recoveryHashes: null };
  const verified = { emailVerifiedAt: new Date(nowMs), passwordHash: null, ...noFactor };
  await tx.update(users).set(verified).where(eq(users.id, id));
  await announceSignInSessions(tx);
  const [before, after] = [{ addressVerified: false }, { addressVerified: true }];
  await recordChange(tx, { by, node: "all", action: "user.address_verified", subject: id, before, after });
}
