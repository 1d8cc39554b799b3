/** What is answered: the API with the dashboard, and the sockets of who watches. */
import { getRequestListener } from "@hono/node-server";
import { pushNotifications } from "../alerts/push-notifications.ts";
import { Questions } from "../fairness/questions.ts";
import { watchWatermark } from "../health/stalled-watermark.ts";
import { createApp } from "../http/app.ts";
import { nodeWithin } from "../http/authenticate.ts";
import { addressOf } from "../http/client.ts";
import { createOidc } from "../identity/oidc.ts";
import { narrowTo } from "../identity/permissions.ts";
import { createFairReads } from "../live/fair-reads.ts";
import { createLiveExchange } from "../live/live-exchange.ts";
import { createLiveGateway } from "../live/live-gateway.ts";
import { ChangedNodes } from "../tree/changed-nodes.ts";
import { tenantOf } from "../tree/tenant-of.ts";
import type { Boot, Viewers } from "./boot.ts";
import type { StartedIngest } from "./ingest.ts";
import type { PreparedJobs } from "./jobs.ts";
import type { Directory, Stores } from "./stores.ts";

/** Makes the app and the gateway; `open` lets requests in. */
export async function startHttp(
  boot: Boot,
  stores: Stores,
  directory: Directory,
  ingesting: StartedIngest,
  jobs: PreparedJobs,
  viewers: Viewers,
) {
  const { config, log, started } = boot;
  const { serving, askedClickhouse: clickhouse, postgres } = stores;
  const { tree, redis, authenticator } = directory;
  const { ingest, running, followed, watermark } = ingesting;
  const stalled = watchWatermark(watermark, { alarm: { log, explain: () => running?.trouble() } });
  const stalledHere = ingest && watchWatermark(() => ingest.flush.watermark());
  started.push(async () => {
    stalled.stop();
    stalledHere?.stop();
  });
  if (ingest)
    followed.follow({
      materializer: ingest.materializer,
      epoch: ingest.epoch,
      watermark,
      onTimedOut: () => jobs.runHere("intervals-expire"),
    });
  const exchange =
    redis && createLiveExchange({ redis, read: (node) => followed.read(node), isSource: () => followed.isKept, log });
  started.push(async () => exchange?.close());
  const heldLive = async (node: string) =>
    followed.read(node) ?? (followed.isKept ? undefined : await exchange?.ask(node));
  const health = { stalled, stalledHere, redis, isStopping: () => serving.isStopping };
  const changedNodes = new ChangedNodes();
  const app = appOf(boot, stores, directory, ingesting, jobs, { heldLive, health, changedNodes });
  const gateway = await createLiveGateway({
    httpServer: serving.server,
    authenticate: (headers) => authenticator.authenticate(headers),
    mayWatch: (actor, node) => {
      const reader = narrowTo(actor, "read");
      return reader && nodeWithin(reader, tree, node ?? undefined);
    },
    tenantOf: (node) => tenantOf(node, tree),
    addressOf: (request) => addressOf(request, boot.config.isTrustedProxy),
    ...createFairReads({ clickhouse, watermark, tenantOf: (node) => tenantOf(node, tree), heldLive }),
    onChangedElsewhere: (nodes) => changedNodes.announce(nodes),
    redis,
    log,
  });
  viewers.announce = (nodes) => {
    changedNodes.announce(nodes);
    gateway.announce(nodes);
  };
  viewers.count = () => gateway.sockets;
  const { publicUrl } = config;
  const stopPushing = await pushNotifications({ postgres, tree, publicUrl, push: gateway.push, log });
  started.push(async () => stopPushing());
  return {
    stalled,
    open() {
      // The gateway cuts its sockets, which the server would wait for.
      started.push(async () => {
        const closed = serving.close();
        await gateway.close();
        await closed;
      });
      serving.answerWith(getRequestListener(app.fetch));
      running?.served();
    },
  };
}

function appOf(
  { config, log }: Boot,
  { askedClickhouse: clickhouse, postgres, telemetry }: Stores,
  { tree, keys, users, signInSessions, authenticator, mailer, mailLimits, customMeters, delivery }: Directory,
  { ingest, running, watermark, settledBatch, corrections }: StartedIngest,
  jobs: PreparedJobs,
  live: Pick<Parameters<typeof createApp>[0], "heldLive" | "health" | "changedNodes">,
) {
  return createApp({
    clickhouse,
    postgres,
    tree,
    keys,
    users,
    signInSessions,
    authenticator,
    mailer,
    mailLimits,
    customMeters,
    ingest,
    corrections,
    watermark,
    settledBatch,
    telemetry,
    log,
    ...live,
    oidc: config.oidc && createOidc(config.oidc),
    publicUrl: config.publicUrl,
    hasReportsBucket: config.reportsBucket !== undefined,
    isTrustedProxy: config.isTrustedProxy,
    cluster: running && jobs.runJob && { cluster: running, runJob: jobs.runJob },
    questions: new Questions(),
    eventType: (type) => customMeters.typeOf(type),
    vault: delivery.vault,
    egress: delivery.egress,
    paymentKeys: config.paymentKeys,
    reportMaker: jobs.reportMaker,
    roles: config.roles,
  });
}
