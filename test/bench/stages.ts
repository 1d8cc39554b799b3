/**
 * What an event costs at each stage from its request to the settled batch: one stage at a time, nothing beside it, so
 * that CPU time of this process and of ClickHouse can be told apart.
 */
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { eventType } from "../../server/catalog/catalog.ts";
import type { ClickHouse } from "../../server/clickhouse/client.ts";
import { checkEvents, decideEvents } from "../../server/ingest/accept/accept-events.ts";
import { KnownIds } from "../../server/ingest/accept/known-ids.ts";
import { readBody } from "../../server/ingest/accept/read-body.ts";
import { Claims } from "../../server/ingest/accept/recent-ids.ts";
import { renderRequestRecord } from "../../server/ingest/accept/request-record.ts";
import { batchFiles, sealBatch } from "../../server/ingest/flush/seal-batch.ts";
import { storeBatch } from "../../server/ingest/flush/store-batch.ts";
import { createSequence } from "../../server/ingest/log/sequence.ts";
import { type LogPosition, type LogRecord, openWriteAheadLog } from "../../server/ingest/log/write-ahead-log.ts";
import { createLevelMaterializer } from "../../server/rollups/derive-levels.ts";
import { asBody, makeEvents } from "./made-events.ts";

export interface StageCost {
  stage: string;
  /** µs per event. */
  wall: number;
  node: number;
  clickhouse: number;
}

const eventsPerRequest = 1_000;
const sendingKey = { id: "key_bench", node: "all", createOrganizations: true };
const tree = {
  get: () => ({}),
  ancestors: () => [],
  isWithin: () => true,
  effectiveStatus: () => "active",
  pathAt: () => ({ partner: "", reseller: "r1" }),
};
/** The unit of the kernel's accounting in /proc, on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** CPU time of a process in µs, all threads. */
export function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1_000_000) / ticksPerSecond;
}

/** Takes `batches` batches of `batchEvents` through every stage; the first of them warms up and is not counted. */
export async function measureStages(
  clickhouse: ClickHouse,
  clickhousePid: number,
  batches: number,
  batchEvents: number,
): Promise<StageCost[]> {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-stages-"));
  const costs = new Map<string, StageCost>();
  async function measure<Result>(stage: string, work: () => Result | Promise<Result>): Promise<Result> {
    const before = { wall: performance.now(), node: process.cpuUsage(), clickhouse: cpuOf(clickhousePid) };
    try {
      return await work();
    } finally {
      const { user, system } = process.cpuUsage(before.node);
      const cost = costs.get(stage) ?? { stage, wall: 0, node: 0, clickhouse: 0 };
      cost.wall += (performance.now() - before.wall) * 1000;
      cost.node += user + system;
      cost.clickhouse += cpuOf(clickhousePid) - before.clickhouse;
      costs.set(stage, cost);
    }
  }
  try {
    await mkdir(join(folder, "log"));
    const log = await openWriteAheadLog({
      directory: join(folder, "log"),
      maxBytes: 2 ** 32,
      onFatal: (error) => {
        throw error;
      },
    });
    const knownIds = new KnownIds({ lookupStored: async () => new Map() });
    await knownIds.fillFromStorage((async function* () {})());
    const files = batchFiles(folder);
    const sequence = createSequence(0);
    const context = {
      clickhouse,
      files,
      sequence,
      log: pino({ level: "silent" }),
      signal: new AbortController().signal,
    };
    // Deriving is one stage to its caller; its statements show which part of it they are.
    const slots: StageCost = { stage: "derive slots", wall: 0, node: 0, clickhouse: 0 };
    const materializer = createLevelMaterializer({
      clickhouse: {
        ...clickhouse,
        async command(sql, params, settings) {
          if (!sql.includes("INSERT INTO level_slots")) return await clickhouse.command(sql, params, settings);
          return await measure(slots.stage, () => clickhouse.command(sql, params, settings));
        },
      },
      nextVersion: () => sequence.next(),
      // Later than every epoch that a service began on this database.
      currentEpoch: () => ({ number: Number.MAX_SAFE_INTEGER, leftSince: undefined }),
    });
    const headers = new Headers({ "content-type": "application/x-ndjson" });
    let cursor: LogPosition | null = null;
    for (let batch = -1; batch < batches; batch++) {
      if (batch === 0) costs.clear();
      for (let request = 0; request < batchEvents / eventsPerRequest; request++) {
        const body = asBody(makeEvents(eventsPerRequest));
        const read = await measure("parse", () =>
          readBody(body, { type: "application/x-ndjson", encoding: "identity" }, headers),
        );
        const receivedAtMs = Date.now();
        const checked = await measure("gate", () => checkEvents(read, receivedAtMs, eventType));
        const claims = new Claims();
        const decision = await measure("evaluate", () => {
          checked.readable.filter((event) => knownIds.mustAsk(event));
          return decideEvents(read, checked, {
            receivedAtMs,
            isAtomic: false,
            sendingKey,
            tree,
            claim: (event) => knownIds.claim(event, undefined, claims),
          });
        });
        claims.logged(
          await measure("log", () =>
            log.append(
              renderRequestRecord({ receivedAtMs, events: decision.eventRows, quarantined: [], outcomes: [] }),
            ),
          ),
        );
      }
      const sealed = await measure("seal", async () => {
        const records: LogRecord[] = [];
        for await (const record of log.read(cursor)) records.push(record);
        const made = await sealBatch(records, cursor, sequence.next(), async () => new Map());
        await files.writeManifest(made.manifest);
        return made;
      });
      cursor = sealed.manifest.to;
      await measure("store, with its views", () => storeBatch(context, sealed, false));
      const batches = Promise.resolve([sealed.manifest.batch]);
      const derivable = { lines: sealed.rows.bytes(0, sealed.rows.length), stored: batches };
      await measure("derive sessions", () => materializer.deriveEvents(derivable, Date.now()));
      await measure("settle", async () => {
        const newest = sequence.next();
        await files.writeProgress({ settled: sealed.manifest.to, sequence: newest, unfinishedSince: newest });
        await files.removeManifest(sealed.manifest.batch);
        knownIds.settledThrough(sealed.manifest.to);
        await log.removeBefore(sealed.manifest.to);
      });
    }
    await log.close();
    const derive = costs.get("derive sessions");
    const derivedSlots = costs.get("derive slots");
    if (derive && derivedSlots)
      for (const part of ["wall", "node", "clickhouse"] as const) derive[part] -= derivedSlots[part];
    const events = batches * batchEvents;
    return [...costs.values()].map(({ stage, wall, node, clickhouse: server }) => ({
      stage,
      wall: wall / events,
      node: node / events,
      clickhouse: server / events,
    }));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
