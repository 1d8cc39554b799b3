/** The checks of /readyz: for each thing the roles that cannot do without it, and the cost of its absence. */

import type { ClickHouse } from "../clickhouse/client.ts";
import type { RunningCluster } from "../cluster/run-node.ts";
import type { Check } from "../health/readiness.ts";
import type { StalledWatermark } from "../health/stalled-watermark.ts";
import type { Keys } from "../identity/keys.ts";
import type { Ingest } from "../ingest/flush/start-ingest.ts";
import type { Postgres } from "../postgres/client.ts";

export interface HealthDeps {
  stalled: Pick<StalledWatermark, "isStalled">;
  /** Covers only what this process has taken; absent where it takes no events. */
  stalledHere?: Pick<StalledWatermark, "isStalled"> | undefined;
  /** Absent where there is none. */
  redis: { readonly status: string } | undefined;
  isStopping: () => boolean;
}

interface Checked {
  clickhouse: ClickHouse;
  postgres: Postgres;
  keys: Keys;
  ingest: Ingest | undefined;
  cluster?: { cluster: RunningCluster } | undefined;
}

export function readinessChecks(
  { clickhouse, postgres, keys, ingest, cluster }: Checked,
  { stalled, stalledHere, redis }: HealthDeps,
): Record<string, Check> {
  const askPostgres = async () => {
    await postgres.pool.query("SELECT 1");
  };
  const askClickHouse = () => clickhouse.ping();
  /** What an outage holds up is the outage's, and said with it: events are still taken. */
  const isStoreAway = async () =>
    (await Promise.allSettled([askClickHouse(), askPostgres()])).some(({ status }) => status === "rejected");
  return {
    clickhouse: {
      probe: askClickHouse,
      neededBy: ["api", "worker"],
      costs: "queries are refused; events are accepted until the log is full",
    },
    postgres: {
      probe: askPostgres,
      neededBy: ["api", "worker"],
      costs: "nothing can be changed and nobody can sign in; known keys keep sending events for an hour",
    },
    ...(redis && {
      redis: {
        probe: async () => {
          if (redis.status !== "ready") throw new Error("cannot be reached");
        },
        neededBy: ["api", "worker"] as const,
        costs: "live data is not shared between processes, jobs stop, and rate limits apply per process",
      },
    }),
    watermark: {
      async probe() {
        if (!stalled.isStalled) return undefined;
        if (ingest && (await isStoreAway())) return "paused until the databases are back";
        throw new Error(`paused${because(cluster?.cluster.trouble())}`);
      },
      neededBy: ["api"],
      costs: "queries do not show events accepted since then",
    },
    ...(stalledHere && {
      storing: {
        async probe() {
          if (!stalledHere.isStalled) return undefined;
          if (await isStoreAway()) return "paused until the databases are back";
          throw new Error("events accepted by this process are not being stored");
        },
        neededBy: ["ingest"] as const,
        costs: "events accepted here wait in the log, and queries do not show them",
      },
    }),
    ...(ingest && {
      log: {
        probe: async () => {
          if (ingest.admission.isOverloaded) throw new Error("too many events are waiting to be stored");
        },
        neededBy: ["ingest"] as const,
        costs: "events are refused until some of them are stored",
      },
      keys: {
        probe: async () => {
          if (!keys.isTrusted) throw new Error("could not be checked for too long");
        },
        neededBy: ["ingest"] as const,
        costs: "no events are accepted",
      },
    }),
    ...(cluster && {
      nodes: {
        probe: async () => {
          const trouble = cluster.cluster.trouble();
          if (trouble) throw new Error(trouble);
        },
        neededBy: [],
        costs: "events of organizations that belong to them wait here, and queries do not show them yet",
      },
    }),
  };
}

const because = (reason: string | undefined) => (reason === undefined ? "" : `: ${reason}`);
