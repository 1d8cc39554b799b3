/** The whole ingest in this process, with a real log and a real ClickHouse database of its own, and a small account tree. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pino } from "pino";
import { eventType, meterByName } from "../../server/catalog/catalog.ts";
import type { Filter } from "../../server/catalog/filters.ts";
import type { Meter } from "../../server/catalog/meter.ts";
import type { ClickHouse } from "../../server/clickhouse/client.ts";
import type { UsageEvent, Verdict } from "../../server/contract/events.ts";
import type { MeterUsage, UsageQuery } from "../../server/contract/usage.ts";
import { acceptRequest } from "../../server/ingest/accept/accept-request.ts";
import { type Ingest, type IngestOptions, startIngest } from "../../server/ingest/flush/start-ingest.ts";
import { answerUsage } from "../../server/metrics/usage.ts";
import { resolveInstant } from "../../server/metrics/windows.ts";
import { rootKey, SmallTree } from "./accepting.ts";
import { type OwnClickHouse, ownClickHouse } from "./stores.ts";

export interface Ingesting extends Ingest {
  store: OwnClickHouse;
  tree: SmallTree;
  /** Sends events as one request; resolves when they can be queried. */
  send(events: readonly Partial<UsageEvent>[]): Promise<Omit<Verdict, "watermark">>;
  /** Asks as GET /v1/usage does; `nowMs` defaults to the real time. */
  usage(
    query: Partial<UsageQuery> & {
      meter: string;
      from: string;
      to: string;
      filters?: readonly Filter[];
      meters?: readonly Meter[];
    },
    nowMs?: number,
  ): Promise<MeterUsage[]>;
  /** Ends the ingest, and removes its log and its database. */
  close(): Promise<void>;
}

/** `through`: what the ingest has for its ClickHouse. */
export async function startIngesting({
  through = (clickhouse) => clickhouse,
  ...options
}: Pick<IngestOptions, "listener" | "maxHeldIntervals"> & {
  through?: (clickhouse: ClickHouse) => ClickHouse;
} = {}): Promise<Ingesting> {
  const store = await ownClickHouse();
  const dataDir = await mkdtemp(join(tmpdir(), "tidemark-ingest-"));
  const tree = new SmallTree();
  const ingest = await startIngest({
    dataDir,
    walMaxBytes: 1e9,
    eventsPerSecond: 1e6,
    clickhouse: through(store.clickhouse),
    placementsWithin: (organization, fromMs, toMs) => tree.placementsWithin(organization, fromMs, toMs),
    announce: () => undefined,
    onFatal: (error) => {
      throw error;
    },
    logger: pino({ level: "error" }),
    ...options,
  });
  return {
    ...ingest,
    store,
    tree,
    async send(events) {
      const body = Readable.from([Buffer.from(JSON.stringify(events))]);
      const { decision, position } = await acceptRequest(
        { ...ingest, tree, eventType, now: Date.now },
        { headers: new Headers({ "content-type": "application/json" }), body, sendingKey: rootKey, isAtomic: false },
      );
      if (position) await ingest.flush.whenStored(position);
      return {
        accepted: decision.accepted,
        duplicates: decision.duplicates,
        rejected: decision.rejected,
        warnings: decision.warnings,
      };
    },
    async usage(query, nowMs = Date.now()) {
      const { meter, node = "all", from, to, window = "day", tz = "UTC", fill = "zero" } = query;
      const { filters = [], group_by, limit = 100 } = query;
      const named = () =>
        meter.split(",").map((name) => {
          const found = meterByName(name);
          if (!found) throw new Error(`no meter ${name}`);
          return found;
        });
      const meters = query.meters ?? named();
      const [fromMs, toMs] = [resolveInstant(from, tz, nowMs), resolveInstant(to, tz, nowMs)];
      const groupBy = group_by === undefined ? undefined : { dimension: group_by, limit };
      const question = { meters, node, fromMs, toMs, window, anchor: 1, tz, fill, filters, groupBy };
      return (await answerUsage(store.clickhouse, question, new Date(nowMs), nowMs)).meters;
    },
    async close() {
      await ingest.stop(5_000);
      await store.drop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
