/** How a database of ClickHouse is brought to the newest schema, and what stops it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ClickHouse, connectClickHouse } from "../../server/clickhouse/client.ts";
import { type Migration, migrateClickHouse, splitStatements } from "../../server/clickhouse/migrate.ts";
import { type OwnClickHouse, ownClickHouse } from "../support/stores.ts";

let own: OwnClickHouse;
let clickhouse: ClickHouse;
let database = 0;
beforeAll(async () => {
  own = await ownClickHouse();
});
afterAll(() => own.drop());

/** An empty database. */
async function empty<Result>(use: (clickhouse: ClickHouse) => Promise<Result>): Promise<Result> {
  const name = `${own.connection.database}_${++database}`;
  await own.clickhouse.command(`CREATE DATABASE ${name}`);
  clickhouse = connectClickHouse({ ...own.connection, database: name });
  try {
    return await use(clickhouse);
  } finally {
    await clickhouse.close();
    await own.clickhouse.command(`DROP DATABASE ${name} SYNC`);
  }
}
const migration = (name: string, sql: string): Migration => ({
  name,
  checksum: `of ${sql}`,
  statements: splitStatements(sql),
});
const things = migration("0001_things", "CREATE TABLE things (n UInt8) ENGINE = MergeTree ORDER BY n");
const more = "CREATE TABLE more (n UInt8) ENGINE = MergeTree ORDER BY n; ALTER TABLE more ADD COLUMN m UInt8";
const tables = async () => (await clickhouse.select("SHOW TABLES", {})).map((row) => Object.values(row as object)[0]);

test("migrations are applied once, in their order, and a second start applies nothing", () =>
  empty(async () => {
    const all = [things, migration("0002_more", more)];
    expect(await migrateClickHouse(clickhouse, all)).toEqual(["0001_things", "0002_more"]);
    expect(await migrateClickHouse(clickhouse, all)).toEqual([]);
    expect(await tables()).toEqual(["more", "schema_migrations", "things"]);
  }));

test("a migration that was changed after it had been applied stops the start by name, and nothing is run", () =>
  empty(async () => {
    await migrateClickHouse(clickhouse, [things]);
    const changed = migration("0001_things", "CREATE TABLE others (n UInt8) ENGINE = MergeTree ORDER BY n");
    await expect(migrateClickHouse(clickhouse, [changed, migration("0002_more", more)])).rejects.toThrow(
      "0001_things.sql was changed after it had been applied",
    );
    expect(await tables()).toEqual(["schema_migrations", "things"]);
  }));

test("a database of a newer version stops the start of an older one by name", () =>
  empty(async () => {
    await migrateClickHouse(clickhouse, [things, migration("0002_more", more)]);
    await expect(migrateClickHouse(clickhouse, [things])).rejects.toThrow(
      "The database has migration 0002_more, which this version of Tidemark does not know.",
    );
  }));

test("a migration that was cut off after any of its statements goes on from there", () =>
  empty(async () => {
    const whole = migration("0002_more", more);
    const cut = {
      ...whole,
      statements: whole.statements.map((sql, index) => (index === 1 ? "SELECT throwIf(1)" : sql)),
    };
    await expect(migrateClickHouse(clickhouse, [things, cut])).rejects.toThrow();
    expect(await migrateClickHouse(clickhouse, [things, whole])).toEqual(["0002_more"]);
    const columns = await clickhouse.select(
      "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'more'",
      {},
    );
    expect(columns).toEqual([{ name: "n" }, { name: "m" }]);
  }));

test("a statement that ran, but was not yet noted when the process died, does no harm when it runs again", () =>
  empty(async () => {
    await migrateClickHouse(clickhouse, []);
    await clickhouse.command(things.statements[0] as string);
    expect(await migrateClickHouse(clickhouse, [things])).toEqual(["0001_things"]);
  }));
