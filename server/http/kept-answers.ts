/**
 * The answers to writes that named an `Idempotency-Key`, in Postgres. What callers keep there is bounded: beyond a tenant's bytes
 * an answer is not kept, and its request is still carried out once; beyond the keys of a day a write takes no key.
 */
import { randomUUID } from "node:crypto";
import { and, count, eq, isNull, lt, or, sql, sum } from "drizzle-orm";
import pRetry from "p-retry";
import { definitionLimits } from "../contract/definition-limits.ts";
import { hourMs, minuteMs } from "../contract/durations.ts";
import type { Postgres } from "../postgres/client.ts";
import { idempotencyKeys, type KeptStatus } from "../postgres/schema/idempotency.ts";

const keptMs = 24 * hourMs;
/** A process that carries out a request renews its claim more often than this; an older claim is a dead process's. */
const claimMs = minuteMs;

const limits = definitionLimits.idempotencyKeys;

/** Counted anew so often: between two counts each process knows of its own keys alone. */
const countEveryMs = minuteMs;

/** What could not be kept is tried again so soon. A process that ends meanwhile waits for none of it. */
const untilKept = { minTimeout: 100, maxTimeout: 2_000, factor: 2, unref: true };

export interface Wanted {
  keyHash: string;
  requestHash: string;
  caller: string;
  tenant: string;
}

export interface Claim extends Wanted {
  /** Names one attempt to carry the request out: who lost the key to another changes nothing any more. */
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
  readonly #renewEveryMs: number;
  /** By the key's hash, what renews the claims of what this process carries out or could not keep yet. */
  readonly #renewals = new Map<string, NodeJS.Timeout>();
  #counted: { atMs: number; byMaker: Promise<Map<string, Kept>> } | undefined;

  constructor(postgres: Postgres, now: () => number, renewEveryMs = claimMs / 4) {
    this.#postgres = postgres;
    this.#now = now;
    this.#renewEveryMs = renewEveryMs;
  }

  /** Whether the caller and its tenant may use another key today. The operator's own callers share no bound. */
  async mayUse(caller: string, tenant: string): Promise<boolean> {
    const kept = await this.#kept();
    const isTenantFull = tenant !== "all" && keysOf(kept, tenantMaker(tenant)) >= limits.ofTenant;
    return !isTenantFull && keysOf(kept, callerMaker(caller)) < limits.ofCaller;
  }

  /**
   * Undefined where the key is taken: it was used within a day, and its request was carried out or still is. A claim is renewed
   * until it is released or its answer is kept.
   */
  async claim(wanted: Wanted): Promise<Claim | undefined> {
    // While Postgres was away a claim may have grown old whose request was carried out here.
    if (this.#renewals.has(wanted.keyHash)) return undefined;
    const nowMs = this.#now();
    const claim = { ...wanted, claim: randomUUID() };
    const fresh = { ...claim, claimedAt: new Date(nowMs), status: null, headers: null, body: null, bytes: 0 };
    const claimed = await this.#postgres.db
      .insert(idempotencyKeys)
      .values(fresh)
      .onConflictDoUpdate({ target: idempotencyKeys.keyHash, set: fresh, setWhere: isForgotten(nowMs) })
      .returning({ keyHash: idempotencyKeys.keyHash });
    if (claimed.length === 0) return undefined;
    const renewal = setInterval(() => void this.#renew(claim).catch(() => undefined), this.#renewEveryMs).unref();
    this.#renewals.set(claim.keyHash, renewal);
    await this.#add(claim, { keys: 1, bytes: 0 });
    return claim;
  }

  /** Says that the request is still carried out, or its answer still to be kept. */
  async #renew(claim: Claim): Promise<void> {
    await this.#postgres.db
      .update(idempotencyKeys)
      .set({ claimedAt: new Date(this.#now()) })
      .where(is(claim));
  }

  /** The key is free, and counts no more. Where Postgres cannot be asked, the claim ends by its age. */
  async release(claim: Claim): Promise<void> {
    this.#endRenewal(claim);
    const released = await this.#postgres.db.delete(idempotencyKeys).where(is(claim)).returning();
    if (released.length > 0) await this.#add(claim, { keys: -1, bytes: 0 });
  }

  /**
   * Never rejects: what cannot be kept at once is kept as soon as Postgres takes it, and until then the key stays taken. Without
   * the body where there is no room for it.
   */
  async keep(claim: Claim, answer: KeptAnswer): Promise<void> {
    const end = () => this.#endRenewal(claim);
    const write = () => this.#write(claim, answer);
    try {
      await write();
      end();
    } catch {
      const forADay = { retries: Number.POSITIVE_INFINITY, maxRetryTime: keptMs, ...untilKept };
      void pRetry(write, forADay).then(end, end);
    }
  }

  async #write(claim: Claim, answer: KeptAnswer): Promise<void> {
    const bytes = answer.body?.length ?? 0;
    const held = (await this.#kept()).get(tenantMaker(claim.tenant))?.bytes ?? 0;
    const isKept = bytes <= limits.bytes && held + bytes <= limits.bytesOfTenant;
    const kept = isKept ? { ...answer, bytes } : { ...answer, body: null };
    // An old claim may have been removed meanwhile.
    await this.#postgres.db
      .insert(idempotencyKeys)
      .values({ ...claim, claimedAt: new Date(this.#now()), ...kept })
      .onConflictDoUpdate({ target: idempotencyKeys.keyHash, set: kept, setWhere: is(claim) });
    if (isKept) await this.#add(claim, { keys: 0, bytes });
  }

  #endRenewal({ keyHash }: Claim): void {
    clearInterval(this.#renewals.get(keyHash));
    this.#renewals.delete(keyHash);
  }

  async read(keyHash: string): Promise<typeof idempotencyKeys.$inferSelect | undefined> {
    const [row] = await this.#postgres.db.select().from(idempotencyKeys).where(eq(idempotencyKeys.keyHash, keyHash));
    return row;
  }

  /** What was not counted yet is counted with its row. */
  async #add({ caller, tenant }: Claim, { keys, bytes }: Kept): Promise<void> {
    const kept = await this.#counted?.byMaker.catch(() => undefined);
    if (!kept) return;
    for (const maker of [callerMaker(caller), tenantMaker(tenant)]) {
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

const callerMaker = (caller: string) => `caller ${caller}`;
const tenantMaker = (tenant: string) => `tenant ${tenant}`;
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
    for (const maker of [callerMaker(row.caller), tenantMaker(row.tenant)]) {
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
