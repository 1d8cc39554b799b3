/** Rows of intervals that an earlier version wrote, and what this one makes of them. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { defaultAliveWithinMs } from "../../../server/catalog/levels.ts";
import { type ClickHouse, connectClickHouse } from "../../../server/clickhouse/client.ts";
import { migrateClickHouse, readMigrations } from "../../../server/clickhouse/migrate.ts";
import { stageComparisons } from "../../../server/rollups/compare-stages.ts";
import { rebuildIntervals } from "../../../server/rollups/reinsert-intervals.ts";
import { SetAside } from "../../../server/rollups/set-aside.ts";
import { type Leaving, storedSessionsByName } from "../../../server/rollups/stored-sessions.ts";
import { resolveSession } from "../../support/resolve-session.ts";
import { type OwnClickHouse, ownClickHouse } from "../../support/stores.ts";

let own: OwnClickHouse;
let clickhouse: ClickHouse;
beforeAll(async () => {
  own = await ownClickHouse();
});
afterAll(() => own.drop());

const beganMs = Date.parse("2026-02-03T09:00:00Z");
let stored = 0;

async function store(event: Record<string, string | number>): Promise<void> {
  const said = { organization: "acme", session: "s", level: "participants", ...event };
  const columns = { ...said, id: `e${stored}`, batch: ++stored, sign: 1 };
  const values = Object.values(columns).map((value) => (typeof value === "number" ? value : `'${value}'`));
  await clickhouse.command(`INSERT INTO usage_events (${Object.keys(columns)}) VALUES (${values})`);
}
const at = (minutes: number) => new Date(beganMs + minutes * 60_000).toISOString().replace("T", " ").slice(0, -1);
const device = (name: string) => JSON.stringify({ device: name });

/** A database with the schema of before this migration, filled by `fill`, and brought to today's. */
async function upgraded(migration: string, fill: () => Promise<void>, use: () => Promise<void>): Promise<void> {
  const name = `${own.connection.database}_before`;
  await own.clickhouse.command(`CREATE DATABASE ${name}`);
  clickhouse = connectClickHouse({ ...own.connection, database: name });
  stored = 0;
  try {
    const before = readMigrations().filter((one) => one.name < migration);
    await migrateClickHouse(clickhouse, before);
    await fill();
    expect(await migrateClickHouse(clickhouse)).toContain(migration);
    await use();
  } finally {
    await clickhouse.close();
    await own.clickhouse.command(`DROP DATABASE ${name} SYNC`);
  }
}

const leaving: Leaving = {
  aside: new SetAside(),
  onTooLarge: async ({ session }) => expect.unreachable(session),
};

async function known() {
  for await (const { sessions } of storedSessionsByName(clickhouse, [{ organization: "acme", session: "s" }], leaving))
    return [...sessions.values()].flatMap((one) => one.known.intervals);
  return [];
}

async function drift(batch: number): Promise<unknown[]> {
  const comparison = { clickhouse, dirtyBatch: batch } as Parameters<typeof stageComparisons.intervals.compare>[0];
  return await stageComparisons.intervals.compare(comparison, { organization: "acme", day: "2026-02-03" });
}

test("a named interval keeps the dimensions that were read before these had a time, which is no drift, until it is rebuilt", () =>
  upgraded(
    "0023_first_dimensions",
    async () => {
      const named = { interval: "i", user: "u" };
      await store({ ...named, time: at(0), level_action: "start", dims: device("mobile") });
      await store({ ...named, time: at(9), level_action: "end", dims: device("tablet") });
    },
    async () => {
      const dims = async () => (await known()).map((one) => one.dims);
      expect(await dims()).toEqual([device("tablet")]);
      for (const [minutes, name] of [
        [-5, "watch"],
        [5, "a phone"],
      ] as const)
        await store({ interval: "i", user: "u", time: at(minutes), level_action: "alive", dims: device(name) });
      await store({ interval: "new", user: "u", time: at(5), level_action: "alive", dims: device("watch") });
      await store({ interval: "new", user: "u", time: at(4), level_action: "start", dims: device("phone") });
      expect((await dims()).sort()).toEqual([device("phone"), device("tablet")]);
      expect(await drift(1)).toEqual([]);
      await rebuildIntervals(clickhouse, [1]);
      expect((await dims()).sort()).toEqual([device("phone"), device("watch")]);
      expect(await drift(1)).toEqual([]);
      await clickhouse.command("DELETE FROM intervals WHERE interval = 'i'");
      expect(await drift(1)).toHaveLength(1);
    },
  ));

test("stays without a name are silent for as long as the last of them said that was read before each said its own, which is no drift, until they are rebuilt", () =>
  upgraded(
    "0024_silences_of_presences",
    async () => {
      await store({ user: "u", time: at(0), level_action: "start", dims: "{}" });
      await store({ user: "u", time: at(300), level_action: "start", dims: "{}", alive_within_ms: 60_000 });
    },
    async () => {
      const stays = async () =>
        resolveSession(await known(), beganMs + 365 * 86_400_000, defaultAliveWithinMs).spans.map(
          ({ startMs, endMs = 0 }) => [(startMs - beganMs) / 60_000, (endMs - beganMs) / 60_000],
        );
      expect(await stays()).toEqual([
        [0, 0],
        [300, 300],
      ]);
      await store({ user: "u", time: at(310), level_action: "start", dims: "{}", alive_within_ms: 3_600_000 });
      await store({ user: "u", time: at(330), level_action: "start", dims: "{}" });
      const upgradedStays = [
        [0, 0],
        [300, 300],
        [310, 330],
      ];
      expect(await stays()).toEqual(upgradedStays);
      expect(await drift(1)).toEqual([]);
      await rebuildIntervals(clickhouse, [1]);
      expect(await stays()).toEqual([
        [0, 300],
        [310, 330],
      ]);
      expect(await drift(1)).toEqual([]);
    },
  ));
