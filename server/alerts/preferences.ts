/** How people want to be notified of alerts: by the bell at once and without mail, unless they chose otherwise. */
import { and, eq, gt, inArray } from "drizzle-orm";
import type {
  ChangeNotificationPreferences,
  NotificationChoice,
  NotificationPreferences,
} from "../contract/notification-preferences.ts";
import { type RuleKind, ruleKinds, type Severity, severities } from "../contract/rules.ts";
import { isUnsubscribed, subscribeAgain } from "../delivery/unsubscribe.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { users } from "../postgres/schema/accounts.ts";
import { digestEntries, notificationPreferences } from "../postgres/schema/alerts.ts";
import { nextDigestMs } from "./digest-time.ts";

type PreferencesRecord = typeof notificationPreferences.$inferSelect;
export type Preferences = Pick<PreferencesRecord, "choices" | "digestAt" | "digestTz">;

const standard: Preferences = { choices: {}, digestAt: "08:00", digestTz: "UTC" };

export function preferenceFor({ choices }: Preferences, kind: RuleKind, severity: Severity): NotificationChoice {
  return { kind, severity, bell: "at_once", mail: "never", ...choices[`${kind} ${severity}`] };
}

/** By user; everybody who is asked for has an entry. */
export async function readPreferences(
  db: Queries,
  userIds: readonly string[],
): Promise<ReadonlyMap<string, Preferences>> {
  const rows = await db
    .select()
    .from(notificationPreferences)
    .where(inArray(notificationPreferences.userId, [...userIds]));
  const known = new Map(rows.map((row) => [row.userId, row]));
  return new Map(userIds.map((id) => [id, known.get(id) ?? standard]));
}

const listStart = "notifications ";

/** The list that ends with the link in a person's mails about alerts. */
export const mailListOf = (userId: string) => `${listStart}${userId}`;

/** Whose mails about alerts a list is of; undefined for a list of something else. */
export const userOfMailList = (list: string) => (list.startsWith(listStart) ? list.slice(listStart.length) : undefined);

/** With what the person's account says. */
export interface OwnPreferences extends Preferences {
  address: string;
  /** No mail comes, whatever is chosen. */
  isUnsubscribed: boolean;
}

export async function readOwnPreferences(db: Queries, userId: string): Promise<OwnPreferences> {
  const preferences = (await readPreferences(db, [userId])).get(userId) ?? standard;
  const [user] = await db.select({ email: users.email }).from(users).where(eq(users.id, userId));
  const address = user?.email ?? "";
  return { ...preferences, address, isUnsubscribed: await isUnsubscribed(db, { list: mailListOf(userId), address }) };
}

/** What an `ETag` of them is made of. */
export const stateOfPreferences = ({ choices, digestAt, digestTz, isUnsubscribed }: OwnPreferences): object => ({
  choices,
  digestAt,
  digestTz,
  isUnsubscribed,
});

export function describePreferences(preferences: OwnPreferences, nowMs: number): NotificationPreferences {
  const { digestAt: at, digestTz: tz, address, isUnsubscribed: unsubscribed } = preferences;
  return {
    choices: ruleKinds.flatMap((kind) => severities.map((severity) => preferenceFor(preferences, kind, severity))),
    digest: { at, tz },
    next_digest_at: new Date(nextDigestMs({ at, tz }, nowMs)).toISOString(),
    address,
    unsubscribed,
  };
}

/** To the next digest. What is due still comes at its time; what waits for two digests is kept once. */
async function moveWaiting(tx: Queries, { userId, digestAt, digestTz }: PreferencesRecord, nowMs: number) {
  const dueAt = new Date(nextDigestMs({ at: digestAt, tz: digestTz }, nowMs));
  const waiting = and(eq(digestEntries.userId, userId), gt(digestEntries.dueAt, new Date(nowMs)));
  const moved = await tx.delete(digestEntries).where(waiting).returning();
  for (let start = 0; start < moved.length; start += rowsPerStatement)
    await tx
      .insert(digestEntries)
      .values(moved.slice(start, start + rowsPerStatement).map((entry) => ({ ...entry, dueAt })))
      .onConflictDoNothing();
}

const rowsPerStatement = 1_000;

/**
 * What waits for a digest comes with the next one, except what is no longer wanted in it. Those who unsubscribed get mail again
 * only if they say so, or choose mail where they had none.
 */
export async function changePreferences(
  postgres: Postgres,
  { userId, nowMs, check }: { userId: string; nowMs: number; check: (current: unknown) => void },
  { choices = [], digest, unsubscribed }: ChangeNotificationPreferences,
): Promise<OwnPreferences> {
  return await postgres.transaction(async (tx) => {
    await tx
      .insert(notificationPreferences)
      .values({ userId, ...standard })
      .onConflictDoNothing();
    const isOwn = eq(notificationPreferences.userId, userId);
    await tx.select().from(notificationPreferences).where(isOwn).for("update");
    const before = await readOwnPreferences(tx, userId);
    check(stateOfPreferences(before));
    const after: PreferencesRecord = {
      userId,
      choices: { ...before.choices },
      digestAt: digest?.at ?? before.digestAt,
      digestTz: digest?.tz ?? before.digestTz,
    };
    for (const { kind, severity, bell, mail } of choices) {
      const was = preferenceFor(after, kind, severity);
      after.choices[`${kind} ${severity}`] = { bell: bell ?? was.bell, mail: mail ?? was.mail };
    }
    await tx.update(notificationPreferences).set(after).where(isOwn);
    if (after.digestAt !== before.digestAt || after.digestTz !== before.digestTz) await moveWaiting(tx, after, nowMs);
    for (const { kind, severity } of choices)
      if (preferenceFor(after, kind, severity).mail !== "digest")
        await tx
          .delete(digestEntries)
          .where(
            and(eq(digestEntries.userId, userId), eq(digestEntries.kind, kind), eq(digestEntries.severity, severity)),
          );
    const mailOf = (preferences: Preferences) =>
      choices.map(({ kind, severity }) => preferenceFor(preferences, kind, severity).mail);
    const [had, has] = [mailOf(before), mailOf(after)];
    if (unsubscribed === false || has.some((mail, index) => had[index] === "never" && mail !== "never"))
      await subscribeAgain({ db: tx }, { list: mailListOf(userId), address: before.address });
    return await readOwnPreferences(tx, userId);
  });
}
