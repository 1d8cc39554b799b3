/**
 * The outbox in Postgres: who sends what, and how it ended. A claim lasts while its sender renews it; what a process that
 * died had claimed is taken by others soon after, under the same id.
 */
import { randomUUID } from "node:crypto";
import { and, count, eq, sql } from "drizzle-orm";
import type { Postgres, Queries } from "../postgres/client.ts";
import { countAlone } from "../postgres/count-alone.ts";
import { lockedRow } from "../postgres/locked-row.ts";
import { deliveries, deliveryAttempts } from "../postgres/schema/delivery.ts";
import { ProblemError } from "../problem.ts";
import { deliveriesNotice } from "./enqueue.ts";

export type DeliveryRow = typeof deliveries.$inferSelect;

/** How one attempt ended. `again`: to be tried again; `never`: trying again would not help. */
export interface Outcome {
  result: "sent" | "again" | "never";
  /** The answer's status, of HTTP or SMTP. */
  status: number | null;
  excerpt: string;
  /** It is never sent because somebody chose so; nothing failed. */
  isChosen?: boolean;
}

export interface Attempt extends Outcome {
  at: Date;
  ms: number;
}

/** A claim is renewed well before it ends. */
const claimSeconds = 30;
export const renewEveryMs = 10_000;
/** At most this many at once for one receiver, so that a slow one holds up nobody else's messages. */
const perReceiver = 4;
/** At most this many at once for a receiver that took more than `slowMs` this many times in a row. */
const perSlowReceiver = 1;
const slowTimes = 3;
const slowMs = 5_000;
/** A folder that hangs keeps threads of the process, which has four for all files, the log's among them. */
const perBucket = 2;
/** And for one tenant while others wait, so that all its receivers together hold up nobody else's either. */
const perTenant = 8;
/** The operator's bucket is one, whichever schedule's files are put there. */
const receiver = "coalesce(channel, CASE WHEN deliveries.kind = 'bucket' THEN deliveries.kind ELSE list END)";

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
/** The pause after each attempt but the last: 8 attempts within 24 hours. */
const pausesMs = [5 * second, 2 * minute, 15 * minute, hour, 3 * hour, 7 * hour, 12 * hour];
/** A pause is up to so much shorter, so that what failed together does not come back together. */
const jitter = 0.2;

/** How long to wait after this many failed attempts; undefined where there are no more. `random`: from 0 to 1. */
export function pauseAfter(tries: number, random: number): number | undefined {
  const pauseMs = pausesMs[tries - 1];
  return pauseMs === undefined ? undefined : Math.round(pauseMs * (1 - jitter * random));
}

/**
 * Takes up to `room` deliveries that are due and that nobody else sends: the service's own first, then those of the tenants with
 * the fewest under way, for each tenant the longest due first; a tenant that waits alone gets all the room. `beyond`: how many
 * more it takes of tenants that have none.
 */
export async function claimDue({ pool }: Pick<Postgres, "pool">, room: number, beyond = 0): Promise<DeliveryRow[]> {
  const claim = randomUUID();
  const { rows } = await pool.query<{ id: string }>(
    `WITH waiting AS (
       SELECT deliveries.id, due_at, position, is_system, coalesce(tenant, about_node) AS tenant, ${receiver} AS receiver,
         coalesce(claimed_until >= now(), false) AS is_sending,
         CASE WHEN deliveries.kind = 'bucket' THEN $5::int WHEN slow_in_row >= $7::int THEN $8::int ELSE $1::int END AS places
       FROM deliveries LEFT JOIN channels ON channels.id = channel
       WHERE due_at IS NOT NULL AND (due_at <= now() OR claimed_until >= now())
     ), at_receivers AS (
       SELECT *, count(*) FILTER (WHERE is_sending) OVER (PARTITION BY tenant) AS sending_of_tenant,
         count(*) FILTER (WHERE is_sending) OVER (PARTITION BY receiver)
           + row_number() OVER (PARTITION BY receiver, is_sending ORDER BY is_system DESC, due_at, position) AS place
       FROM waiting
     ), of_tenants AS (
       SELECT id, due_at, position, is_system,
         sending_of_tenant + row_number() OVER (PARTITION BY tenant ORDER BY is_system DESC, due_at, position) AS turn,
         min(tenant) OVER () = max(tenant) OVER () AS is_alone
       FROM at_receivers WHERE NOT is_sending AND place <= places
     ), candidates AS (
       SELECT id, is_system OR turn = 1 AS is_first, row_number() OVER (ORDER BY is_system DESC, turn, due_at, position) AS rank
       FROM of_tenants WHERE is_system OR is_alone OR turn <= $6::int
     ), taken AS (
       SELECT id FROM deliveries
       WHERE id IN (SELECT id FROM candidates WHERE rank <= $2::int OR (is_first AND rank <= $2::int + $9::int))
         AND due_at <= now() AND (claimed_until IS NULL OR claimed_until < now())
       FOR UPDATE SKIP LOCKED
     )
     UPDATE deliveries SET claim = $3, claimed_until = now() + make_interval(secs => $4)
     FROM taken WHERE deliveries.id = taken.id RETURNING deliveries.id`,
    [perReceiver, room, claim, claimSeconds, perBucket, perTenant, slowTimes, perSlowReceiver, beyond],
  );
  return rows.length === 0 ? [] : await readClaimed(pool, claim);
}

/** How long a channel's receiver took for an attempt: one that is slow again and again has one place, until it answers soon. */
export async function notePace({ pool }: Pick<Postgres, "pool">, channel: string, ms: number): Promise<void> {
  await pool.query(
    `UPDATE channels SET slow_in_row = CASE WHEN $2 THEN least(slow_in_row + 1, $3::int) ELSE 0 END
     WHERE id = $1 AND kind IN ('webhook', 'slack') AND ($2 OR slow_in_row > 0)`,
    [channel, ms >= slowMs, slowTimes],
  );
}

async function readClaimed(pool: Postgres["pool"], claim: string): Promise<DeliveryRow[]> {
  const { rows } = await pool.query<DeliveryRow>(
    `SELECT id, position::float8 AS position, type, node, about_node AS "aboutNode", tenant, is_system AS "isSystem", channel, kind, "to", list, alert, alerts, message,
       once, state, tries, due_at AS "dueAt", claim, claimed_until AS "claimedUntil", created_at AS "createdAt", sent_at AS "sentAt",
       given_up_at AS "givenUpAt"
     FROM deliveries WHERE claim = $1 ORDER BY position`,
    [claim],
  );
  return rows;
}

/** Renews claims while their sender lives. */
export async function renewClaims({ pool }: Pick<Postgres, "pool">, claimed: readonly DeliveryRow[]): Promise<void> {
  await pool.query(
    `UPDATE deliveries SET claimed_until = now() + make_interval(secs => $3)
     FROM unnest($1::text[], $2::text[]) AS mine (id, claim) WHERE deliveries.id = mine.id AND deliveries.claim = mine.claim`,
    [claimed.map(({ id }) => id), claimed.map(({ claim }) => claim), claimSeconds],
  );
}

/**
 * Records the attempt and what follows from it. A success counts whoever has claimed the delivery by now; a failure counts
 * only while the sender still has the claim.
 */
export async function noteAttempt(
  tx: Queries,
  { id, claim }: DeliveryRow,
  { at, ms, status, excerpt, result, isChosen = false }: Attempt,
  random: number = Math.random(),
): Promise<void> {
  const [current] = await tx.select().from(deliveries).where(eq(deliveries.id, id)).for("update");
  // It may have grown too old to be kept.
  if (!current) return;
  await tx.insert(deliveryAttempts).values({ delivery: id, at, status, ms, excerpt });
  const free = { claim: null, claimedUntil: null };
  if (result === "sent")
    await tx
      .update(deliveries)
      .set({ ...free, state: "sent", dueAt: null, sentAt: sql`now()` })
      .where(eq(deliveries.id, id));
  else if (current.claim === claim && current.state !== "given_up") {
    const tries = current.tries + 1;
    const pauseMs = result === "again" ? pauseAfter(tries, random) : undefined;
    const next =
      pauseMs === undefined
        ? { state: "given_up" as const, dueAt: null, ...(!isChosen && { givenUpAt: sql`now()` }) }
        : { state: "failed" as const, dueAt: sql`now() + make_interval(secs => ${pauseMs / 1000})` };
    await tx
      .update(deliveries)
      .set({ ...free, ...next, tries })
      .where(eq(deliveries.id, id));
  }
}

/** What an `ETag` of a delivery is made of: how it stands, and after how many attempts. */
export const stateOfDelivery = ({ id, state, tries }: DeliveryRow): object => ({ id, state, tries });

/** What is sent again reaches people who may not have asked for it. */
const attemptsPerHour = 20;

/**
 * Once more from the beginning, under the same id; one that is being sent now is left alone. Throws ProblemError too_fast where it
 * was tried too often within the hour; `check` throws where its state is not what the caller saw.
 */
export async function resend(tx: Queries, id: string, check: (current: unknown) => void): Promise<void> {
  check(stateOfDelivery(await lockedRow(tx, deliveries, id, "delivery")));
  const recent = sql`${deliveryAttempts.delivery} = ${id} AND ${deliveryAttempts.at} > now() - interval '1 hour'`;
  await countAlone(tx, `attempts of ${id}`);
  const [tried] = await tx.select({ times: count() }).from(deliveryAttempts).where(recent);
  if ((tried?.times ?? 0) >= attemptsPerHour)
    throw new ProblemError("too_fast", `a delivery can be sent again at most ${attemptsPerHour} times an hour`, {
      retryAfterSeconds: 3_600,
    });
  await tx
    .update(deliveries)
    .set({ state: "waiting", tries: 0, dueAt: sql`now()`, sentAt: null, givenUpAt: null })
    .where(and(eq(deliveries.id, id), sql`(${deliveries.claimedUntil} IS NULL OR ${deliveries.claimedUntil} < now())`));
  await tx.execute(sql`SELECT pg_notify(${deliveriesNotice}, '')`);
}

/** In how many ms the next one is due that nobody sends; undefined where none waits. */
export async function nextDueMs({ pool }: Pick<Postgres, "pool">): Promise<number | undefined> {
  const { rows } = await pool.query<{ ms: number | null }>(
    `SELECT (extract(epoch FROM min(greatest(due_at, claimed_until)) - now()) * 1000)::float8 AS ms
     FROM deliveries WHERE due_at IS NOT NULL`,
  );
  return rows[0]?.ms ?? undefined;
}

/** Counts all deliveries that the log still has. */
export async function countByState({ pool }: Pick<Postgres, "pool">): Promise<{ state: string; count: number }[]> {
  const { rows } = await pool.query<{ state: string; count: number }>(
    "SELECT state, count(*)::int AS count FROM deliveries GROUP BY state",
  );
  return rows;
}

const keptDays = 90;
const prunedAtOnce = 5_000;

/** Removes deliveries that are done with since 90 days, and files that no mail has any more. */
export async function pruneDeliveries({ pool }: Pick<Postgres, "pool">): Promise<void> {
  for (;;) {
    const { rowCount } = await pool.query(
      `DELETE FROM deliveries WHERE id IN (
         SELECT id FROM deliveries WHERE due_at IS NULL AND created_at < now() - make_interval(days => $1) LIMIT $2)`,
      [keptDays, prunedAtOnce],
    );
    if ((rowCount ?? 0) < prunedAtOnce) break;
  }
  await pool.query(
    `DELETE FROM attachments WHERE created_at < now() - interval '1 day' AND sha256 NOT IN (
       SELECT file ->> 'sha256' FROM deliveries, json_array_elements(message -> 'attachments') AS file
       WHERE type = 'report')`,
  );
}
