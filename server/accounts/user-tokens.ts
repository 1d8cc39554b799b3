/** Tokens that a mail carries: to accept an invitation, or to set a new password. Each is used once, and only in time. */
import { and, eq, gt, sql } from "drizzle-orm";
import { type Author, recordChange } from "../audit/record-change.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { sessions, users, userTokens } from "../postgres/schema/accounts.ts";
import { hashSecret, newSecret } from "./credential-cache.ts";
import { sessionsChannel } from "./sessions.ts";

export type TokenPurpose = "invitation" | "password_reset";

const lifetimeMs: Record<TokenPurpose, number> = {
  invitation: 7 * 24 * 60 * 60 * 1000,
  password_reset: 60 * 60 * 1000,
};

/** Ends the tokens of the same purpose from before; the answer is the only copy. */
export async function issueToken(db: Queries, userId: string, purpose: TokenPurpose, nowMs: number): Promise<string> {
  const token = newSecret();
  const row = { tokenHash: hashSecret(token), purpose, expiresAt: new Date(nowMs + lifetimeMs[purpose]) };
  await db
    .insert(userTokens)
    .values({ ...row, userId })
    .onConflictDoUpdate({ target: [userTokens.userId, userTokens.purpose], set: row });
  return token;
}

/**
 * Sets the password of whose token it is, and ends all their sessions and tokens. Undefined where the token is unknown,
 * used or too old, or its user is disabled.
 */
export async function setPasswordByToken(
  postgres: Postgres,
  {
    token,
    passwordHash,
    address,
    nowMs,
  }: { token: string; passwordHash: string; address: string | null; nowMs: number },
): Promise<{ userId: string } | undefined> {
  return await postgres.transaction(async (tx) => {
    const [used] = await tx
      .delete(userTokens)
      .where(and(eq(userTokens.tokenHash, hashSecret(token)), gt(userTokens.expiresAt, new Date(nowMs))))
      .returning();
    const [user] = used ? await tx.select().from(users).where(eq(users.id, used.userId)).for("update") : [];
    if (!used || !user || user.disabledAt) return undefined;
    const by: Author = { kind: "user", id: user.id, name: user.email, address };
    await replacePassword(tx, user, passwordHash, by);
    return { userId: user.id };
  });
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
  await tx.delete(sessions).where(eq(sessions.userId, id));
  await tx.execute(sql`SELECT pg_notify(${sessionsChannel}, '')`);
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
