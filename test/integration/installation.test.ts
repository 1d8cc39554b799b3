/** A ClickHouse whose Postgres is lost: nobody else's process stores into it unasked, and a new one takes it over when told to. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { claimClickHouse } from "../../server/cluster/claim-stores.ts";
import { connectPostgres } from "../../server/postgres/client.ts";
import { migratePostgres } from "../../server/postgres/migrate.ts";
import { startService, type TestService } from "../support/service.ts";
import { type OwnClickHouse, ownClickHouse, ownPostgres, urlOf } from "../support/stores.ts";

const rootKey = `root-${randomBytes(16).toString("hex")}`;

let clickhouse: OwnClickHouse;
let lost: Awaited<ReturnType<typeof ownPostgres>>;
let fresh: Awaited<ReturnType<typeof ownPostgres>>;
const running: TestService[] = [];

beforeAll(async () => {
  [clickhouse, lost, fresh] = await Promise.all([ownClickHouse(), ownPostgres(), ownPostgres()]);
});
afterAll(async () => {
  for (const service of running) await service.stop();
  await Promise.all([clickhouse?.drop(), lost?.drop(), fresh?.drop()]);
});

async function start(databaseUrl: string, settings: Record<string, string> = {}): Promise<TestService> {
  const own = { TIDEMARK_ROOT_KEY: rootKey, CLICKHOUSE_URL: urlOf(clickhouse), DATABASE_URL: databaseUrl };
  const service = await startService({ ...own, LOG_LEVEL: "error", ...settings });
  running.push(service);
  return service;
}

/** What the process said when it ended instead of starting. */
const refusal = (databaseUrl: string, settings: Record<string, string> = {}) =>
  start(databaseUrl, settings).then(
    () => "it started",
    (error: Error) => error.message,
  );

/** What else a process with that Postgres does before it starts. */
async function claim(databaseUrl: string, adopted?: string): Promise<void> {
  const postgres = connectPostgres(databaseUrl);
  try {
    await migratePostgres(postgres);
    await claimClickHouse(postgres, clickhouse.clickhouse, adopted);
  } finally {
    await postgres.close();
  }
}

test("a process with another Postgres is refused with the installation's name, and starts when TIDEMARK_INSTALLATION names it, from then on without it", async () => {
  await claim(lost.url);
  await claim(lost.url);

  const said = await refusal(fresh.url);
  const installation = /set TIDEMARK_INSTALLATION=(\S+) once/.exec(said)?.[1] ?? "";
  expect(installation).toMatch(/^[0-9a-f-]{36}$/);
  expect(said).toMatch(/accounts are in another Postgres than DATABASE_URL names/);
  for (const wrong of [undefined, `${installation}0`])
    await expect(claim(fresh.url, wrong)).rejects.toThrow(`TIDEMARK_INSTALLATION=${installation} once`);

  await start(fresh.url, { TIDEMARK_INSTALLATION: installation });
  await claim(fresh.url);
});
