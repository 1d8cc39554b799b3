/** The HTTP application: every route, the dashboard's files, and how errors are answered. It never listens by itself. */
import { fileURLToPath } from "node:url";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { cors } from "hono/cors";
import type { Logger } from "pino";
import type { AddressRanges } from "../address-ranges.ts";
import { readCycleSpans } from "../billing/cycle-spans.ts";
import type { UsageSource } from "../billing/measure-span.ts";
import type { EventType } from "../catalog/event-types.ts";
import { askedFor, type ClickHouse } from "../clickhouse/client.ts";
import type { Role } from "../config.ts";
import type { Corrections } from "../corrections/corrections.ts";
import type { Egress } from "../delivery/egress.ts";
import type { Vault } from "../delivery/vault.ts";
import type { Questions } from "../fairness/questions.ts";
import type { Keys } from "../identity/keys.ts";
import type { Oidc } from "../identity/oidc.ts";
import { createPasskeys } from "../identity/passkeys.ts";
import type { SignInSessions } from "../identity/sign-in-sessions.ts";
import type { Users } from "../identity/users.ts";
import type { Ingest } from "../ingest/flush/start-ingest.ts";
import type { MailLimits } from "../mail/mail-limits.ts";
import type { Mailer } from "../mail/mailer.ts";
import type { CustomMeters } from "../meters/custom-meters.ts";
import { OrganizationFigures } from "../overview/organization-figures.ts";
import type { Postgres } from "../postgres/client.ts";
import { createEmbedTokens } from "../reports/embed-tokens.ts";
import type { ReportMaker } from "../reports/make-runs.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { ChangedNodes } from "../tree/changed-nodes.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { applyFoundation, createRouter } from "./app-pieces.ts";
import { type Authenticator, attachActor } from "./authenticate.ts";
import { compressAnswers } from "./compress-answers.ts";
import { keyedTags } from "./entity-tag.ts";
import type { HttpEnv } from "./http-env.ts";
import { idempotent } from "./idempotency.ts";
import { measureRequests } from "./measure-requests.ts";
import { noteQuestions } from "./note-questions.ts";
import { type HealthDeps, readinessChecks } from "./readiness-checks.ts";
import { accountRoutes } from "./routes/account.ts";
import { alertsRoutes } from "./routes/alerts.ts";
import { annotationsRoutes } from "./routes/annotations.ts";
import { auditRoutes } from "./routes/audit.ts";
import { channelsRoutes } from "./routes/channels.ts";
import { chargesRoutes } from "./routes/charges.ts";
import { type ClusterRoutesDeps, clusterRoutes } from "./routes/cluster.ts";
import { correctionsRoutes } from "./routes/corrections.ts";
import { dataChangesRoutes } from "./routes/data-changes.ts";
import { deliveriesRoutes } from "./routes/deliveries.ts";
import { eventsRoutes } from "./routes/events.ts";
import { explainRoutes } from "./routes/explain.ts";
import { ingestHealthRoutes } from "./routes/ingest-health.ts";
import { jobsRoutes } from "./routes/jobs.ts";
import { keysRoutes } from "./routes/keys.ts";
import { metersRoutes } from "./routes/meters.ts";
import { metricsRoutes } from "./routes/metrics.ts";
import { modelsRoutes } from "./routes/models.ts";
import { nodesRoutes } from "./routes/nodes.ts";
import { notificationPreferencesRoutes } from "./routes/notification-preferences.ts";
import { offersRoutes } from "./routes/offers.ts";
import { oidcRoutes } from "./routes/oidc.ts";
import { organizationsRoutes } from "./routes/organizations.ts";
import { orphansRoutes } from "./routes/orphans.ts";
import { overviewRoutes } from "./routes/overview.ts";
import { passkeysRoutes } from "./routes/passkeys.ts";
import { paymentsRoutes } from "./routes/payments.ts";
import { plansRoutes } from "./routes/plans.ts";
import { quarantineReplayRoutes, quarantineRoutes } from "./routes/quarantine.ts";
import { quotasRoutes } from "./routes/quotas.ts";
import { reconciliationRoutes } from "./routes/reconciliation.ts";
import { recordsRoutes } from "./routes/records.ts";
import { reportRunsRoutes } from "./routes/report-runs.ts";
import { reportsRoutes } from "./routes/reports.ts";
import { rulesRoutes } from "./routes/rules.ts";
import { schedulesRoutes } from "./routes/schedules.ts";
import { sharedViewsRoutes } from "./routes/shared-views.ts";
import { signInRoutes } from "./routes/sign-in.ts";
import { statementsRoutes } from "./routes/statements.ts";
import { subscriptionsRoutes } from "./routes/subscriptions.ts";
import { systemRoutes } from "./routes/system.ts";
import { unsubscribeRoutes } from "./routes/unsubscribe.ts";
import { type UsageRoutesDeps, usageRoutes } from "./routes/usage.ts";
import { usageSessionsRoutes } from "./routes/usage-sessions.ts";
import { usersRoutes } from "./routes/users.ts";
import { viewLinksRoutes } from "./routes/view-links.ts";
import { viewsRoutes } from "./routes/views.ts";
import { whatIfRoutes } from "./routes/what-if.ts";
import { serveDashboard } from "./serve-dashboard.ts";
import { takeTurns } from "./take-turns.ts";

export interface AppDeps {
  clickhouse: ClickHouse;
  postgres: Postgres;
  tree: NodeTree;
  keys: Keys;
  users: Users;
  signInSessions: SignInSessions;
  authenticator: Authenticator;
  /** Absent without a mail server. */
  mailer: Mailer | undefined;
  /** Default: this process counts alone. */
  mailLimits?: MailLimits | undefined;
  /** What schedules send is put where the operator keeps it, too. */
  hasReportsBucket?: boolean | undefined;
  /** Absent without an identity provider. */
  oidc: Oidc | undefined;
  /** Where people reach the dashboard, without a slash at its end. */
  publicUrl: string;
  /** Whose forwarding headers are believed. */
  isTrustedProxy: AddressRanges;
  /** Absent in a process that does not take events. */
  ingest: Ingest | undefined;
  /** Present where several processes ingest together. */
  cluster?: ClusterRoutesDeps | undefined;
  corrections: Corrections;
  customMeters: CustomMeters;
  questions: Questions;
  /** What events of a type mean; undefined when no meter knows it. */
  eventType: (type: string) => EventType | undefined;
  watermark: () => Date;
  changedNodes: ChangedNodes;
  heldLive?: UsageRoutesDeps["heldLive"];
  /** Everything stored under this batch or a smaller one is visible, and nothing more will be stored under one. */
  settledBatch: () => number;
  vault: Vault;
  egress: Pick<Egress, "urlRefusal">;
  /** They verify the messages of payment providers. */
  paymentKeys: readonly Buffer[];
  /** Undefined where this process makes no reports. */
  reportMaker: Pick<ReportMaker, "tick"> | undefined;
  roles: ReadonlySet<Role>;
  /** Absent: nothing but the stores and the log can fail. */
  health?: HealthDeps | undefined;
  telemetry: Telemetry;
  log: Logger;
}

const eventHeaders = ["authorization", "content-type", "content-encoding", "idempotency-key"];

/** Served by processes of the role `ingest`. */
const ingestPaths = ["/v1/events", "/v1/quarantine/replay", "/v1/quarantine/:id/replay"];

/** The built dashboard, seen from the sources in server/ or from the built server in dist/server/. */
const webFolder = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "../../dist/web" : "../web", import.meta.url),
);

export function createApp(deps: AppDeps): OpenAPIHono<HttpEnv> {
  const { clickhouse, tree, ingest, watermark, telemetry, log } = deps;
  const app = createRouter();
  app.use(measureRequests(telemetry));
  // Routes of roles that other processes have: known by their paths, never answered here.
  const elsewhere = createRouter();
  applyFoundation(app, { log, isTrustedProxy: deps.isTrustedProxy, elsewhere, roles: deps.roles });
  app.use("/v1/*", compressAnswers);
  app.use("/openapi.json", compressAnswers);
  // A page of any site may send events with a key; no cookie goes with them, so nobody's session is used.
  app.use("/v1/events", cors({ origin: "*", allowMethods: ["POST"], allowHeaders: eventHeaders, maxAge: 86_400 }));
  app.use("/v1/*", attachActor(deps.authenticator));
  app.use("/metrics", attachActor(deps.authenticator));
  app.use("/v1/*", keyedTags(deps.postgres));
  // Who waits for what gathered holds no turn meanwhile.
  if (ingest) app.use("/v1/*", noteQuestions(ingest.asked));
  app.use("/v1/*", takeTurns(deps.questions, tree));
  app.use("/metrics", takeTurns(deps.questions, tree));
  app.use("/v1/*", idempotent({ postgres: deps.postgres, tree }));
  if (ingest) {
    const { knownIds, admission, flush } = ingest;
    const takeElsewhere = deps.cluster?.cluster.takeElsewhere;
    const accepting = { log: ingest.log, knownIds, tree, admission, eventType: deps.eventType, takeElsewhere };
    const isCarriedOnFor = deps.customMeters.isCarriedOnFor.bind(deps.customMeters);
    app.route("/", quarantineReplayRoutes({ ...accepting, clickhouse, isCarriedOnFor }));
    app.route("/", eventsRoutes({ ...accepting, watermark, flush, telemetry }));
  } else for (const path of ingestPaths) elsewhere.post(path, (c) => c.notFound());
  mountApi(deps.roles.has("api") ? app : elsewhere, deps);
  if (deps.cluster) app.route("/", clusterRoutes(deps.cluster));
  app.route("/", metricsRoutes({ telemetry, publicUrl: deps.publicUrl }));
  const { roles, health = { stalled: { isStalled: false }, redis: undefined, isStopping: () => false } } = deps;
  const { isStopping } = health;
  app.route("/", systemRoutes({ root: app, roles, isStopping, checks: readinessChecks(deps, health) }));
  if (deps.roles.has("api")) serveDashboard(app, webFolder, createEmbedTokens(deps.postgres));
  return app;
}

/** What a process with the role `api` answers. */
function mountApi(app: OpenAPIHono<HttpEnv>, deps: AppDeps): void {
  const { clickhouse, tree, keys, users, signInSessions, watermark, settledBatch, log } = deps;
  const cyclesOf = (node: string) => readCycleSpans(deps.postgres.db, tree, node);
  app.route(
    "/",
    usageRoutes({ clickhouse, tree, watermark, heldLive: deps.heldLive, customMeters: deps.customMeters, cyclesOf }),
  );
  app.route("/", metersRoutes({ customMeters: deps.customMeters, tree }));
  app.route("/", correctionsRoutes({ corrections: deps.corrections, tree }));
  const { corrections, customMeters } = deps;
  app.route("/", explainRoutes({ clickhouse, tree, customMeters, corrections, watermark }));
  app.route("/", recordsRoutes({ clickhouse, tree, watermark, settledBatch }));
  app.route("/", usageSessionsRoutes({ clickhouse, tree, watermark }));
  app.route("/", orphansRoutes({ clickhouse, tree, watermark }));
  app.route("/", jobsRoutes({ clickhouse, tree, watermark, settledBatch }));
  app.route("/", quarantineRoutes({ clickhouse, tree, watermark }));
  app.route("/", ingestHealthRoutes({ clickhouse, postgres: deps.postgres, tree, watermark }));
  app.route("/", signInRoutes({ users, signInSessions }));
  const { postgres, mailer, publicUrl } = deps;
  const passkeys = createPasskeys({ postgres, publicUrl, log });
  app.route("/", oidcRoutes({ oidc: deps.oidc, passkeys, users, signInSessions, publicUrl, log }));
  const providerName = deps.oidc?.name;
  app.route("/", passkeysRoutes({ passkeys, users, signInSessions, providerName, mailer, publicUrl, log }));
  app.route("/", accountRoutes({ postgres, users, signInSessions, mailer, publicUrl, log }));
  app.route("/", offersRoutes({ postgres, signInSessions }));
  app.route("/", usersRoutes({ postgres, tree, signInSessions, mailer, mailLimits: deps.mailLimits, publicUrl, log }));
  app.route("/", nodesRoutes({ tree, postgres, clickhouse }));
  app.route("/", keysRoutes({ keys, tree }));
  const meterOf: UsageSource["meterOf"] = (...asked) => deps.customMeters.find(...asked);
  app.route("/", plansRoutes({ postgres, tree, meterOf }));
  app.route("/", chargesRoutes({ clickhouse, postgres, tree, meterOf, watermark }));
  app.route("/", whatIfRoutes({ clickhouse, postgres, tree, meterOf, watermark }));
  app.route("/", quotasRoutes({ clickhouse, postgres, tree, meterOf, watermark, changedNodes: deps.changedNodes }));
  // What many are answered with ends with nobody's request.
  const shared = askedFor(clickhouse);
  const figures = new OrganizationFigures({
    clickhouse: shared,
    postgres,
    tree,
    meterOf,
    watermark,
    settledBatch,
    log,
  });
  app.route("/", modelsRoutes({ postgres, tree }));
  app.route("/", viewsRoutes({ postgres, tree }));
  const sharing = { postgres, tree, embedTokens: createEmbedTokens(postgres) };
  app.route("/", viewLinksRoutes({ ...sharing, publicUrl }));
  app.route("/", sharedViewsRoutes({ ...sharing, clickhouse, watermark, customMeters, cyclesOf }));
  app.route("/", annotationsRoutes({ postgres, tree }));
  app.route("/", dataChangesRoutes({ clickhouse, postgres, tree }));
  app.route("/", organizationsRoutes({ tree, figures, clickhouse, meterOf }));
  app.route(
    "/",
    overviewRoutes({ clickhouse: shared, postgres, tree, meterOf, watermark, settledBatch, figures, log }),
  );
  const reportSource = { clickhouse: shared, postgres, tree, meterOf, watermark, figures };
  app.route("/", reportsRoutes({ source: reportSource }));
  const wake = () => {
    deps.reportMaker?.tick().catch((err: unknown) => log.warn({ err }, "report runs could not be claimed"));
  };
  app.route("/", reportRunsRoutes({ source: reportSource, wake }));
  app.route("/", schedulesRoutes({ postgres, tree, mailLimits: deps.mailLimits, hasBucket: deps.hasReportsBucket }));
  app.route("/", subscriptionsRoutes({ postgres, tree, meterOf }));
  app.route("/", statementsRoutes({ postgres, tree, clickhouse, watermark }));
  app.route("/", rulesRoutes({ clickhouse, postgres, tree, meterOf, watermark }));
  app.route("/", alertsRoutes({ postgres, tree, publicUrl }));
  app.route("/", notificationPreferencesRoutes({ postgres }));
  app.route("/", paymentsRoutes({ postgres, tree, watermark, paymentKeys: deps.paymentKeys }));
  const { vault, egress, mailLimits } = deps;
  app.route("/", channelsRoutes({ postgres, tree, mailLimits, vault, egress, publicUrl }));
  app.route("/", deliveriesRoutes({ postgres, tree, vault, mailLimits }));
  app.route("/", unsubscribeRoutes({ postgres, tree }));
  app.route("/", auditRoutes({ postgres: deps.postgres, tree, clickhouse }));
  app.route("/", reconciliationRoutes({ postgres: deps.postgres, tree }));
}
