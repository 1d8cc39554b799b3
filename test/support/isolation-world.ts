/**
 * The whole application on stores of its own, with a small account tree and one caller of each kind, for the isolation
 * matrix. Questions are about reseller `asked-about` and what stands below it:
 *
 *     all > partner above > reseller asked-about > organization inside, organization beside
 *                         > reseller sibling     > organization elsewhere
 *                         > reseller former, below which organization inside stood until June 2025
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getRequestListener } from "@hono/node-server";
import { pino } from "pino";
import { system } from "../../server/audit/record-change.ts";
import { eventType } from "../../server/catalog/catalog.ts";
import { type KeyScope, roles } from "../../server/contract/accounts.ts";
import { createCorrections } from "../../server/corrections/corrections.ts";
import { createEgress } from "../../server/delivery/egress.ts";
import { nothingAllowed } from "../../server/delivery/outgoing-allow.ts";
import { vaultOf } from "../../server/delivery/vault.ts";
import { Questions } from "../../server/fairness/questions.ts";
import { type AppDeps, createApp } from "../../server/http/app.ts";
import { createAuthenticator } from "../../server/http/authenticate.ts";
import { newId } from "../../server/identity/actor.ts";
import { createKeys } from "../../server/identity/keys.ts";
import { createSignInSessions } from "../../server/identity/sign-in-sessions.ts";
import { createUsers } from "../../server/identity/users.ts";
import { startIngest } from "../../server/ingest/flush/start-ingest.ts";
import { CustomMeters } from "../../server/meters/custom-meters.ts";
import { OrganizationFigures } from "../../server/overview/organization-figures.ts";
import { connectPostgres } from "../../server/postgres/client.ts";
import { migratePostgres } from "../../server/postgres/migrate.ts";
import { nodeParents, userRoles, users as userRows } from "../../server/postgres/schema/accounts.ts";
import { createReportMaker } from "../../server/reports/make-runs.ts";
import { createTelemetry } from "../../server/telemetry/telemetry.ts";
import { ChangedNodes, nodesAround } from "../../server/tree/changed-nodes.ts";
import { NodeTree } from "../../server/tree/node-tree.ts";
import { type Ask, type Asked, askAt } from "./accounts.ts";
import { ownClickHouse, ownPostgres } from "./stores.ts";

/** Ids that occur in no other text: an answer that holds one reveals that node. */
export const askedAbout = "reseller:asked-about-9f3c";
export const inside = "organization:inside-9f3c";
export const pastOwner = "reseller:former-9f3c";
export const pastOwnerUntil = new Date("2025-06-01T00:00:00Z");
const outside = { sibling: "reseller:sibling-9f3c", child: "organization:beside-9f3c" };

/** What payment providers sign with. */
export const paymentKey = Buffer.alloc(32, 7);

export interface World {
  deps: AppDeps;
  ask: Ask;
  /** Without a slash at its end. */
  url: string;
  /** `METHOD path` of every route but the dashboard's files, the path as OpenAPI writes it. */
  routes: string[];
  /** What each kind of caller sends along. */
  callers: ReadonlyMap<string, Asked>;
  /** A new key, in `inside` unless another node is named. */
  makeKey(scopes: KeyScope[], node?: string): Promise<{ id: string; key: string }>;
  close(): Promise<void>;
}

/** `placed`: how the service stands in its network. */
export async function createWorld(placed: Partial<Pick<AppDeps, "publicUrl" | "isTrustedProxy">> = {}): Promise<World> {
  const log = pino({ level: "silent" });
  const [clickhouse, database] = await Promise.all([ownClickHouse(), ownPostgres()]);
  const dataDir = await mkdtemp(join(tmpdir(), "tidemark-isolation-"));
  const telemetry = createTelemetry();
  const postgres = connectPostgres(database.url, telemetry.postgresFailed);
  await migratePostgres(postgres);
  const tree = await NodeTree.load(postgres, log);
  const keys = createKeys(postgres, log);
  const users = createUsers({ postgres, tree });
  const signInSessions = createSignInSessions(postgres, log);
  const changedNodes = new ChangedNodes();
  const ingest = await startIngest({
    dataDir,
    walMaxBytes: 1e9,
    eventsPerSecond: 1e6,
    clickhouse: clickhouse.clickhouse,
    placementsWithin: (organization, fromMs, toMs) => tree.placementsWithin(organization, fromMs, toMs),
    announce: (organizations, levels) => changedNodes.announce(nodesAround(tree, organizations, levels)),
    onFatal: (error) => {
      throw error;
    },
    logger: log,
    observer: telemetry,
  });
  const customMeters = await CustomMeters.load(postgres, tree, log);
  const deps: AppDeps = {
    clickhouse: clickhouse.clickhouse,
    postgres,
    tree,
    keys,
    users,
    signInSessions,
    authenticator: createAuthenticator({ keys, signInSessions, tree }),
    mailer: undefined,
    questions: new Questions(),
    oidc: undefined,
    publicUrl: "http://localhost",
    isTrustedProxy: () => false,
    ...placed,
    ingest,
    customMeters,
    eventType,
    corrections: createCorrections({
      postgres,
      clickhouse: clickhouse.clickhouse,
      tree,
      ingest,
      isCarriedOnFor: (type, nodes) => customMeters.isCarriedOnFor(type, nodes),
    }),
    watermark: () => ingest.flush.watermark(),
    settledBatch: () => ingest.flush.settledBatch,
    changedNodes,
    vault: vaultOf("a secret key of the isolation matrix"),
    egress: createEgress({ allow: nothingAllowed }),
    paymentKeys: [paymentKey],
    reportMaker: undefined,
    roles: new Set(["ingest", "api", "worker"]),
    telemetry,
    log,
  };
  const source = {
    clickhouse: deps.clickhouse,
    postgres,
    tree,
    watermark: deps.watermark,
    settledBatch: deps.settledBatch,
    log,
    meterOf: (...asked: Parameters<typeof customMeters.find>) => customMeters.find(...asked),
  };
  const reportMaker = createReportMaker({ ...source, figures: new OrganizationFigures(source) }, log);
  deps.reportMaker = reportMaker;
  const app = createApp(deps);
  const server = createServer(getRequestListener(app.fetch)).listen(0, "127.0.0.1");
  await once(server, "listening");

  const reseller = (id: string) => ({
    kind: "reseller" as const,
    id,
    name: "A reseller",
    parent: "partner:above-9f3c",
  });
  await tree.createNode({ kind: "partner", id: "above-9f3c", name: "A partner", parent: "all" });
  await tree.createNode(reseller("asked-about-9f3c"));
  await tree.createNode(reseller("sibling-9f3c"));
  await tree.createNode(reseller("former-9f3c"));
  await tree.ensureOrganizations(["inside-9f3c"], pastOwner);
  await postgres.db.insert(nodeParents).values({ node: inside, parent: askedAbout, validFrom: pastOwnerUntil });
  await tree.reread([inside]);
  await tree.ensureOrganizations(["beside-9f3c"], askedAbout);
  await tree.ensureOrganizations(["elsewhere-9f3c"], outside.sibling);

  async function makeKey(scopes: KeyScope[], node = inside, expiresAt: Date | null = null) {
    const made = await keys.create({
      name: "A key",
      node,
      scopes,
      createOrganizations: true,
      seePrices: scopes.includes("admin") && scopes.includes("read"),
      expiresAt,
      createdBy: "usr_test",
    });
    return { id: made.record.id, key: made.key };
  }
  const all: KeyScope[] = ["ingest", "read", "admin"];
  const revoked = await makeKey(all, askedAbout);
  await keys.revoke(revoked.id, { by: system, check: () => undefined });
  const callers = new Map<string, Asked>([
    ["without a key", {}],
    ["with a key that nobody made", { key: `tmk_${randomBytes(32).toString("base64url")}` }],
    ["with a revoked key", { key: revoked.key }],
    ["with an expired key", { key: (await makeKey(all, askedAbout, new Date(0))).key }],
    ["own", { key: (await makeKey(all, askedAbout)).key }],
    ["parent", { key: (await makeKey(all, "partner:above-9f3c")).key }],
    ["sibling", { key: (await makeKey(all, outside.sibling)).key }],
    ["past owner", { key: (await makeKey(all, pastOwner)).key }],
    ["child", { key: (await makeKey(all, outside.child)).key }],
  ]);
  for (const scope of all)
    callers.set(`with only the scope ${scope}`, { key: (await makeKey([scope], askedAbout)).key });

  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const role of roles) {
    const [user] = await postgres.db
      .insert(userRows)
      .values({ id: newId("usr"), email: `${role}@example.com` })
      .returning();
    if (!user) throw new Error("the user was not stored");
    await postgres.db.insert(userRoles).values({ userId: user.id, node: askedAbout, role });
    const { token } = await signInSessions.create(user.id);
    callers.set(`with the role ${role}`, { session: token, headers: { origin: url } });
  }

  return {
    deps,
    ask: askAt(url),
    url,
    routes: routesOf(app.routes),
    callers,
    makeKey,
    async close() {
      server.close();
      server.closeAllConnections();
      await reportMaker.stop();
      await ingest.stop(0);
      await Promise.all([keys.close(), signInSessions.close(), tree.close()]);
      await postgres.close();
      await Promise.all([clickhouse.drop(), database.drop(), rm(dataDir, { recursive: true, force: true })]);
    },
  };
}

/** Middleware is mounted for all methods, and the dashboard's files at `*`; neither answers for accounts. */
function routesOf(routes: readonly { method: string; path: string }[]): string[] {
  const own = routes.filter(({ method, path }) => method !== "ALL" && !path.includes("*"));
  return [...new Set(own.map(({ method, path }) => `${method} ${path.replace(/:(\w+)(?:\{[^}]*\})?/g, "{$1}")}`))];
}
