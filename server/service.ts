/**
 * The service: its stores, the ingest, the HTTP server with API, dashboard and sockets, the jobs. Started in the order in
 * which each part needs the one before it, stopped in the reverse order.
 */
import { getRequestListener } from "@hono/node-server";
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import { Evaluator } from "./alerts/evaluator.ts";
import { pushNotifications } from "./alerts/push-notifications.ts";
import { beginAlerts } from "./alerts/rules.ts";
import { createApp } from "./app.ts";
import { adjustStatements } from "./billing/statements/adjust-statements.ts";
import { closeStatements, type StatementSource } from "./billing/statements/close-statements.ts";
import { askedFor, type ClickHouse, connectClickHouse } from "./clickhouse/client.ts";
import { migrateClickHouse } from "./clickhouse/migrate.ts";
import { claimAlone, claimClickHouse } from "./cluster/claim-stores.ts";
import { identifyIngest } from "./cluster/ingest-process.ts";
import { type RunningCluster, startCluster } from "./cluster/start-cluster.ts";
import type { Config } from "./config.ts";
import { nodeAddress } from "./contract/node-address.ts";
import { type Corrections, createCorrections } from "./corrections/corrections.ts";
import { lockDataFolder } from "./data-folder-lock.ts";
import { countByState } from "./delivery/outbox.ts";
import { type Delivery, startDelivery } from "./delivery/start-delivery.ts";
import { Questions } from "./fairness/questions.ts";
import type { Waits } from "./health/await-store.ts";
import { watchWatermark } from "./health/stalled-watermark.ts";
import { createAuthenticator, nodeWithin } from "./http/authenticate.ts";
import { serve } from "./http/serve.ts";
import { createKeys, type Keys } from "./identity/keys.ts";
import { createOidc } from "./identity/oidc.ts";
import { narrowTo } from "./identity/permissions.ts";
import { createSessions } from "./identity/sessions.ts";
import { createUsers } from "./identity/users.ts";
import { type Ingest, startIngest } from "./ingest/flush/start-ingest.ts";
import type { JobDefinition } from "./jobs/job-table.ts";
import { startJobs } from "./jobs/start-jobs.ts";
import { createFairReads } from "./live/fair-reads.ts";
import { FollowedLevels } from "./live/followed-levels.ts";
import { createLiveExchange } from "./live/live-exchange.ts";
import { createLiveGateway } from "./live/live-gateway.ts";
import { publishVisibility, subscribeToVisibility, type Visibility } from "./live/shared-watermark.ts";
import { MailLimits } from "./mail/mail-limits.ts";
import { createMailer } from "./mail/mailer.ts";
import { CustomMeters } from "./meters/custom-meters.ts";
import { awaitStores, clickhouseFor, postgresFor } from "./open-stores.ts";
import { OrganizationFigures } from "./overview/organization-figures.ts";
import { connectPostgres, type Postgres } from "./postgres/client.ts";
import { migratePostgres, whileMigrating } from "./postgres/migrate.ts";
import { connectRedis } from "./redis/connect-redis.ts";
import { advanceSchedules, type ScheduleSource } from "./reports/advance-schedules.ts";
import { createFileLinks } from "./reports/file-link.ts";
import { createReportMaker, type ReportMaker } from "./reports/make-runs.ts";
import type { ReportSource } from "./reports/report-source.ts";
import { applyMoves } from "./rollups/apply-moves.ts";
import { compactIngestOutcomes } from "./rollups/compact-outcomes.ts";
import { compactUsage } from "./rollups/compact-usage.ts";
import { expireIntervals } from "./rollups/expire-intervals.ts";
import { runRebuilds } from "./rollups/rebuild.ts";
import { reconcileRecent } from "./rollups/reconcile-recent.ts";
import { createTelemetry, type Telemetry } from "./telemetry/telemetry.ts";
import { NodeTree } from "./tree/node-tree.ts";
import { tenantOf } from "./tree/tenant-of.ts";

export interface Service {
  /** Where the dashboard is. */
  url: string;
  /** Shown once: the password made for the administrator when the first start was given none. */
  generatedAdminPassword: string | undefined;
  keys: Keys;
  /** Process numbers of the embedded stores, for tests that end them. */
  storePids(): { clickhouse: number | undefined; postgres: number | undefined };
  /** Says to whoever routes to it that it is about to end, and resolves when they have had the time to see it. */
  drain(): Promise<void>;
  /** Stops everything within 10 s; children too. */
  stop(): Promise<void>;
}

/** How long what is in the log may still be stored when the service stops; the rest is stored at the next start. */
const flushGraceMs = 4_000;

/** Why the process must end: its log failed, or another process has taken its place. */
export type OnFatal = (error: Error) => void;

/** Throws when a part cannot start, after the parts that had started are stopped. */
export async function startService(config: Config, log: Logger, onFatal: OnFatal): Promise<Service> {
  const started: (() => Promise<void>)[] = [];
  let stopping: Promise<void> | undefined;
  const stopAll = () => {
    stopping ??= (async () => {
      for (const stop of started.reverse())
        await stop().catch((err: unknown) => log.warn({ err }, "a part did not stop cleanly"));
    })();
    return stopping;
  };
  try {
    return await startParts(config, log, onFatal, started, stopAll);
  } catch (error) {
    await stopAll();
    throw error;
  }
}

async function startParts(
  config: Config,
  log: Logger,
  onFatal: OnFatal,
  started: (() => Promise<void>)[],
  stop: () => Promise<void>,
): Promise<Service> {
  started.push(await lockDataFolder(config.dataDir));
  const waits: Waits = new Map();
  const serving = await serve(config, waits, log);
  started.push(() => serving.close());
  const giveUp = new AbortController();
  started.push(async () => giveUp.abort());
  const reached = awaitStores(config, waits, log, giveUp.signal);
  const [clickhouseStore, postgresStore] = await Promise.all([
    clickhouseFor(config, log, started),
    postgresFor(config, log, started),
  ]);
  const telemetry = createTelemetry();
  const clickhouse = connectClickHouse(clickhouseStore.connection, telemetry.clickhouseAnswered);
  started.push(() => clickhouse.close());
  const postgres = connectPostgres(postgresStore.url, telemetry.postgresFailed);
  started.push(() => postgres.close());
  await Promise.all([
    reached.postgres(() => migratePostgres(postgres)),
    reached.clickhouse(() => clickhouse.ping()),
    reached.redis(),
  ]);
  // One process at a time: ClickHouse has no transactions around a schema.
  await reached.clickhouse(() =>
    whileMigrating(postgres, async () => {
      await migrateClickHouse(clickhouse);
      await claimClickHouse(postgres, clickhouse, config.adoptedInstallation);
    }),
  );

  const tree = await NodeTree.load(postgres, log);
  started.push(() => tree.close());
  const keys = createKeys(postgres, log);
  started.push(() => keys.close());
  const redis = config.redisUrl ? connectRedis(config.redisUrl, { name: "live", whenDown: "wait", log }) : undefined;
  // Sign-in must be answered, not queued, while Redis is away: then each process counts attempts for itself.
  const limits = config.redisUrl ? connectRedis(config.redisUrl, { name: "limits", whenDown: "fail", log }) : undefined;
  started.push(async () => {
    redis?.disconnect();
    limits?.disconnect();
  });

  const users = createUsers({ postgres, tree }, { redis: limits });
  const sessions = createSessions(postgres, log);
  started.push(() => sessions.close());
  if (config.rootKey) await keys.ensureRootKey(config.rootKey);
  const { generatedPassword } = await users.ensureAdmin({ email: config.adminEmail, password: config.adminPassword });
  const mailer = config.smtpUrl ? createMailer({ smtpUrl: config.smtpUrl, from: config.mailFrom }) : undefined;
  started.push(async () => mailer?.close());
  const mailLimits = new MailLimits(limits);
  const delivery = await startDelivery(
    config,
    { postgres, tree, mailer, mailLimits, log, onAttempt: telemetry.deliveryAttempted },
    { isSender: config.roles.has("worker") },
  );
  started.push(() => delivery.close());
  const authenticator = createAuthenticator({ keys, sessions, tree });

  const customMeters = await CustomMeters.load(postgres, tree, log);
  started.push(async () => customMeters.close());
  const typeOf = (type: string) => customMeters.typeOf(type);

  let running: RunningCluster | undefined;
  const claimant = config.roles.has("ingest") ? await identifyIngest(config) : undefined;
  const cluster =
    config.cluster && claimant
      ? await startCluster({
          ...{ ...config.cluster, process: claimant, onLost: onFatal },
          ...{ dataDir: config.dataDir, walMaxBytes: config.walMaxBytes, postgres, clickhouse, onFatal, log },
        })
      : undefined;
  const alone = claimant && !cluster ? await claimAlone(postgres, claimant, log) : undefined;
  let isAllStored = false;
  started.push(async () => {
    await running?.leave();
    await alone?.release(isAllStored);
  });

  let announce: (nodes: Iterable<string>) => void = () => undefined;
  let openSockets = () => 0;
  const followed = new FollowedLevels({ clickhouse, onChanged: (nodes) => announce(nodes), log });
  started.push(async () => followed.close());
  const ingest = config.roles.has("ingest")
    ? await startIngest({
        dataDir: config.dataDir,
        walMaxBytes: config.walMaxBytes,
        eventsPerSecond: config.eventsPerSecond,
        clickhouse,
        placementsWithin: (organization, fromMs, toMs) => tree.placementsWithin(organization, fromMs, toMs),
        announce: (organizations, levels) => announce(nodesAround(tree, organizations, levels)),
        onFatal,
        logger: log,
        observer: telemetry,
        listener: followed,
        // Other processes have viewers of their own.
        watchers: redis || cluster ? undefined : () => openSockets(),
        shared: cluster?.shared,
      })
    : undefined;
  if (ingest)
    started.push(async () => {
      await ingest.stop(flushGraceMs);
      isAllStored = ingest.log.backlogBytes === 0;
    });
  if (ingest)
    alone?.run({ watermark: () => ingest.flush.watermark(), whileHeld: () => ingest.keepEpoch(), onLost: onFatal });
  if (ingest) running = await cluster?.run(ingest, { tree, eventType: typeOf });
  started.push(async () => await running?.stopTaking());
  const { watermark, settledBatch } = visibilityOf(ingest, running, redis, log, started);
  const storing = storingOf(ingest, running);
  const corrections = createCorrections({
    ...{ postgres, clickhouse, tree, ingest: storing },
    others: running && {
      ...{ isHere: running.isMaterializer, watermark },
      applyThere: () => running?.runThere("corrections-apply") ?? Promise.resolve(),
    },
  });

  const statements: StatementSource = {
    ...{ clickhouse, postgres, tree, watermark, settledBatch, log },
    meterOf: (name, node, atMs) => customMeters.find(name, node, atMs),
  };
  const reportMaker = config.roles.has("worker") ? createReportMaker(reportSource(statements, tree), log) : undefined;
  started.push(async () => await reportMaker?.stop());
  await beginAlerts(postgres);
  const failedJobs = new Set<string>();
  const evaluator = new Evaluator({
    ...{
      ...statements,
      tree,
      publicUrl: config.publicUrl,
      failedJobs: () => [...failedJobs],
      onJudged: telemetry.rulesJudged,
    },
    backlogShare: () => ingest && ingest.log.backlogBytes / ingest.log.maxBytes,
  });
  telemetry.read("alertLagSeconds", () => evaluator.lagSeconds);
  const jobTable: JobDefinition[] = [
    { name: "alerts-evaluate", every: { ms: 2_000 }, role: "worker", handler: () => evaluator.run() },
    ...jobsOf(clickhouse, postgres, tree, storing, corrections, statements, log, (nodes) => announce(nodes)),
    reportsJob(reportMaker),
    schedulesJob({
      ...{ postgres, tree, watermark, publicUrl: config.publicUrl, links: createFileLinks(postgres), log },
      wake: () =>
        void reportMaker?.tick().catch((err: unknown) => log.warn({ err }, "report runs could not be claimed")),
    }),
    ...deliveryJobs(delivery),
  ];
  const led = running ? ledJobs(jobTable, running) : undefined;

  const stalled = watchWatermark(watermark, { alarm: { log, explain: () => running?.trouble() } });
  const stalledHere = ingest && watchWatermark(() => ingest.flush.watermark());
  started.push(async () => {
    stalled.stop();
    stalledHere?.stop();
  });
  if (ingest)
    followed.follow({
      ...{ materializer: ingest.materializer, epoch: ingest.epoch, watermark },
      onTimedOut: async () => await jobTable.find(({ name }) => name === "intervals-expire")?.handler(),
    });
  const exchange = redis && createLiveExchange({ redis, read: (node) => followed.read(node), log });
  started.push(async () => exchange?.close());
  const heldLive = async (node: string) => followed.read(node) ?? (await exchange?.ask(node));
  const app = createApp({
    clickhouse,
    postgres,
    tree,
    keys,
    users,
    sessions,
    authenticator,
    mailer,
    mailLimits,
    oidc: config.oidc && createOidc(config.oidc),
    publicUrl: config.publicUrl,
    isTrustedProxy: config.isTrustedProxy,
    ingest,
    cluster: running && led && { cluster: running, runJob: led.runJob },
    corrections,
    customMeters,
    questions: new Questions(),
    eventType: typeOf,
    watermark,
    heldLive,
    settledBatch,
    vault: delivery.vault,
    wayOut: delivery.wayOut,
    paymentKeys: config.paymentKeys,
    roles: config.roles,
    health: { stalled, stalledHere, redis, isStopping: () => serving.isStopping },
    telemetry,
    log,
  });
  const gateway = await createLiveGateway({
    httpServer: serving.server,
    authenticate: (headers) => authenticator.authenticate(headers),
    mayWatch: (actor, node) => {
      const reader = narrowTo(actor, "read");
      return reader && nodeWithin(reader, tree, node ?? undefined);
    },
    tenantOf: (node) => tenantOf(node, tree),
    ...createFairReads({ clickhouse, watermark, tenantOf: (node) => tenantOf(node, tree), heldLive }),
    redis,
    log,
  });
  announce = (nodes) => gateway.announce(nodes);
  openSockets = () => gateway.sockets;
  const { publicUrl } = config;
  const stopPushing = await pushNotifications({ postgres, tree, publicUrl, push: gateway.push, log });
  started.push(async () => stopPushing());

  const jobs = await startJobs({
    jobs: led?.jobs ?? jobTable,
    roles: config.roles,
    databaseUrl: postgresStore.url,
    redisUrl: config.redisUrl,
    onRun: (job, outcome, seconds) => {
      telemetry.jobRan(job, outcome, seconds);
      if (outcome === "failed") failedJobs.add(job);
      if (outcome === "done") failedJobs.delete(job);
    },
    log,
  });
  started.push(() => jobs.close());

  telemetry.read("sockets", () => gateway.sockets);
  readStores(telemetry, ingest, postgres, watermark);
  telemetry.read("deliveries", () => countByState(postgres));
  telemetry.read("watermarkStandingSeconds", () => stalled.stalledMs() / 1000);
  // The gateway cuts its sockets, which the server would wait for.
  started.push(async () => {
    const closed = serving.close();
    await gateway.close();
    await closed;
  });
  serving.answerWith(getRequestListener(app.fetch));
  running?.served();
  return {
    url: serving.url,
    drain: () => serving.drain(config.drainMs),
    generatedAdminPassword: generatedPassword,
    keys,
    storePids: () => ({ clickhouse: clickhouseStore.pid?.(), postgres: postgresStore.pid?.() }),
    stop,
  };
}

function readStores(telemetry: Telemetry, ingest: Ingest | undefined, { pool }: Postgres, watermark: () => Date): void {
  if (ingest) {
    telemetry.read("walBacklogBytes", () => ingest.log.backlogBytes);
    telemetry.read("walMaxBytes", () => ingest.log.maxBytes);
  }
  telemetry.read("watermarkAgeSeconds", () => Math.max(0, Date.now() - watermark().getTime()) / 1000);
  telemetry.read("postgresConnections", () => [
    { state: "idle", count: pool.idleCount },
    { state: "busy", count: pool.totalCount - pool.idleCount },
    { state: "awaited", count: pool.waitingCount },
  ]);
}

/** The organizations with new events and those above them, and the nodes whose levels may have changed. */
function nodesAround(tree: NodeTree, organizations: ReadonlySet<string>, levels: ReadonlySet<string>): Set<string> {
  const nodes = new Set(levels);
  for (const organization of organizations)
    for (const node of tree.ancestors(nodeAddress("organization", organization))) nodes.add(node);
  return nodes;
}

/** What jobs and corrections need to change what is stored, without anything being stored meanwhile. */
function storingOf(ingest: Ingest | undefined, cluster: RunningCluster | undefined): Storing | undefined {
  if (!ingest || !cluster) return ingest;
  const { log, materializer, sequence, flush } = ingest;
  return {
    ...{ log, materializer, sequence },
    flush: {
      exclusive: cluster.flush.exclusive,
      whenStored: flush.whenStored,
      watermark: cluster.watermark,
      get settledBatch() {
        return cluster.settledBatch();
      },
    },
  };
}

type Storing = Pick<Ingest, "log" | "materializer" | "sequence"> & {
  flush: Pick<Ingest["flush"], "exclusive" | "whenStored" | "watermark" | "settledBatch">;
};

/** Jobs of the role `ingest` run on the node that derives, whichever of them the tick comes to. */
function ledJobs(jobs: readonly JobDefinition[], cluster: RunningCluster) {
  const runs = new Map<string, Promise<void>>();
  async function runJob(name: string): Promise<void> {
    const job = jobs.find((one) => one.name === name && one.role === "ingest");
    if (!job) return;
    const run = runs.get(name) ?? job.handler().finally(() => runs.delete(name));
    runs.set(name, run);
    await run;
  }
  const led = jobs.map((job) =>
    job.role === "ingest"
      ? { ...job, handler: () => (cluster.isMaterializer() ? runJob(job.name) : cluster.runThere(job.name)) }
      : job,
  );
  return { jobs: led, runJob };
}

function visibilityOf(
  ingest: Ingest | undefined,
  cluster: RunningCluster | undefined,
  redis: Redis | undefined,
  log: Logger,
  started: (() => Promise<void>)[],
): Visibility {
  if (cluster) {
    const stop = redis ? publishVisibility(redis, cluster, cluster.isMaterializer) : undefined;
    started.push(async () => stop?.());
    return cluster;
  }
  if (ingest) {
    const visibility = { watermark: () => ingest.flush.watermark(), settledBatch: () => ingest.flush.settledBatch };
    const stop = redis ? publishVisibility(redis, visibility) : undefined;
    started.push(async () => stop?.());
    return visibility;
  }
  if (!redis) throw new Error("a process that does not ingest needs Redis to know the watermark");
  const subscribed = subscribeToVisibility(redis, log);
  started.push(async () => subscribed.stop());
  return subscribed;
}

/** Notices and the courier's own clock are faster; the ticks find what both have missed. */
function deliveryJobs(delivery: Delivery): JobDefinition[] {
  return [
    { name: "deliveries-send", every: { ms: 10_000 }, role: "worker", handler: async () => delivery.send() },
    { name: "deliveries-prune", every: { ms: 24 * 60 * 60_000 }, role: "worker", handler: () => delivery.prune() },
  ];
}

/** The whole table, the same in every process; those of the role `ingest` run only where there is an ingest. */
function jobsOf(
  clickhouse: ClickHouse,
  postgres: Postgres,
  tree: NodeTree,
  ingest: Storing | undefined,
  corrections: Corrections,
  statements: StatementSource,
  log: Logger,
  announce: (nodes: Iterable<string>) => void,
): JobDefinition[] {
  const ingesting = () => {
    if (!ingest) throw new Error("this process does not ingest");
    return ingest;
  };
  return [
    {
      name: "intervals-expire",
      every: { ms: 2_000 },
      role: "ingest",
      handler: async () => {
        const { materializer, sequence } = ingesting();
        const derivation = await expireIntervals(clickhouse, materializer.derive, sequence, Date.now());
        if (derivation) announce(derivation.touchedNodes);
      },
    },
    {
      name: "corrections-apply",
      every: { ms: 2_000 },
      role: "ingest",
      handler: () => corrections.applyPending(),
    },
    {
      name: "moves-apply",
      every: { ms: 2_000 },
      role: "ingest",
      handler: async () => {
        const { materializer, sequence, flush } = ingesting();
        await applyMoves({ clickhouse, postgres, tree, materializer, sequence, flush });
      },
    },
    {
      name: "usage-compact",
      every: { ms: 60 * 60_000 },
      role: "ingest",
      handler: async () => {
        const { sequence, flush } = ingesting();
        const { foldedRows } = await compactUsage(clickhouse, sequence, flush.settledBatch, Date.now());
        if (foldedRows > 0) log.info({ foldedRows }, "folded the counters of closed hours");
      },
    },
    {
      name: "ingest-outcomes-compact",
      every: { ms: 10 * 60_000 },
      role: "ingest",
      handler: async () => {
        const { sequence, flush } = ingesting();
        await compactIngestOutcomes(clickhouse, sequence, flush.settledBatch, Date.now());
      },
    },
    {
      name: "usage-reconcile",
      every: { ms: 10 * 60_000 },
      role: "ingest",
      handler: async () => {
        const { materializer, sequence, flush } = ingesting();
        await reconcileRecent({ clickhouse, postgres, tree, materializer, sequence, flush, log });
      },
    },
    {
      name: "rebuilds-run",
      every: { ms: 2_000 },
      role: "ingest",
      handler: async () => {
        const { materializer, sequence, flush } = ingesting();
        await runRebuilds({ clickhouse, postgres, tree, materializer, sequence, flush, log });
      },
    },
    {
      name: "statements-close",
      every: { ms: 60_000 },
      role: "worker",
      handler: async () => {
        // First what is known of closed ones: what is closed next carries it.
        await adjustStatements(statements, Date.now());
        const closed = await closeStatements(statements, Date.now());
        if (closed > 0) log.info({ closed }, "closed statements");
      },
    },
  ];
}

/** Runs that no route woke this process for: those that other processes took, and those that were abandoned. */
function reportsJob(maker: ReportMaker | undefined): JobDefinition {
  return {
    name: "reports-make",
    every: { ms: 2_000 },
    role: "worker",
    handler: async () => {
      await maker?.tick();
    },
  };
}

/** Any number of processes may run it beside each other. */
function schedulesJob(source: ScheduleSource): JobDefinition {
  return {
    name: "schedules-advance",
    every: { ms: 5_000 },
    role: "worker",
    handler: () => advanceSchedules(source, Date.now()),
  };
}

function reportSource(statements: StatementSource, tree: NodeTree): ReportSource {
  const source = { ...statements, tree, clickhouse: askedFor(statements.clickhouse) };
  return { ...source, figures: new OrganizationFigures(source) };
}
