/**
 * The claim of an ingest process on its stores, kept in Postgres; `evaluate-claim.ts` says who gets it. A process alone sends
 * a heartbeat every two seconds, and ends when its place was given to another: from then on nothing that it does
 * counts. ClickHouse keeps the name of the installation, so that no other Postgres' processes store into it.
 */
import { createHmac, randomUUID } from "node:crypto";
import { and, eq, isNull, sql } from "drizzle-orm";
import type { Logger } from "pino";
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery, defineStatement } from "../clickhouse/define-query.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { ingestNodes, ingestStores } from "../postgres/schema/ingest-nodes.ts";
import { type ClaimVerdict, evaluateSingle, type IngestProcess, type KnownStores } from "./evaluate-claim.ts";

/** The process may not ingest into these stores; the message says why, and what to do. */
export class ClaimRefusedError extends Error {
  override name = "ClaimRefusedError";
}

/** A process whose last heartbeat is older is taken to be over, or cut off. */
export const aliveMs = 3_000;
const singleAliveMs = 6_000;
const heartbeatEveryMs = 2_000;
/** How long another process that still sends heartbeats may take to end, as it does where one is replaced. */
const patienceMs = 10_000;
const askAgainMs = 500;

const noParams = z.object({});
const readInstallation = defineQuery("installation", noParams, z.object({ installation: z.string() }));
const insertInstallation = defineStatement("insert_installation", z.object({ installation: z.string() }));

/** Logged by a process that ends before everything that it acknowledged is stored. */
export const notAllStored =
  "some acknowledged events are not stored yet; they are in the data folder and will be stored when this process is started again";

/** Proves a secret without revealing it, so that two secrets can be compared. */
export function proofOfSecret(secret: string): string {
  return createHmac("sha256", secret).update("tidemark ingest cluster").digest("hex");
}

/**
 * Makes sure that Postgres and ClickHouse are one installation's; run it in one process at a time. `adopted`: the
 * installation whose ClickHouse a new Postgres takes over, when its own is lost. Throws ClaimRefusedError.
 */
export async function claimClickHouse(
  postgres: Postgres,
  clickhouse: ClickHouse,
  adopted: string | undefined,
): Promise<void> {
  const { installation } = await postgres.transaction((tx) => lockStores(tx));
  const [stored] = await readInstallation(clickhouse, {});
  if (!stored) {
    await insertInstallation(clickhouse, { installation });
    const [first] = await readInstallation(clickhouse, {});
    if (first?.installation === installation) return;
  } else if (stored.installation === installation) return;
  else if (stored.installation === adopted) {
    await postgres.db.update(ingestStores).set({ installation: adopted });
    return;
  }
  const theirs = stored?.installation ?? "another one";
  throw new ClaimRefusedError(
    `This ClickHouse holds the events of the installation ${theirs}, whose accounts are in another Postgres than DATABASE_URL names ` +
      `(its installation is ${installation}). Use the Postgres that belongs to it, or another database of ClickHouse. ` +
      `If that Postgres is lost and no process uses it any more, set TIDEMARK_INSTALLATION=${theirs} once to continue with this one.`,
  );
}

/** The facts that decide the claim, with the row locked until the transaction ends. */
export async function knownStores(tx: Queries): Promise<KnownStores> {
  const row = await lockStores(tx);
  const silentMs = (instant: unknown) => sql<number>`extract(epoch FROM now() - ${instant}) * 1000`;
  const nodes = await tx.select({ row: ingestNodes, silentMs: silentMs(ingestNodes.heartbeatAt) }).from(ingestNodes);
  const single = row.mode === "single" && row.node !== null;
  return {
    mode: row.mode,
    secretProof: row.secretProof,
    single: single
      ? {
          name: row.node ?? "",
          folder: row.folder ?? "",
          host: row.host ?? "",
          process: row.process ?? "",
          isAlive: row.silentMs < singleAliveMs,
        }
      : undefined,
    nodes: nodes.map(({ row, silentMs }) => ({
      name: row.name,
      folder: row.folder,
      host: row.host,
      process: row.process,
      url: row.url,
      hasLeft: row.leftAt !== null,
      isAlive: row.leftAt === null && Number(silentMs) < aliveMs,
    })),
  };
}

/** Up to when everything is visible that a process alone acknowledged before these stores became a cluster's. */
export async function watermarkOfSingle(tx: Queries): Promise<Date | undefined> {
  const [row] = await tx.select().from(ingestStores);
  return row?.mode === "single" ? (row.watermark ?? new Date(0)) : undefined;
}

async function lockStores(tx: Queries): Promise<typeof ingestStores.$inferSelect & { silentMs: number }> {
  // A version that kept no claims may have left a cluster.
  const [present] = await tx.select({ name: ingestNodes.name }).from(ingestNodes).where(isNull(ingestNodes.leftAt));
  await tx
    .insert(ingestStores)
    .values({ only: 1, installation: randomUUID(), mode: present ? "cluster" : "none" })
    .onConflictDoNothing();
  const silentMs = sql<number>`extract(epoch FROM now() - ${ingestStores.heartbeatAt}) * 1000`;
  const [found] = await tx.select({ row: ingestStores, silentMs }).from(ingestStores).for("update");
  if (!found) throw new Error("the row of the ingest's stores is missing");
  return { ...found.row, silentMs: Number(found.silentMs ?? Number.POSITIVE_INFINITY) };
}

/** Runs `claim` until it is granted what it asks for. Throws ClaimRefusedError. */
export async function untilGranted<Claimed>(
  claim: () => Promise<{ verdict: ClaimVerdict; claimed?: Claimed }>,
  log: Pick<Logger, "warn">,
): Promise<Claimed> {
  let hasWaited = false;
  for (const untilMs = Date.now() + patienceMs; ; await new Promise((resolve) => setTimeout(resolve, askAgainMs))) {
    const { verdict, claimed } = await claim();
    if (verdict.kind === "granted") return claimed as Claimed;
    if (verdict.kind === "refused" || Date.now() > untilMs) throw new ClaimRefusedError(verdict.reason);
    if (!hasWaited) log.warn(`waiting for another process to stop: ${verdict.reason}`);
    hasWaited = true;
  }
}

interface SingleHandlers {
  watermark: () => Date;
  /** How full the log is, from 0 to 1. */
  backlogShare: () => number;
  whileHeld: () => Promise<void>;
  onLost: (error: Error) => void;
}

export interface SingleClaim {
  /** Begins to send heartbeats. `onLost` is called once when the place is another's. */
  run(handlers: SingleHandlers): void;
  /** `isEmpty`: everything that was acknowledged is stored, so whoever comes next may take the stores. */
  release(isEmpty: boolean): Promise<void>;
}

/** Takes the stores for one process alone. Throws ClaimRefusedError. */
export async function claimAlone(
  postgres: Postgres,
  mine: IngestProcess,
  log: Pick<Logger, "warn" | "error">,
): Promise<SingleClaim> {
  const { lostNode: _, name: node, ...process } = mine;
  await untilGranted(async () => {
    return await postgres.transaction(async (tx) => {
      const verdict = evaluateSingle(mine, await knownStores(tx));
      if (verdict.kind === "granted")
        await tx
          .update(ingestStores)
          .set({ mode: "single", secretProof: null, node, ...process, heartbeatAt: sql`now()` });
      return { verdict };
    });
  }, log);
  const isMine = and(eq(ingestStores.mode, "single"), eq(ingestStores.process, mine.process));
  let timer: NodeJS.Timeout | undefined;
  let beating: Promise<void> = Promise.resolve();
  let isReleased = false;

  return {
    run({ watermark, backlogShare, whileHeld, onLost }) {
      async function sendHeartbeat(): Promise<void> {
        const held = await postgres.db
          .update(ingestStores)
          .set({ heartbeatAt: sql`now()`, watermark: watermark(), backlogShare: backlogShare() })
          .where(isMine)
          .returning({ only: ingestStores.only });
        if (isReleased) return;
        if (held.length > 0) return await whileHeld();
        isReleased = true;
        onLost(new ClaimRefusedError(`These stores were given to another ingest process, so ${mine.name} stops.`));
      }
      const beatAgain = () => {
        timer = setTimeout(() => {
          beating = sendHeartbeat()
            .catch((err: unknown) => log.warn({ err }, "the claim on the stores could not be renewed, trying again"))
            .then(() => (isReleased ? undefined : beatAgain()));
        }, heartbeatEveryMs);
      };
      beatAgain();
    },
    async release(isEmpty) {
      isReleased = true;
      clearTimeout(timer);
      await beating;
      if (!isEmpty) log.error(notAllStored);
      await postgres.db
        .update(ingestStores)
        .set(isEmpty ? { mode: "none", node: null, folder: null, process: null } : { heartbeatAt: new Date(0) })
        .where(isMine);
    },
  };
}
