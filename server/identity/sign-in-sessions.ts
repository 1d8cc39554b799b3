/** Sessions of browsers: an opaque token of 256 random bits in a cookie, its hash in Postgres. Unused for 30 days, one ends. */

import { and, desc, eq, gt, inArray, isNull, lt, sql } from "drizzle-orm";
import type { Logger } from "pino";
import { dayMs } from "../contract/durations.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import type { Subscriber } from "../postgres/notices.ts";
import { signInSessions, userRoles, users } from "../postgres/schema/accounts.ts";
import type { Actor } from "./actor.ts";
import { CredentialCache, hashSecret, newSecret } from "./credential-cache.ts";
import { actionsOfRole, byDepth } from "./permissions.ts";

/** A notice on it makes every process look at sessions and roles anew. */
const sessionsChannel = "tidemark_sessions";

/** Tells every process, once the transaction is committed, that sessions ended or what their users may do has changed. */
export async function announceSignInSessions(tx: Queries): Promise<void> {
  await tx.execute(sql`SELECT pg_notify(${sessionsChannel}, '')`);
}

export const sessionCookie = "tidemark_session";
const lifetimeMs = 30 * dayMs;
/** Of one user; where there are more, the oldest end. */
const maxSessionsOfUser = 100;
/** A session in use is prolonged once this much of its life is gone: one write a day at most. */
const prolongAfterMs = dayMs;

/** Follows what other processes end; where notice of that fails, a session is refused two seconds late. */
export function createSignInSessions(postgres: Postgres, log: Logger, now: () => number = Date.now): SignInSessions {
  return new SignInSessions(postgres, log, now);
}

/** From where a session was begun. */
export interface SessionOrigin {
  address?: string | undefined;
  userAgent?: string | undefined;
}

const newestFirst = [desc(signInSessions.createdAt), desc(signInSessions.id)];

type SessionRecord = Omit<typeof signInSessions.$inferSelect, "tokenHash">;

export class SignInSessions {
  readonly #postgres: Postgres;
  readonly #now: () => number;
  readonly #subscriber: Subscriber;
  readonly #cache: CredentialCache<Actor & { endsAtMs: number }>;

  constructor(postgres: Postgres, log: Logger, now: () => number) {
    this.#postgres = postgres;
    this.#now = now;
    this.#cache = new CredentialCache((tokenHashes) => this.#read(tokenHashes), now);
    const forget = () => this.#cache.clear();
    this.#subscriber = { notified: forget, listening: forget };
    postgres.notices.subscribe(sessionsChannel, this.#subscriber).catch((error: unknown) => {
      log.warn({ err: error }, "sessions that end elsewhere are noticed late until Postgres can be reached");
    });
  }

  /**
   * A session of the user; `token` is its only copy. Sessions that have ended are removed on the way, and those of the user beyond the
   * newest 100.
   */
  async create(userId: string, from: SessionOrigin = {}): Promise<{ token: string }> {
    const token = newSecret();
    const expiresAt = new Date(this.#now() + lifetimeMs);
    await this.#postgres.db.delete(signInSessions).where(lt(signInSessions.expiresAt, new Date(this.#now())));
    await this.#postgres.db.insert(signInSessions).values({ tokenHash: hashSecret(token), userId, expiresAt, ...from });
    await this.#endSurplus(userId);
    return { token };
  }

  async #endSurplus(userId: string): Promise<void> {
    const isEnded = await this.#postgres.transaction(async (tx) => {
      const surplus = tx
        .select({ id: signInSessions.id })
        .from(signInSessions)
        .where(eq(signInSessions.userId, userId))
        .orderBy(...newestFirst)
        .offset(maxSessionsOfUser);
      const ended = await tx
        .delete(signInSessions)
        .where(inArray(signInSessions.id, surplus))
        .returning({ id: signInSessions.id });
      if (ended.length > 0) await announceSignInSessions(tx);
      return ended.length > 0;
    });
    if (isEnded) this.#cache.clear();
  }

  /** Whose session it is; undefined when it is unknown or over, or its user is disabled or has no role. `address`: from where it is used. */
  async verify(token: string, address?: string): Promise<Actor | undefined> {
    const found = await this.#cache.get(token, address);
    return found && found.endsAtMs > this.#now() ? found : undefined;
  }

  /** Sessions were ended, or roles changed, without this object knowing: the next request of each is looked at anew, here at once. */
  forget(): void {
    this.#cache.clear();
  }

  /** The user's newest 100 sessions, the newest first. `token`: the one that asks. */
  async list(userId: string, token: string | undefined): Promise<(SessionRecord & { isCurrent: boolean })[]> {
    const rows = await this.#postgres.db
      .select()
      .from(signInSessions)
      .where(and(eq(signInSessions.userId, userId), gt(signInSessions.expiresAt, new Date(this.#now()))))
      .orderBy(...newestFirst)
      .limit(maxSessionsOfUser);
    const current = token === undefined ? undefined : hashSecret(token);
    return rows.map(({ tokenHash, ...row }) => ({ ...row, isCurrent: tokenHash === current }));
  }

  /** Ends one of the user's sessions everywhere; false when there is none. */
  async endById(userId: string, id: string): Promise<boolean> {
    const isEnded = await this.#postgres.transaction(async (tx) => {
      const ended = await tx
        .delete(signInSessions)
        .where(and(eq(signInSessions.id, id), eq(signInSessions.userId, userId)))
        .returning({ id: signInSessions.id });
      await announceSignInSessions(tx);
      return ended.length > 0;
    });
    this.#cache.clear();
    return isEnded;
  }

  /** Ends the session everywhere; a token without one changes nothing. */
  async end(token: string): Promise<void> {
    await this.#postgres.transaction(async (tx) => {
      await tx.delete(signInSessions).where(eq(signInSessions.tokenHash, hashSecret(token)));
      await announceSignInSessions(tx);
    });
    this.#cache.clear();
  }

  async close(): Promise<void> {
    this.#postgres.notices.unsubscribe(sessionsChannel, this.#subscriber);
  }

  /** Whose sessions these are; those that are unknown or over, or of users who are disabled or have no role, are left out. */
  async #read(tokenHashes: readonly string[]): Promise<Map<string, Actor & { endsAtMs: number }>> {
    const rows = await this.#postgres.db
      .select()
      .from(signInSessions)
      .innerJoin(users, eq(users.id, signInSessions.userId))
      .innerJoin(userRoles, eq(userRoles.userId, users.id))
      .where(
        and(
          inArray(signInSessions.tokenHash, [...tokenHashes]),
          gt(signInSessions.expiresAt, new Date(this.#now())),
          isNull(users.disabledAt),
        ),
      );
    const rolesOf = new Map<string, (typeof rows)[number][]>();
    for (const row of rows) {
      const roles = rolesOf.get(row.sessions.tokenHash) ?? [];
      rolesOf.set(row.sessions.tokenHash, [...roles, row]);
    }
    const found = new Map<string, Actor & { endsAtMs: number }>();
    for (const [tokenHash, roles] of rolesOf) {
      const actor = actorOf(roles);
      const expiresAtMs = roles[0]?.sessions.expiresAt.getTime();
      if (!actor || expiresAtMs === undefined) continue;
      found.set(tokenHash, { ...actor, endsAtMs: await this.#prolong(tokenHash, expiresAtMs) });
    }
    return found;
  }

  async #prolong(tokenHash: string, endsAtMs: number): Promise<number> {
    const prolongedMs = this.#now() + lifetimeMs;
    if (prolongedMs - endsAtMs < prolongAfterMs) return endsAtMs;
    await this.#postgres.db
      .update(signInSessions)
      .set({ expiresAt: new Date(prolongedMs) })
      .where(eq(signInSessions.tokenHash, tokenHash));
    return prolongedMs;
  }
}

/** A session with its user, once for each role. */
interface SessionRole {
  sessions: Pick<typeof signInSessions.$inferSelect, "createdAt">;
  users: typeof users.$inferSelect;
  user_roles: Pick<typeof userRoles.$inferSelect, "node" | "role">;
}

function actorOf(roles: readonly SessionRole[]): Actor | undefined {
  const grants = byDepth(roles.map(({ user_roles: { node, role } }) => ({ node, role, actions: actionsOfRole(role) })));
  const [row] = roles;
  if (!row || !grants[0]) return undefined;
  return {
    kind: "user",
    id: row.users.id,
    name: row.users.email,
    node: grants[0].node,
    reach: [...new Set(grants.map(({ node }) => node))],
    grants,
    createOrganizations: grants.some(({ actions }) => actions.has("nodes:write")),
    hasSecondFactor: row.users.totpSince !== null,
    hasPassword: row.users.passwordHash !== null,
    signedInAtMs: row.sessions.createdAt.getTime(),
  };
}
