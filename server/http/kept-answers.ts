/**
 * The answers to writes that named an `Idempotency-Key`, in Postgres. What callers keep there is bounded: beyond a tenant's bytes
 * an answer is not kept, and its request is still carried out once; beyond the keys of a day a write takes no key.
 */
import { randomUUID } from "node:crypto";
import { and, count, eq, isNull, lt, or, sql, sum } from "drizzle-orm";
import { definitionLimits } from "../contract/definition-limits.ts";
import { hourMs, minuteMs } from "../contract/durations.ts";
import type { Postgres } from "../postgres/client.ts";
import { idempotencyKeys, type KeptStatus } from "../postgres/schema/idempotency.ts";

const keptMs = 24 * hourMs;
/** Who carries a request out says so more often than this; a claim that is older is a dead process's. */
export const claimMs = minuteMs;

const limits = definitionLimits.idempotencyKeys;

/** Counted anew so often: between two counts each process knows of its own keys alone. */
const countEveryMs = minuteMs;

export interface Claim {
  keyHash: string;
  /** Of one carrying out: who lost it to another changes nothing any more. */
  claim: string;
}

export interface KeptAnswer {
  status: KeptStatus;
  headers: Record<string, string>;
  /** Null where it was too large. */
  body: Buffer | null;
}

interface Kept {
  keys: number;
  bytes: number;
}

export class KeptAnswers {
  readonly #postgres: Postgres;
  readonly #now: () => number;
  #counted: { atMs: number; byMaker: Promise<Map<string, Kept>> } | undefined;

  constructor(postgres: Postgres, now: () => number) {
    this.#postgres = postgres;
    this.#now = now;
  }

  /** Whether the caller and its tenant may use another key today. */
  async mayUse(caller: string, tenant: string): Promise<boolean> {
    const kept = await this.#kept();
    return keysOf(kept, callerOf(caller)) < limits.ofCaller && keysOf(kept, tenantOf(tenant)) < limits.ofTenant;
  }

  /** Undefined where the key is taken: it was used within a day, and its request was carried out or still is. */
  async claim(row: {
    keyHash: string;
    requestHash: string;
    caller: string;
    tenant: string;
  }): Promise<Claim | undefined> {
    const nowMs = this.#now();
    const claim = { keyHash: row.keyHash, claim: randomUUID() };
    const fresh = { ...row, ...claim, claimedAt: new Date(nowMs), status: null, headers: null, body: null, bytes: 0 };
    const claimed = await this.#postgres.db
      .insert(idempotencyKeys)
      .values(fresh)
      .onConflictDoUpdate({ target: idempotencyKeys.keyHash, set: fresh, setWhere: isForgotten(nowMs) })
      .returning({ keyHash: idempotencyKeys.keyHash });
    if (claimed.length === 0) return undefined;
    await this.#add(row, { keys: 1, bytes: 0 });
    return claim;
  }

  /** Says that the request is still carried out. */
  async renew(claim: Claim): Promise<void> {
    await this.#postgres.db
      .update(idempotencyKeys)
      .set({ claimedAt: new Date(this.#now()) })
      .where(is(claim));
  }

  async release(claim: Claim): Promise<void> {
    await this.#postgres.db.delete(idempotencyKeys).where(is(claim));
  }

  /** Without the body where there is no room for it. */
  async keep(claim: Claim, made: { caller: string; tenant: string }, answer: KeptAnswer): Promise<void> {
    const bytes = answer.body?.length ?? 0;
    const held = (await this.#kept()).get(tenantOf(made.tenant))?.bytes ?? 0;
    const isKept = bytes <= limits.bytes && held + bytes <= limits.bytesOfTenant;
    const kept = isKept ? { ...answer, bytes } : { ...answer, body: null };
    await this.#postgres.db.update(idempotencyKeys).set(kept).where(is(claim));
    if (isKept) await this.#add(made, { keys: 0, bytes });
  }

  async read(keyHash: string): Promise<typeof idempotencyKeys.$inferSelect | undefined> {
    const [row] = await this.#postgres.db.select().from(idempotencyKeys).where(eq(idempotencyKeys.keyHash, keyHash));
    return row;
  }

  async #add({ caller, tenant }: { caller: string; tenant: string }, { keys, bytes }: Kept): Promise<void> {
    const kept = await this.#kept();
    for (const maker of [callerOf(caller), tenantOf(tenant)]) {
      const known = kept.get(maker) ?? { keys: 0, bytes: 0 };
      kept.set(maker, { keys: known.keys + keys, bytes: known.bytes + bytes });
    }
  }

  /** By caller and by tenant. One count at a time, however many ask. */
  async #kept(): Promise<Map<string, Kept>> {
    const nowMs = this.#now();
    if (!this.#counted || Math.abs(nowMs - this.#counted.atMs) >= countEveryMs) {
      const byMaker = countKept(this.#postgres);
      this.#counted = { atMs: nowMs, byMaker };
      byMaker.catch(() => {
        if (this.#counted?.byMaker === byMaker) this.#counted = undefined;
      });
    }
    return await this.#counted.byMaker;
  }
}

const callerOf = (caller: string) => `caller ${caller}`;
const tenantOf = (tenant: string) => `tenant ${tenant}`;
const keysOf = (kept: ReadonlyMap<string, Kept>, maker: string) => kept.get(maker)?.keys ?? 0;
const is = ({ keyHash, claim }: Claim) => and(eq(idempotencyKeys.keyHash, keyHash), eq(idempotencyKeys.claim, claim));

async function countKept({ db }: Postgres): Promise<Map<string, Kept>> {
  const { caller, tenant, bytes } = idempotencyKeys;
  const rows = await db
    .select({ caller, tenant, keys: count(), bytes: sum(bytes).mapWith(Number) })
    .from(idempotencyKeys)
    .groupBy(caller, tenant);
  const kept = new Map<string, Kept>();
  for (const row of rows)
    for (const maker of [callerOf(row.caller), tenantOf(row.tenant)]) {
      const known = kept.get(maker) ?? { keys: 0, bytes: 0 };
      kept.set(maker, { keys: known.keys + row.keys, bytes: known.bytes + row.bytes });
    }
  return kept;
}

/** Rows that mean nothing any more: those of a day ago, and those whose process died. */
function isForgotten(nowMs: number) {
  const { claimedAt, status } = idempotencyKeys;
  return or(lt(claimedAt, new Date(nowMs - keptMs)), and(isNull(status), lt(claimedAt, new Date(nowMs - claimMs))));
}

/** Removes them. */
export async function pruneKeptAnswers({ db }: Postgres, nowMs: number): Promise<void> {
  await db.delete(idempotencyKeys).where(isForgotten(nowMs) ?? sql`false`);
}
