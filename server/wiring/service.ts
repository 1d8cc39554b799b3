/**
 * The service: its stores, the ingest, the jobs, the HTTP server with API, dashboard and sockets (server/wiring). Started in
 * the order in which each part needs the one before it, stopped in the reverse order.
 */
import type { Logger } from "pino";
import type { Config } from "../config.ts";
import { countByState } from "../delivery/outbox.ts";
import type { Keys } from "../identity/keys.ts";
import { lockDataFolder } from "../process/data-folder-lock.ts";
import type { Boot, OnFatal, Viewers } from "./boot.ts";
import { startHttp } from "./http.ts";
import { type StartedIngest, startIngesting } from "./ingest.ts";
import { prepareJobs } from "./jobs.ts";
import { openDirectory, openStores, type Stores } from "./stores.ts";

export interface Service {
  /** Where the dashboard is. */
  url: string;
  /** Shown once: the password made for the administrator when the first start was given none. */
  generatedAdminPassword: string | undefined;
  keys: Keys;
  /** Says to whoever routes to it that it is about to end, and resolves when they have had the time to see it. */
  drain(): Promise<void>;
  /** Stops everything within 10 s; children too. */
  stop(): Promise<void>;
}

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
    return await startParts({ config, log, onFatal, started }, stopAll);
  } catch (error) {
    await stopAll();
    throw error;
  }
}

async function startParts(boot: Boot, stop: () => Promise<void>): Promise<Service> {
  const { config, started } = boot;
  started.push(await lockDataFolder(config.dataDir));
  const stores = await openStores(boot);
  const directory = await openDirectory(boot, stores);
  const viewers: Viewers = { announce: () => undefined, count: () => 0 };
  const ingesting = await startIngesting(boot, stores, directory, viewers);
  const jobs = await prepareJobs(boot, stores, directory, ingesting, viewers);
  const http = await startHttp(boot, stores, directory, ingesting, jobs, viewers);
  await jobs.start();

  const { telemetry, postgres, serving } = stores;
  telemetry.read("sockets", () => viewers.count());
  readStores(stores, ingesting);
  telemetry.read("deliveries", () => countByState(postgres));
  telemetry.read("watermarkStandingSeconds", () => http.stalled.stalledMs() / 1000);
  http.open();
  return {
    url: serving.url,
    drain: () => serving.drain(config.drainMs),
    generatedAdminPassword: directory.generatedPassword,
    keys: directory.keys,
    stop,
  };
}

function readStores({ telemetry, postgres: { pool } }: Stores, { ingest, watermark }: StartedIngest): void {
  if (ingest) {
    telemetry.read("walBacklogBytes", () => ingest.log.backlogBytes);
    telemetry.read("walMaxBytes", () => ingest.log.maxBytes);
    telemetry.read("heldSessions", () => ingest.materializer.held().sessions);
    telemetry.read("heldIntervals", () => ingest.materializer.held().intervals);
  }
  telemetry.read("watermarkAgeSeconds", () => Math.max(0, Date.now() - watermark().getTime()) / 1000);
  telemetry.read("postgresConnections", () => [
    { state: "idle", count: pool.idleCount },
    { state: "busy", count: pool.totalCount - pool.idleCount },
    { state: "awaited", count: pool.waitingCount },
  ]);
}
