/**
 * What an operator watches of the service itself, for Prometheus. Labels come from closed sets (routes as they were
 * declared, codes, names of jobs), never from what callers send: the number of series does not grow with use. Usage of
 * nodes is not here; it is asked for with GET /v1/usage, and what became of the events of one key with /v1/ingest-health.
 */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { DeliveryKind } from "../contract/deliveries.ts";
import { deliveryStates } from "../contract/deliveries.ts";

export type FlushStage = "seal" | "store" | "derive" | "settle";
export type StoreOutcome = "ok" | "unavailable" | "refused";
export type RunOutcome = "done" | "failed" | "left_out";

/** The verdict on the events of one request. */
export interface CountedVerdict {
  accepted: number;
  duplicates: number;
  rejected: readonly { code: string }[];
}

/** Read when Prometheus asks, each only in a process that has such a part. */
export interface LiveReadings {
  walBacklogBytes(): number;
  walMaxBytes(): number;
  /** How far queries are behind, in seconds. */
  watermarkAgeSeconds(): number;
  /** For how long the watermark has not moved, in seconds; 0 while it moves. */
  watermarkStandingSeconds(): number;
  sockets(): number;
  /** What memory holds of running sessions. */
  heldSessions(): number;
  heldIntervals(): number;
  /** How far the evaluation of rules is behind what can be queried, in seconds. */
  alertLagSeconds(): number;
  postgresConnections(): { state: "idle" | "busy" | "awaited"; count: number }[];
  /** For all processes together. */
  deliveries(): Promise<{ state: string; count: number }[]>;
}

export interface Telemetry {
  /** `route` is the pattern that the route was declared with. */
  requestAnswered(request: { method: string; route: string; status: number; seconds: number }): void;
  verdictGiven(verdict: CountedVerdict): void;
  /** A request of events was refused as a whole. */
  requestRefused(code: string): void;
  flushStageEnded(stage: FlushStage, seconds: number): void;
  /** Sizes of a sealed batch, and the events that had been accepted and were found to be repeats only now. */
  batchSealed(batch: { events: number; duplicates: number; conflicts: number; quarantined: number }): void;
  /** When the events of a batch that queries see now were received, ms since 1970. */
  batchSettled(receipts: readonly { atMs: number; events: number }[], nowMs: number): void;
  clickhouseAnswered(kind: "select" | "insert" | "command", outcome: StoreOutcome, seconds: number): void;
  postgresFailed(outcome: Exclude<StoreOutcome, "ok">): void;
  deliveryAttempted(kind: DeliveryKind, result: "sent" | "again" | "never"): void;
  jobRan(job: string, outcome: RunOutcome, seconds: number): void;
  /** A rule of a kind was evaluated at this many nodes. */
  rulesEvaluated(kind: string, nodes: number): void;
  /** Adds a gauge that is read at each scrape; a second reading under the name takes the place of the first. */
  read<Name extends keyof LiveReadings>(name: Name, reading: LiveReadings[Name]): void;
  /** The text exposition format of Prometheus. */
  exposition(): Promise<{ contentType: string; text: string }>;
}

const requestBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const stageBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const sizeBuckets = [1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000];

/** With a registry of its own, so that several services in one process do not meet. */
export function createTelemetry(): Telemetry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const readings: Partial<LiveReadings> = {};
  const instruments = instrumentsIn(registry);
  addGauges(registry, readings);
  return {
    ...requestMetrics(instruments),
    ...eventMetrics(instruments),
    ...flushMetrics(instruments),
    ...storeMetrics(instruments),
    ...workMetrics(instruments),
    read(name, reading) {
      readings[name] = reading;
    },
    async exposition() {
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}

type Instruments = ReturnType<typeof instrumentsIn>;

function instrumentsIn(registry: Registry) {
  const registers = [registry];
  return {
    counter: <Label extends string = never>(name: string, help: string, ...labelNames: Label[]) =>
      new Counter({ name, help, labelNames, registers }),
    histogram: <Label extends string = never>(name: string, buckets: number[], help: string, ...labelNames: Label[]) =>
      new Histogram({ name, help, labelNames, buckets, registers }),
  };
}

function requestMetrics({ histogram }: Instruments): Pick<Telemetry, "requestAnswered"> {
  const requests = histogram(
    "tidemark_http_request_duration_seconds",
    requestBuckets,
    "Time to the head of the answer, by route as it was declared; none: no route takes the path",
    "method",
    "route",
    "status",
  );
  return {
    requestAnswered({ method, route, status, seconds }) {
      requests.observe({ method, route, status }, seconds);
    },
  };
}

function eventMetrics({ counter, histogram }: Instruments): Pick<Telemetry, "verdictGiven" | "requestRefused"> {
  const events = counter(
    "tidemark_events_total",
    "Events by the verdict that their emitter was given: accepted, duplicate, rejected",
    "verdict",
  );
  const rejections = counter("tidemark_events_rejected_total", "Rejected events by reason", "code");
  const refusals = counter(
    "tidemark_event_requests_refused_total",
    "Requests of events that were refused as a whole, by reason",
    "code",
  );
  const requestEvents = histogram("tidemark_events_per_request", sizeBuckets, "Events in a request that was read");
  // So that a rate over a restart begins at 0, not at the first event.
  for (const verdict of ["accepted", "duplicate", "rejected"]) events.inc({ verdict }, 0);
  return {
    verdictGiven({ accepted, duplicates, rejected }) {
      events.inc({ verdict: "accepted" }, accepted);
      events.inc({ verdict: "duplicate" }, duplicates);
      events.inc({ verdict: "rejected" }, rejected.length);
      for (const { code } of rejected) rejections.inc({ code });
      requestEvents.observe(accepted + duplicates + rejected.length);
    },
    requestRefused: (code) => refusals.inc({ code }),
  };
}

function flushMetrics({
  counter,
  histogram,
}: Instruments): Pick<Telemetry, "flushStageEnded" | "batchSealed" | "batchSettled"> {
  const stages = histogram(
    "tidemark_flush_stage_duration_seconds",
    stageBuckets,
    "Time that a batch spends in each stage from the log to the queries, retries included",
    "stage",
  );
  const batchEvents = histogram("tidemark_batch_events", sizeBuckets, "Events in a sealed batch");
  const freshness = histogram(
    "tidemark_freshness_seconds",
    stageBuckets,
    "From receipt of a request of events until queries saw them",
  );
  const sealedOut = counter(
    "tidemark_events_sealed_out_total",
    "Events that were answered as accepted and found to be a repeat (duplicate) or another body under a known id (conflict) when their batch was sealed",
    "as",
  );
  const quarantined = counter("tidemark_events_quarantined_total", "Events kept in quarantine");
  for (const as of ["duplicate", "conflict"]) sealedOut.inc({ as }, 0);
  return {
    flushStageEnded: (stage, seconds) => stages.observe({ stage }, seconds),
    batchSealed(batch) {
      batchEvents.observe(batch.events);
      sealedOut.inc({ as: "duplicate" }, batch.duplicates);
      sealedOut.inc({ as: "conflict" }, batch.conflicts);
      quarantined.inc(batch.quarantined);
    },
    batchSettled(receipts, nowMs) {
      for (const { atMs } of receipts) freshness.observe(Math.max(0, nowMs - atMs) / 1000);
    },
  };
}

function storeMetrics({ counter, histogram }: Instruments): Pick<Telemetry, "clickhouseAnswered" | "postgresFailed"> {
  const statements = histogram(
    "tidemark_clickhouse_statement_duration_seconds",
    stageBuckets,
    "Statements to ClickHouse; unavailable: no answer or not now, refused: an answer that will not change",
    "kind",
    "outcome",
  );
  const postgresFailures = counter(
    "tidemark_postgres_errors_total",
    "Queries to Postgres that failed; unavailable: no answer or not now, refused: an error of the statement, a violated constraint too",
    "outcome",
  );
  for (const outcome of ["unavailable", "refused"]) postgresFailures.inc({ outcome }, 0);
  return {
    clickhouseAnswered: (kind, outcome, seconds) => statements.observe({ kind, outcome }, seconds),
    postgresFailed: (outcome) => postgresFailures.inc({ outcome }),
  };
}

function workMetrics({
  counter,
  histogram,
}: Instruments): Pick<Telemetry, "deliveryAttempted" | "jobRan" | "rulesEvaluated"> {
  const jobRuns = histogram(
    "tidemark_job_duration_seconds",
    stageBuckets,
    "Runs of periodic jobs; left_out: the last run still went on, here or in another process",
    "job",
    "outcome",
  );
  const evaluations = counter(
    "tidemark_rule_evaluations_total",
    "How often rules were evaluated at a node, by kind",
    "kind",
  );
  const deliveryAttempts = counter(
    "tidemark_delivery_attempts_total",
    "Attempts to deliver a message; again: to be tried again, never: given up",
    "kind",
    "result",
  );
  return {
    deliveryAttempted: (kind, result) => deliveryAttempts.inc({ kind, result }),
    jobRan: (job, outcome, seconds) => jobRuns.observe({ job, outcome }, seconds),
    rulesEvaluated: (kind, nodes) => evaluations.inc({ kind }, nodes),
  };
}

const gauges = [
  ["walBacklogBytes", "tidemark_wal_backlog_bytes", "Bytes in the write-ahead log that are not stored yet"],
  ["walMaxBytes", "tidemark_wal_max_bytes", "Bytes the log may hold; at 80 % of it events are answered 503"],
  ["watermarkAgeSeconds", "tidemark_watermark_age_seconds", "How far queries are behind what was accepted"],
  [
    "watermarkStandingSeconds",
    "tidemark_watermark_standing_seconds",
    "For how long the watermark has not moved; 0 while it moves",
  ],
  ["alertLagSeconds", "tidemark_alert_lag_seconds", "How far the evaluation of rules is behind what can be queried"],
  ["heldSessions", "tidemark_held_sessions", "Running sessions that memory holds"],
  ["heldIntervals", "tidemark_held_members", "Intervals and paired users of the sessions that memory holds"],
  ["sockets", "tidemark_sockets", "Open sockets of dashboards"],
] as const;

/** What `readings` has is read at each scrape. */
function addGauges(registry: Registry, readings: Partial<LiveReadings>): void {
  const registers = [registry];
  for (const [reading, name, help] of gauges)
    new Gauge({
      name,
      help,
      registers,
      collect() {
        const read = readings[reading];
        if (read) this.set(read());
        else this.remove();
      },
    });
  new Gauge({
    name: "tidemark_postgres_connections",
    help: "Connections to Postgres; awaited: queries that wait for one",
    labelNames: ["state"] as const,
    registers,
    collect() {
      for (const { state, count } of readings.postgresConnections?.() ?? []) this.set({ state }, count);
    },
  });
  new Gauge({
    name: "tidemark_deliveries",
    help: "Deliveries in the log by state, of all processes; failed: to be tried again",
    labelNames: ["state"] as const,
    registers,
    async collect() {
      // A scrape shows the rest where Postgres cannot be asked.
      const counted = await readings.deliveries?.().catch(() => undefined);
      this.reset();
      for (const state of counted ? deliveryStates : []) this.set({ state }, 0);
      for (const { state, count } of counted ?? []) this.set({ state }, count);
    },
  });
}
