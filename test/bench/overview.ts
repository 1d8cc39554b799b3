/**
 * `npm run bench:overview`: how long GET /v1/organizations and GET /v1/overview take with 10,000 organizations and 30 days of
 * their usage. BENCH_ORGANIZATIONS and BENCH_EVENTS say how many (10,000 and 9 million), BENCH_RUNS how often each is asked.
 * `first` is the first time anybody asks, `stored` while new events are stored before every question.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { pino } from "pino";
import { system } from "../../server/audit/record-change.ts";
import { createPlan, publishPlan } from "../../server/billing/plans.ts";
import { meterByName } from "../../server/catalog/catalog.ts";
import { connectClickHouse, readSql } from "../../server/clickhouse/client.ts";
import { migrateClickHouse } from "../../server/clickhouse/migrate.ts";
import { planTermsSchema } from "../../server/contract/plans.ts";
import { startEmbeddedClickHouse } from "../../server/embedded/embedded-clickhouse.ts";
import { startEmbeddedPostgres } from "../../server/embedded/embedded-postgres.ts";
import { applyFoundation, createRouter } from "../../server/http/app-pieces.ts";
import { attachActor } from "../../server/http/authenticate.ts";
import { organizationsRoutes } from "../../server/http/routes/organizations.ts";
import { overviewRoutes } from "../../server/http/routes/overview.ts";
import type { Actor } from "../../server/identity/actor.ts";
import { actionsOfKey } from "../../server/identity/permissions.ts";
import { OrganizationFigures } from "../../server/overview/organization-figures.ts";
import { connectPostgres } from "../../server/postgres/client.ts";
import { migratePostgres } from "../../server/postgres/migrate.ts";
import type { NewNode } from "../../server/tree/node-record.ts";
import { NodeTree } from "../../server/tree/node-tree.ts";
import { whenMerged } from "./generate-usage.ts";

const organizations = Number(process.env.BENCH_ORGANIZATIONS ?? 10_000);
const events = Number(process.env.BENCH_EVENTS ?? 9_000_000);
const runs = Number(process.env.BENCH_RUNS ?? 40);
const barMs = 300;
const eventsPerInsert = 250_000;
const organizationsPerInsert = 2_000;
const meetingMs = 6 * 3_600_000;
const dayMs = 86_400_000;
const nowMs = Date.now();
const fromMs = nowMs - 30 * dayMs;

const log = pino({ level: "silent" });
const dataDir = await mkdtemp(join(tmpdir(), "tidemark-bench-"));
const embedded = await startEmbeddedClickHouse({ dataDir, log });
const database = await startEmbeddedPostgres({ dataDir, log });
const clickhouse = connectClickHouse(embedded.connection);
const postgres = connectPostgres(database.url);

async function step(name: string, work: () => Promise<unknown>): Promise<void> {
  const startedAtMs = performance.now();
  await work();
  console.log(`${name}: ${((performance.now() - startedAtMs) / 1000).toFixed(1)} s`);
}

const actor: Actor = {
  kind: "key",
  id: "key_bench",
  name: "bench",
  node: "all",
  reach: ["all"],
  grants: [{ node: "all", actions: actionsOfKey(["read", "admin"], true) }],
  createOrganizations: false,
};

async function makeAccounts(tree: NodeTree): Promise<void> {
  const nodes: NewNode[] = [];
  for (let n = 0; n < 10; n++) nodes.push({ kind: "partner", id: `partner-${n}`, name: `Partner ${n}`, parent: "all" });
  for (let n = 0; n < 100; n++)
    nodes.push({ kind: "reseller", id: `reseller-${n}`, name: `Reseller ${n}`, parent: `partner:partner-${n % 10}` });
  const words = [
    "Nordlicht",
    "Acme",
    "Blue River",
    "Kestrel",
    "Summit",
    "Harbour",
    "Oak & Sons",
    "Lumen",
    "Vertex",
    "Clover",
  ];
  for (let n = 0; n < organizations; n++) {
    const id = `org-${String(n).padStart(5, "0")}`;
    const name = `${words[n % words.length]} ${words[Math.floor(n / 10) % words.length]} ${n}`;
    nodes.push({ kind: "organization", id, name, parent: `reseller:reseller-${n % 100}`, externalId: `CRM-${n * 7}` });
  }
  await tree.importNodes(nodes, system);
  const feature = (key: string, meter: string, included: string) => ({
    key,
    meter,
    included,
    overage: "bill",
    prices: { organization: { model: "graduated", tiers: [{ up_to: null, unit_price: "0.02" }] } },
  });
  const terms = planTermsSchema.parse({
    currency: "EUR",
    fixed_fee: { organization: "49", reseller: "30" },
    features: [
      feature("minutes", "transcribed_minutes", "15000"),
      feature("api", "api_calls", "300"),
      { key: "people", meter: "max_concurrent_participants", included: "4" },
      { key: "presence", meter: "participation_minutes", included: "20000" },
    ],
  });
  const plan = await createPlan(postgres, tree, { node: "all", name: "Standard", offered: true, terms }, system);
  await publishPlan(postgres, plan.id, { by: system, check: () => undefined });
  await postgres.db.execute(sql`
    INSERT INTO subscriptions (id, node, anchor, tz, starts_at, renews)
    SELECT 'sub_' || n, 'organization:org-' || lpad(n::text, 5, '0'), 1 + n % 28, 'UTC', '2026-01-01', true
    FROM generate_series(0, ${organizations - 1}::int) n`);
  await postgres.db.execute(sql`
    INSERT INTO subscription_plans (subscription_id, valid_from, plan_id, version)
    SELECT 'sub_' || n, '2026-01-01', ${plan.id}, 1 FROM generate_series(0, ${organizations - 1}::int) n`);
  await postgres.db.execute(sql`
    INSERT INTO users (id, email) SELECT 'usr_' || n, n || '@example.com' FROM generate_series(0, ${3 * organizations - 1}::int) n`);
  await postgres.db.execute(sql`
    INSERT INTO user_roles (user_id, node, role)
    SELECT 'usr_' || n, 'organization:org-' || lpad((n / 3)::text, 5, '0'), 'viewer' FROM generate_series(0, ${3 * organizations - 1}::int) n`);
}

const percentile = (times: readonly number[], share: number) =>
  [...times].sort((a, b) => a - b)[Math.min(times.length - 1, Math.ceil(times.length * share) - 1)] ?? Number.NaN;

try {
  await migrateClickHouse(clickhouse);
  await migratePostgres(postgres);
  const tree = await NodeTree.load(postgres, log);
  await step(`${organizations} organizations with subscriptions and users`, () => makeAccounts(tree));
  const generate = readSql("../test/bench/sql/generate_organizations.sql");
  await step(`${events} events`, async () => {
    for (let first = 0, batch = 1; first < events; first += eventsPerInsert, batch++)
      await clickhouse.command(generate, {
        first,
        past: Math.min(events, first + eventsPerInsert),
        organizations,
        from_ms: fromMs,
        to_ms: nowMs,
        batch,
      });
  });
  await step("slots", async () => {
    const slots = readSql("../test/bench/sql/generate_organization_slots.sql");
    const meetings = Math.floor((nowMs - fromMs) / meetingMs);
    for (let first = 0; first < organizations; first += organizationsPerInsert) {
      const past = Math.min(organizations, first + organizationsPerInsert);
      await clickhouse.command(slots, { first, past, from_ms: fromMs, meetings, version: 1 });
    }
    await clickhouse.command(readSql("../test/bench/sql/generate_node_slots.sql"), { version: 1 });
  });
  await step("merges", () => whenMerged(clickhouse));

  let settled = 1;
  const source = {
    clickhouse,
    postgres,
    tree,
    meterOf: (name: string) => meterByName(name),
    watermark: () => new Date(),
    settledBatch: () => settled,
    log,
  };
  const figures = new OrganizationFigures(source);
  const app = createRouter();
  applyFoundation(app, { log });
  app.use("/v1/*", attachActor({ authenticate: async () => actor }));
  app.route("/", organizationsRoutes({ ...source, figures }));
  app.route("/", overviewRoutes({ ...source, figures }));
  const ask = async (path: string): Promise<number> => {
    const startedAtMs = performance.now();
    const response = await app.request(path);
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${path}: ${text}`);
    return performance.now() - startedAtMs;
  };

  const questions = [
    "/v1/organizations",
    "/v1/organizations?sort=usage&limit=100",
    "/v1/organizations?search=nordlihct%20acme",
    "/v1/organizations?quota=over,high&status=active&sort=users",
    "/v1/organizations?node=reseller:reseller-7&sort=usage",
    "/v1/overview",
    "/v1/overview?node=partner:partner-3",
    "/v1/overview?node=reseller:reseller-7&tz=Asia/Kolkata",
    "/v1/overview?meter=api_calls",
  ];
  const row = (...cells: string[]) =>
    console.log(cells.map((cell, index) => (index === 0 ? cell.padEnd(62) : cell.padStart(12))).join(""));
  console.log(`\n${organizations} organizations, ${events} events of 30 days, ${runs} runs, ms (bar: p95 ${barMs})\n`);
  row("question", "first", "p50", "p95", "stored p50", "stored p95");
  for (const path of questions) {
    const first = await ask(path);
    const timed = async (isStored: boolean) => {
      const times: number[] = [];
      for (let run = 0; run < runs; run++) {
        if (isStored) settled++;
        times.push(await ask(path));
      }
      return times;
    };
    const [still, stored] = [await timed(false), await timed(true)];
    row(
      path,
      ...[
        first,
        percentile(still, 0.5),
        percentile(still, 0.95),
        percentile(stored, 0.5),
        percentile(stored, 0.95),
      ].map((ms) => ms.toFixed(0)),
    );
  }
  await tree.close();
} finally {
  await clickhouse.close();
  await postgres.close();
  await embedded.stop();
  await database.stop();
  await rm(dataDir, { recursive: true, force: true });
}
