/**
 * API keys: 256 random bits, shown once, kept as their hash. A revoked key is refused within two seconds everywhere. While
 * Postgres is away, keys that this process knows go on for an hour; one that it knows as revoked stays revoked.
 */

import { and, asc, eq, getTableColumns, gt, inArray, isNull, or, type SQL, sql } from "drizzle-orm";
import type { Logger } from "pino";
import { type Author, recordChange, system } from "../audit/record-change.ts";
import type { Edit } from "../audit/recorded-edit.ts";
import { type KeyScope, keyScopes } from "../contract/accounts.ts";
import { definitionLimits } from "../contract/definition-limits.ts";
import { hourMs } from "../contract/durations.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { isPostgresUnavailable, type Postgres, type Queries } from "../postgres/client.ts";
import type { Subscriber } from "../postgres/notices.ts";
import { apiKeys } from "../postgres/schema/accounts.ts";
import { checkLimit } from "../tree/check-limit.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { rowsWithin } from "../tree/rows-within.ts";
import { type Actor, newId } from "./actor.ts";
import { CredentialCache, hashSecret, newSecret } from "./credential-cache.ts";
import { actionsOfKey } from "./permissions.ts";

type Tree = Pick<NodeTree, "ancestors" | "children">;

export type KeyRecord = Omit<typeof apiKeys.$inferSelect, "keyHash">;

interface KeyUse {
  /** In ms since 1970. */
  atMs: number;
  /** Null where it is not known. */
  address: string | null;
}

export interface NewKey {
  name: string;
  node: NodeAddress;
  scopes: KeyScope[];
  createOrganizations: boolean;
  seePrices: boolean;
  expiresAt: Date | null;
  createdBy: string;
}

const channel = "tidemark_keys";
const keyPrefix = "tmk_";
/** Enough to tell keys apart, far from enough to guess one. */
const shownCharacters = 10;
/** How long known keys go on without Postgres. */
const holdMs = hourMs;
/** Uses are gathered for so long and written with one statement. */
const writeUsesEveryMs = 10_000;

const { keyHash, ...shownColumns } = getTableColumns(apiKeys);

const { withEnded, ...counts } = definitionLimits.keys;
const limit = { what: "keys in force", table: apiKeys, ...counts };
const roomWithEnded = {
  what: "keys, with those that have ended",
  table: apiKeys,
  ofNode: withEnded,
  ofTenant: Number.POSITIVE_INFINITY,
};

function isInForce(nowMs: number): SQL | undefined {
  return and(isNull(apiKeys.revokedAt), or(isNull(apiKeys.expiresAt), gt(apiKeys.expiresAt, new Date(nowMs))));
}

/** By the key's id; those that are in no table, such as the one of the settings, are left out. */
export async function nodesOfKeys(db: Queries, ids: readonly string[]): Promise<ReadonlyMap<string, NodeAddress>> {
  if (ids.length === 0) return new Map();
  const isOne = sql`${apiKeys.id} = ANY(${sql.param([...ids])}::text[])`;
  const found = await db.select({ id: apiKeys.id, node: apiKeys.node }).from(apiKeys).where(isOne);
  return new Map(found.map(({ id, node }) => [id, node]));
}

/** Follows what other processes revoke; where notice of that fails, a key is refused two seconds late. */
export function createKeys(postgres: Postgres, log: Logger, now: () => number = Date.now): Keys {
  return new Keys(postgres, log, now);
}

export class Keys {
  readonly #postgres: Postgres;
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #subscriber: Subscriber;
  readonly #cache: CredentialCache<Actor>;
  /** The latest use of each key since the last write. */
  #uses = new Map<string, KeyUse>();
  readonly #timer: NodeJS.Timeout;

  constructor(postgres: Postgres, log: Logger, now: () => number) {
    this.#postgres = postgres;
    this.#log = log;
    this.#now = now;
    const read = (secretHashes: readonly string[]) => this.#read(secretHashes);
    this.#cache = new CredentialCache(read, now, { holdMs, isUnavailable: isPostgresUnavailable });
    this.#timer = setInterval(() => void this.writeUses(), writeUsesEveryMs);
    this.#timer.unref();
    this.#subscriber = {
      // Without an id: from a version that announced a change without saying of what.
      notified: (id) => (id === "" ? this.#cache.clear() : this.#forget(id)),
      listening: () => this.#cache.clear(),
    };
    postgres.notices.subscribe(channel, this.#subscriber).catch((error: unknown) => {
      log.warn({ err: error }, "revoked keys are noticed late until Postgres can be reached");
    });
  }

  /** False when Postgres has been away for so long that no key counts any more. */
  get isTrusted(): boolean {
    return this.#cache.isTrusted;
  }

  /** Who the key stands for; undefined when it is unknown, revoked or has ended. `address`: from where it is used. */
  async verify(key: string, address?: string): Promise<Actor | undefined> {
    const actor = await this.#cache.get(key, address);
    if (!actor) return undefined;
    const nowMs = this.#now();
    if (actor.expiresAtMs !== undefined && actor.expiresAtMs <= nowMs) return undefined;
    this.#uses.set(actor.id, { atMs: nowMs, address: address ?? this.#uses.get(actor.id)?.address ?? null });
    return actor;
  }

  /** `key` is the only copy. Throws `conflict` where the node, or its tenant, has as many as it may; without `tree` there is no such limit. */
  async create(wanted: NewKey, by: Author = system, tree?: Tree): Promise<{ record: KeyRecord; key: string }> {
    return await this.#postgres.transaction(async (tx) => {
      if (tree) {
        await checkLimit(tx, tree, wanted.node, roomWithEnded);
        await checkLimit(tx, tree, wanted.node, { ...limit, which: isInForce(this.#now()) });
      }
      return await insertKey(tx, wanted, by);
    });
  }

  /**
   * Makes `wanted` in place of a key, which ends at `oldEndsAt` unless it ends sooner. Undefined where the key has ended
   * or was revoked already; throws `conflict` where the node has had as many as it may.
   */
  async rotate(
    id: string,
    { wanted, oldEndsAt, tree }: { wanted: NewKey; oldEndsAt: Date; tree: Tree },
    { by, check }: Edit,
  ): Promise<{ record: KeyRecord; key: string } | undefined> {
    const rotated = await this.#postgres.transaction(async (tx) => {
      const [old] = await tx.select(shownColumns).from(apiKeys).where(eq(apiKeys.id, id)).for("update");
      const hasEnded = !old || old.revokedAt || (old.expiresAt && old.expiresAt.getTime() <= this.#now());
      if (hasEnded) return undefined;
      check(stateOfKey(old));
      await checkLimit(tx, tree, old.node, roomWithEnded);
      const expiresAt = old.expiresAt && old.expiresAt < oldEndsAt ? old.expiresAt : oldEndsAt;
      await tx.update(apiKeys).set({ expiresAt }).where(eq(apiKeys.id, id));
      await announceKey(tx, id);
      const made = await insertKey(tx, wanted, by);
      const [before, after] = [stateOfKey(old), { ...stateOfKey(old), expiresAt, rotatedTo: made.record.id }];
      await recordChange(tx, { by, node: old.node, action: "key.rotated", subject: id, before, after });
      return made;
    });
    this.#forget(id);
    return rotated;
  }

  /** Up to `limit` keys of these nodes and of all below them, the oldest first, revoked ones included. */
  list(
    tops: readonly NodeAddress[],
    tree: Pick<NodeTree, "children">,
    { after, limit }: { after: { atMs: number; id: string } | undefined; limit: number },
  ): Promise<KeyRecord[]> {
    const { createdAt, id } = apiKeys;
    const at = after && new Date(after.atMs);
    const behind = after && at && or(gt(createdAt, at), and(eq(createdAt, at), gt(id, after.id)));
    return this.#postgres.db
      .select(shownColumns)
      .from(apiKeys)
      .where(and(rowsWithin(apiKeys.node, tops, tree), behind))
      .orderBy(asc(createdAt), asc(id))
      .limit(limit);
  }

  async get(id: string): Promise<KeyRecord | undefined> {
    const [record] = await this.#postgres.db.select(shownColumns).from(apiKeys).where(eq(apiKeys.id, id));
    return record;
  }

  /** Undefined where there is no such key. */
  async rename(id: string, name: string, { by, check }: Edit): Promise<KeyRecord | undefined> {
    const renamed = await this.#postgres.transaction(async (tx) => {
      const [old] = await tx.select(shownColumns).from(apiKeys).where(eq(apiKeys.id, id)).for("update");
      if (!old) return undefined;
      check(stateOfKey(old));
      await tx.update(apiKeys).set({ name }).where(eq(apiKeys.id, id));
      // What it does from now on is told by its new name.
      await announceKey(tx, id);
      const made = { ...old, name };
      const [before, after] = [stateOfKey(old), stateOfKey(made)];
      await recordChange(tx, { by, node: old.node, action: "key.changed", subject: id, before, after });
      return made;
    });
    this.#forget(id);
    return renamed;
  }

  /** Revoking a key again leaves it revoked since the first time. */
  async revoke(id: string, { by, check }: Edit): Promise<void> {
    await this.#postgres.transaction(async (tx) => {
      const [current] = await tx.select(shownColumns).from(apiKeys).where(eq(apiKeys.id, id)).for("update");
      if (current) check(stateOfKey(current));
      const [revoked] = await tx
        .update(apiKeys)
        .set({ revokedAt: new Date(this.#now()) })
        .where(and(eq(apiKeys.id, id), isNull(apiKeys.revokedAt)))
        .returning(shownColumns);
      await announceKey(tx, id);
      if (!revoked) return;
      const after = stateOfKey(revoked);
      const before = { ...after, revokedAt: null };
      await recordChange(tx, { by, node: revoked.node, action: "key.revoked", subject: id, before, after });
    });
    this.#forget(id);
  }

  /**
   * Makes `key` the root key, with all rights on `all`; a root key from before ends with that. The same key again changes
   * nothing, so that one which was revoked stays revoked.
   */
  async ensureRootKey(key: string): Promise<void> {
    await this.#replace("key_root", "root", key);
  }

  /** A new key for the demo's simulator, with all rights on `all`; the one from before ends with that. */
  async createDemoKey(): Promise<string> {
    const key = keyPrefix + newSecret();
    await this.#replace("key_demo", "demo", key);
    return key;
  }

  async #replace(id: string, name: string, key: string): Promise<void> {
    const rights = {
      keyHash: hashSecret(key),
      prefix: key.slice(0, Math.min(shownCharacters, Math.floor(key.length / 3))),
      name,
      node: "all",
      scopes: [...keyScopes],
      createOrganizations: true,
      seePrices: true,
    };
    await this.#postgres.transaction(async (tx) => {
      const [replaced] = await tx
        .insert(apiKeys)
        .values({ ...rights, id })
        .onConflictDoUpdate({
          target: apiKeys.id,
          set: { ...rights, createdAt: sql`now()`, revokedAt: null, lastUsedAt: null, lastUsedAddress: null },
          setWhere: sql`${keyHash} <> excluded.key_hash`,
        })
        .returning(shownColumns);
      await announceKey(tx, id);
      if (replaced) {
        const after = stateOfKey(replaced);
        await recordChange(tx, { by: system, node: "all", action: "key.replaced", subject: id, after });
      }
    });
    this.#forget(id);
  }

  /** Stores when and from where keys were used; what cannot be stored now is kept for the next time. */
  async writeUses(): Promise<void> {
    if (this.#uses.size === 0) return;
    const uses = this.#uses;
    this.#uses = new Map();
    try {
      await this.#postgres.pool.query(
        `UPDATE api_keys SET last_used_at = to_timestamp(used.at_ms / 1000.0),
           last_used_address = coalesce(used.address, last_used_address)
         FROM unnest($1::text[], $2::float8[], $3::text[]) AS used (id, at_ms, address)
         WHERE api_keys.id = used.id AND coalesce(last_used_at <= to_timestamp(used.at_ms / 1000.0), true)`,
        [
          [...uses.keys()],
          [...uses.values()].map(({ atMs }) => atMs),
          [...uses.values()].map(({ address }) => address),
        ],
      );
    } catch (error) {
      this.#log.warn({ err: error }, "the use of keys could not be stored; retrying");
      for (const [id, use] of uses) if (!this.#uses.has(id)) this.#uses.set(id, use);
    }
  }

  /** Stores the uses that are not stored yet. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#postgres.notices.unsubscribe(channel, this.#subscriber);
    await this.writeUses();
  }

  #forget(id: string): void {
    this.#cache.clear((actor) => actor.id === id);
  }

  /** Whom the hashes stand for; those of no key in force are left out. */
  async #read(secretHashes: readonly string[]): Promise<Map<string, Actor>> {
    const rows = await this.#postgres.db
      .select({ ...shownColumns, keyHash })
      .from(apiKeys)
      .where(and(inArray(keyHash, [...secretHashes]), isNull(apiKeys.revokedAt)));
    return new Map(rows.map((row) => [row.keyHash, actorOf(row)]));
  }
}

/** Tells every process, once the transaction is committed, that the key was changed or revoked. */
async function announceKey(tx: Queries, id: string): Promise<void> {
  await tx.execute(sql`SELECT pg_notify(${channel}, ${id})`);
}

function actorOf(row: KeyRecord): Actor {
  return {
    kind: "key",
    id: row.id,
    name: row.name,
    node: row.node,
    reach: [row.node],
    grants: [{ node: row.node, actions: actionsOfKey(row.scopes, row.seePrices) }],
    createOrganizations: row.createOrganizations,
    ...(row.expiresAt && { expiresAtMs: row.expiresAt.getTime() }),
  };
}

async function insertKey(tx: Queries, wanted: NewKey, by: Author): Promise<{ record: KeyRecord; key: string }> {
  const key = keyPrefix + newSecret();
  const [record] = await tx
    .insert(apiKeys)
    .values({ ...wanted, id: newId("key"), keyHash: hashSecret(key), prefix: key.slice(0, shownCharacters) })
    .returning(shownColumns);
  if (!record) throw new Error("the key was not stored");
  const { id, node } = record;
  await recordChange(tx, { by, node, action: "key.created", subject: id, after: stateOfKey(record) });
  return { record, key };
}

/** What an `ETag` of a key is made of, and what the audit keeps: its last use is not configuration. */
export function stateOfKey({
  lastUsedAt: _at,
  lastUsedAddress: _address,
  ...record
}: KeyRecord): Omit<KeyRecord, "lastUsedAt" | "lastUsedAddress"> {
  return record;
}
