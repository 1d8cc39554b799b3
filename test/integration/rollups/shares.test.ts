/** What many sessions made dirty costs no more than each of them does, and holds up nobody else meanwhile. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type ClickHouse, readSql } from "../../../server/clickhouse/client.ts";
import { type Ingesting, startIngesting } from "../../support/ingesting.ts";
import { wrongDerivations } from "../../support/wrong-derivations.ts";

let ingesting: Ingesting;
/** Called with the ranges of sessions that are read, before they are. */
let onRead: (params: Record<string, unknown>) => Promise<void> | void = () => undefined;

const through = (clickhouse: ClickHouse): ClickHouse => ({
  ...clickhouse,
  async selectColumns(sql, params) {
    if (/FROM intervals\b/.test(sql) && "after_session" in params) await onRead(params);
    return await clickhouse.selectColumns(sql, params);
  },
});

beforeAll(async () => {
  ingesting = await startIngesting({ through });
});
afterAll(() => ingesting?.close());
beforeEach(() => {
  onRead = () => undefined;
});

/** Stores sessions of one past interval each, and marks them all; answers the batch. */
async function markMany(organization: string, sessions: number): Promise<number> {
  const { clickhouse } = ingesting.store;
  const batch = ingesting.sequence.next();
  const params = { organization, sessions, batch };
  const startMs = Date.UTC(2026, 2, 3, 9);
  await clickhouse.command(
    `INSERT INTO intervals (organization, session, level, interval, started_ms, ended_ms, seen_ms)
    SELECT {organization:String}, hex(cityHash64(number)), 'participants', toString(number), ${startMs}, ${startMs + 1000}, ${startMs + 1000}
    FROM numbers({sessions:UInt32})`,
    params,
  );
  await clickhouse.command(
    `INSERT INTO touched_sessions (batch, organization, session, level, interval)
    SELECT {batch:UInt64}, organization, session, '', '' FROM intervals WHERE organization = {organization:String}`,
    params,
  );
  return batch;
}

test("many dirty sessions are read in ranges, each session once and each range where its rows lie", async () => {
  const organization = "many";
  const batch = await markMany(organization, 20_000);
  const ranges: Record<string, unknown>[] = [];
  onRead = (params) => void ranges.push(params);
  const { sessions } = await ingesting.materializer.derive([batch], Date.now());
  expect(sessions).toBe(20_000);
  expect(ranges).toHaveLength(3);
  const { clickhouse } = ingesting.store;
  let found = 0;
  for (const range of ranges) {
    // Of 40,000, with the marks, and what lies in one granule with them.
    const bound = { max_rows_to_read: "21000" };
    found += (await clickhouse.select(readSql("queries/session_intervals.sql"), range, bound)).length;
  }
  expect(found).toBe(20_000);
  expect(await wrongDerivations(ingesting, organization, Date.now())).toEqual([]);
});

test.each(["changes", "comparison"] as const)(
  "between two ranges of dirty sessions others derive: %s",
  async (scope) => {
    const batch = await markMany(`turns of ${scope}`, 10_000);
    const happened: string[] = [];
    let others: Promise<unknown> | undefined;
    onRead = () => {
      happened.push("range");
      others ??= ingesting.materializer
        .deriveEvents({ lines: [], stored: Promise.resolve([ingesting.sequence.next()]) }, Date.now())
        .then(() => happened.push("others"));
    };
    await ingesting.materializer.derive([batch], Date.now(), scope);
    await others;
    expect(happened).toEqual(["range", "others", "range"]);
  },
);
