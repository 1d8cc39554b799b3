/** A second factor for signing in: codes of an authenticator app, and recovery codes for the day it is lost. */
import { and, arrayContains, eq, isNotNull, isNull, lt, or, sql } from "drizzle-orm";
import { type Author, recordChange } from "../audit/record-change.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { users } from "../postgres/schema/accounts.ts";
import { hashSecret } from "./credential-cache.ts";
import { newTotpSecret, randomBase32, totpAddress, totpStep } from "./totp.ts";

const recoveryCodes = 10;

/** A new secret, not in force before `confirmTotp`; undefined where a second factor is in force already. */
export async function beginTotp(
  { db }: Postgres,
  userId: string,
): Promise<{ secret: string; address: string } | undefined> {
  const secret = newTotpSecret();
  const [user] = await db
    .update(users)
    .set({ totpSecret: secret })
    .where(and(eq(users.id, userId), isNull(users.totpSince)))
    .returning();
  return user && { secret, address: totpAddress(secret, user.email) };
}

/** Puts the secret in force; answers the recovery codes, their only copy. Undefined where the code is wrong. */
export async function confirmTotp(
  postgres: Postgres,
  { userId, code, by, nowMs }: { userId: string; code: string; by: Author; nowMs: number },
): Promise<string[] | undefined> {
  const codes = Array.from({ length: recoveryCodes }, () => randomBase32(10).replace(/.{4}(?=.)/g, "$&-"));
  return await postgres.transaction(async (tx) => {
    const [user] = await tx.select().from(users).where(eq(users.id, userId)).for("update");
    if (!user?.totpSecret || user.totpSince) return undefined;
    const step = totpStep(user.totpSecret, code, nowMs, 0);
    if (step === undefined) return undefined;
    const recoveryHashes = codes.map(hashRecoveryCode);
    const inForce = { totpSince: new Date(nowMs), totpLastStep: step, recoveryHashes };
    await tx.update(users).set(inForce).where(eq(users.id, userId));
    await recordFactor(tx, user, by, true);
    return codes;
  });
}

/** The caller has checked the password. */
export async function removeTotp(postgres: Postgres, userId: string, by: Author): Promise<void> {
  await postgres.transaction(async (tx) => {
    const [user] = await tx
      .update(users)
      .set({ totpSecret: null, totpSince: null, totpLastStep: null, recoveryHashes: null })
      .where(and(eq(users.id, userId), isNotNull(users.totpSince)))
      .returning();
    if (user) await recordFactor(tx, user, by, false);
  });
}

/** Whether the code is the app's of now or an unused recovery code; either is used up by this. */
export async function takeSecondFactor(
  { db }: Postgres,
  user: Pick<typeof users.$inferSelect, "id" | "totpSecret" | "totpLastStep">,
  code: string,
  nowMs: number,
): Promise<boolean> {
  const step = user.totpSecret && totpStep(user.totpSecret, code.trim(), nowMs, user.totpLastStep ?? 0);
  if (step) {
    const isUnused = or(isNull(users.totpLastStep), lt(users.totpLastStep, step));
    const taken = await db
      .update(users)
      .set({ totpLastStep: step })
      .where(and(eq(users.id, user.id), isUnused))
      .returning();
    return taken.length > 0;
  }
  const recoveryHash = hashRecoveryCode(code);
  const taken = await db
    .update(users)
    .set({ recoveryHashes: sql`array_remove(${users.recoveryHashes}, ${recoveryHash})` })
    .where(and(eq(users.id, user.id), arrayContains(users.recoveryHashes, [recoveryHash])))
    .returning();
  return taken.length > 0;
}

/** As it is typed: with or without hyphens, in any case. */
function hashRecoveryCode(code: string): string {
  return hashSecret(code.replace(/[^a-z0-9]/gi, "").toUpperCase());
}

/** Recorded at the root: changes of a user's own account are visible there only. */
async function recordFactor(tx: Queries, { id }: { id: string }, by: Author, hasSecondFactor: boolean): Promise<void> {
  const [before, after] = [{ hasSecondFactor: !hasSecondFactor }, { hasSecondFactor }];
  await recordChange(tx, { by, node: "all", action: "user.second_factor_changed", subject: id, before, after });
}
