/** The checks of /readyz: for each thing the roles that cannot do without it, and the cost of its absence. */

import type { ClickHouse } from "../clickhouse/client.ts";
import type { RunningCluster } from "../cluster/start-cluster.ts";
import type { Check } from "../health/readiness.ts";
import type { StalledWatermark } from "../health/stalled-watermark.ts";
import type { Keys } from "../identity/keys.ts";
import type { Ingest } from "../ingest/flush/start-ingest.ts";
import type { Postgres } from "../postgres/client.ts";

export interface HealthDeps {
  stalled: Pick<StalledWatermark, "isStalled">;
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
  { stalled, redis }: HealthDeps,
): Record<string, Check> {
  const askPostgres = async () => {
    await postgres.pool.query("SELECT 1");
  };
  const askClickHouse = () => clickhouse.ping();
  return {
    clickhouse: {
      probe: askClickHouse,
      neededBy: ["api", "worker"],
      costs: "questions are refused; events are taken into the log until it is full",
    },
    postgres: {
      probe: askPostgres,
      neededBy: ["api", "worker"],
      costs: "nothing can be changed and nobody can sign in; known keys go on sending events for an hour",
    },
    ...(redis && {
      redis: {
        probe: async () => {
          if (redis.status !== "ready") throw new Error("cannot be reached");
        },
        neededBy: ["api", "worker"] as const,
        costs: "live figures are not pushed between processes, jobs do not run, and limits hold for each process alone",
      },
    }),
    watermark: {
      async probe() {
        if (!stalled.isStalled) return undefined;
        // A store that is away is reported by its own check: events are still accepted.
        const outages = await Promise.allSettled([askClickHouse(), askPostgres()]);
        if (ingest && outages.some(({ status }) => status === "rejected"))
          return "stands still until the stores are back";
        throw new Error(`stands still${because(cluster?.cluster.trouble())}`);
      },
      neededBy: ["ingest", "api"],
      costs: "figures do not have what was taken since",
    },
    ...(ingest && {
      log: {
        probe: async () => {
          if (ingest.admission.isOverloaded) throw new Error("more is waiting to be stored than can be taken now");
        },
        neededBy: ["ingest"] as const,
        costs: "events are refused until some of it is stored",
      },
      keys: {
        probe: async () => {
          if (!keys.isTrusted) throw new Error("they could not be checked for too long");
        },
        neededBy: ["ingest"] as const,
        costs: "nobody's events are taken",
      },
    }),
    ...(cluster && {
      nodes: {
        probe: async () => {
          const trouble = cluster.cluster.trouble();
          if (trouble) throw new Error(trouble);
        },
        neededBy: [],
        costs: "events of organizations that are theirs wait here, and figures do not have them yet",
      },
    }),
  };
}

const because = (reason: string | undefined) => (reason === undefined ? "" : `: ${reason}`);
