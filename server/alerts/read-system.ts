/** The health of the service, as rules about the system see it. Each reading is taken on its own: an outage of one store hides no other. */

import { count, gt } from "drizzle-orm";
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { dayMs, hourMs } from "../contract/durations.ts";
import type { ConditionOf, SystemCondition } from "../contract/rules.ts";
import type { Postgres } from "../postgres/client.ts";
import { deliveries } from "../postgres/schema/delivery.ts";
import { reconciliations } from "../postgres/schema/reconciliation.ts";
import type { Finding } from "./finding.ts";
import type { Reading } from "./next-state.ts";
import { numberText } from "./wording.ts";

export interface SystemSource {
  clickhouse: ClickHouse;
  postgres: Postgres;
  watermark: () => Date;
  /** How full the fullest log is, from 0 to 1, in whichever process; undefined where none ingests. */
  backlogShare: () => Promise<number | undefined>;
  /** The jobs whose last run failed, in whichever process. */
  failedJobs: () => Promise<readonly string[]>;
}

const recentQuarantined = defineQuery(
  "recent_quarantined",
  z.object({ from_ms: z.number() }),
  z.object({ events: numberColumn }),
);

const lagMs = 60_000;
const fullShare = 0.5;
const quarantineMs = 15 * 60_000;
const driftMs = hourMs;
const givenUpMs = dayMs;

interface Found {
  finding: Reading["finding"];
  value?: string;
  explanation: string;
}

/** One finding for each thing that the rule is about. `nowMs`: ms since 1970, UTC, by the clock, since the watermark may be what stalls. */
export async function readSystem(
  source: SystemSource,
  { on }: ConditionOf<"system">,
  nowMs: number,
): Promise<Finding[]> {
  return await Promise.all(
    on.map(async (condition): Promise<Finding> => {
      const found = await readers[condition](source, nowMs).catch(
        (): Found => ({ finding: "unknown", explanation: "This cannot be read right now." }),
      );
      return { node: "all", subject: condition, once: null, ...found };
    }),
  );
}

const found = (holds: boolean, explanation: string, value?: number): Found => ({
  finding: holds ? "holds" : "clears",
  explanation,
  ...(value !== undefined && { value: String(value) }),
});

const readers: Readonly<Record<SystemCondition, (source: SystemSource, nowMs: number) => Promise<Found>>> = {
  async ingest_lag({ watermark }, nowMs) {
    const seconds = Math.max(0, Math.round((nowMs - watermark().getTime()) / 1000));
    return found(seconds * 1000 > lagMs, `Accepted events can be queried after ${seconds} s.`, seconds);
  },
  async backlog({ backlogShare }) {
    const share = await backlogShare();
    if (share === undefined) return { finding: "unknown", explanation: "No process is accepting events." };
    return found(
      share > fullShare,
      `${(100 * share).toFixed(0)}% of the space for events waiting to be stored is in use.`,
      share,
    );
  },
  async quarantine({ clickhouse }, nowMs) {
    const [row] = await recentQuarantined(clickhouse, { from_ms: nowMs - quarantineMs });
    const events = row?.events ?? 0;
    return found(
      events > 0,
      `${events === 1 ? "1 event was" : `${numberText(events)} events were`} put in quarantine in the last 15 minutes.`,
      events,
    );
  },
  async drift({ postgres }, nowMs) {
    const { at } = reconciliations;
    const [row] = await postgres.db
      .select({ drifts: count() })
      .from(reconciliations)
      .where(gt(at, new Date(nowMs - driftMs)));
    const drifts = row?.drifts ?? 0;
    return found(
      drifts > 0,
      `In the last hour, reconciliation found ${drifts === 1 ? "1 value" : `${numberText(drifts)} values`} that differed.`,
      drifts,
    );
  },
  async store_down({ clickhouse }) {
    const isUp = await clickhouse.ping().then(
      () => true,
      () => false,
    );
    return found(!isUp, isUp ? "ClickHouse is responding." : "ClickHouse is not responding.");
  },
  async job_failed({ failedJobs }) {
    const jobs = await failedJobs();
    return found(
      jobs.length > 0,
      jobs.length > 0 ? `The last run failed: ${jobs.join(", ")}.` : "All jobs are running.",
    );
  },
  async delivery_failed({ postgres }, nowMs) {
    const [row] = await postgres.db
      .select({ given_up: count() })
      .from(deliveries)
      .where(gt(deliveries.givenUpAt, new Date(nowMs - givenUpMs)));
    const givenUp = row?.given_up ?? 0;
    return found(
      givenUp > 0,
      `${givenUp === 1 ? "1 delivery was" : `${numberText(givenUp)} deliveries were`} given up in the last 24 hours.`,
      givenUp,
    );
  },
};
