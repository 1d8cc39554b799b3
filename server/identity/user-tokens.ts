/** Tokens of links that set a password: of a reset, or to come into an account that nobody uses yet. Each is used once, and only in time. */

import { eq } from "drizzle-orm";
import { type Author, recordChange } from "../audit/record-change.ts";
import { hourMs, weekMs } from "../contract/durations.ts";
import type { Queries } from "../postgres/client.ts";
import type { RightsAt } from "../postgres/schema/accounts.ts";
import { signInSessions, users, userTokens } from "../postgres/schema/accounts.ts";
import { hashSecret, newSecret } from "./credential-cache.ts";
import { announceSignInSessions } from "./sign-in-sessions.ts";

export type TokenPurpose = "invitation" | "password_reset";

const lifetimeMs: Record<TokenPurpose, number> = {
  invitation: weekMs,
  password_reset: hourMs,
};

export interface NewToken {
  userId: string;
  purpose: TokenPurpose;
  /** The rights of whom the link will be shown to; null where a mail alone will have it. */
  shownTo: RightsAt[] | null;
}

/** Ends the tokens of the same purpose from before; the answer is the only copy. */
export async function issueToken(db: Queries, { userId, purpose, shownTo }: NewToken, nowMs: number): Promise<string> {
  const token = newSecret();
  const row = { tokenHash: hashSecret(token), purpose, shownTo, expiresAt: new Date(nowMs + lifetimeMs[purpose]) };
  await db
    .insert(userTokens)
    .values({ ...row, userId })
    .onConflictDoUpdate({ target: [userTokens.userId, userTokens.purpose], set: row });
  return token;
}

/** In the caller's transaction; every session and token of the user ends with it. */
export async function replacePassword(
  tx: Queries,
  { id, passwordHash: earlier }: { id: string; passwordHash: string | null },
  passwordHash: string,
  by: Author,
): Promise<void> {
  await tx.update(users).set({ passwordHash }).where(eq(users.id, id));
  await tx.delete(userTokens).where(eq(userTokens.userId, id));
  await tx.delete(signInSessions).where(eq(signInSessions.userId, id));
  await announceSignInSessions(tx);
  const before = { hasPassword: earlier !== null };
  await recordChange(tx, {
    by,
    node: "all",
    action: "user.password_set",
    subject: id,
    before,
    after: { passwordSet: true },
  });
}
