/** The pool of connections to Postgres when connections break under it. */
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { connectPostgres, isPostgresUnavailable, type Postgres } from "../../server/postgres/client.ts";
import { ownPostgres } from "../support/stores.ts";

let database: Awaited<ReturnType<typeof ownPostgres>>;
let postgres: Postgres;
let admin: pg.Client;
beforeEach(async () => {
  database = await ownPostgres();
  postgres = connectPostgres(database.url);
  admin = new pg.Client({ connectionString: database.url });
  await admin.connect();
});
afterEach(async () => {
  await admin.end();
  await postgres.close();
  await database.drop();
});

/** Ends every connection of the pool, as a restart of Postgres does. */
function cutConnections() {
  return admin.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
  );
}

const ask = () => postgres.transaction((tx) => tx.execute("SELECT 1"));

test("connections that break as transactions begin are reported as an outage and cost the pool nothing", async () => {
  let failures = 0;
  for (let round = 0; round < 15; round++) {
    await Promise.all(Array.from({ length: 3 }, ask));
    await cutConnections();
    for (const outcome of await Promise.allSettled(Array.from({ length: 3 }, ask))) {
      if (outcome.status === "fulfilled") continue;
      failures++;
      expect(isPostgresUnavailable(outcome.reason)).toBe(true);
    }
    await expect.poll(() => postgres.pool.totalCount - postgres.pool.idleCount).toBe(0);
    await expect
      .poll(() =>
        ask().then(
          () => "answered",
          () => "failed",
        ),
      )
      .toBe("answered");
  }
  expect(failures).toBeGreaterThan(0);
  expect(await Promise.all(Array.from({ length: 20 }, ask))).toHaveLength(20);
});

test("a transaction that fails is rolled back whole, and its connection serves the next", async () => {
  await postgres.pool.query("CREATE TABLE kept (n int PRIMARY KEY)");
  await expect(
    postgres.transaction(async (tx) => {
      await tx.execute("INSERT INTO kept VALUES (1)");
      await tx.execute("INSERT INTO kept VALUES (1)");
    }),
  ).rejects.toThrow();
  expect((await postgres.pool.query("SELECT * FROM kept")).rows).toEqual([]);
  expect(postgres.pool.totalCount).toBe(1);
  expect(postgres.pool.idleCount).toBe(1);
});
