/** What one organization has stored holds up nobody else's derivation, however much it is. */
import { ClickHouseError } from "@clickhouse/client";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type ClickHouse, readSql, StatementTooHeavyError } from "../../../server/clickhouse/client.ts";
import { type Ingesting, startIngesting } from "../../support/ingesting.ts";
import { wrongDerivations } from "../../support/wrong-derivations.ts";

let ingesting: Ingesting;
/** The sessions of which storage has too much to be read. */
let heavy: string[] = [];
let asked = 0;

const through = (clickhouse: ClickHouse): ClickHouse => ({
  ...clickhouse,
  async selectColumns(sql, params) {
    const columns = await clickhouse.selectColumns(sql, params);
    if (!/FROM\s+intervals\b/.test(sql)) return columns;
    asked++;
    if (columns[1]?.some((session) => heavy.includes(session as string)))
      throw new StatementTooHeavyError(new ClickHouseError({ code: "241", message: "too much", type: "MEMORY" }));
    return columns;
  },
});

beforeAll(async () => {
  // Nothing is held: every session is read from storage.
  ingesting = await startIngesting({ through, maxHeldIntervals: 0 });
});
afterAll(() => ingesting?.close());
beforeEach(() => {
  heavy = [];
});

let sent = 0;
const join = (organization: string, session: string | undefined) => ({
  id: `${++sent}`,
  type: "participant.joined",
  organization,
  ...(session !== undefined && { session }),
  interval: `${sent}`,
  user: `u${sent}`,
  time: new Date(Date.now() - 60_000).toISOString(),
});

/** How many intervals each session was derived with. */
async function derivedOf(organization: string): Promise<Record<string, number>> {
  const rows = await ingesting.store.clickhouse.select(
    `SELECT session, toUInt32(length(span_interval)) AS intervals FROM sessions FINAL
    WHERE organization = {organization:String} AND NOT startsWith(session, 'interval:') ORDER BY session`,
    { organization },
  );
  return Object.fromEntries(
    (rows as { session: string; intervals: number }[]).map((row) => [row.session, row.intervals]),
  );
}

test.each([
  ["that has unassigned intervals", "waiting", true],
  ["that has none", "plain", false],
])(
  "a session of an organization %s that is too much to be read is left for later, alone, and is derived then",
  async (_, organization, hasUnassigned) => {
    const large = `large ${organization}`;
    const quiet = `quiet beside ${organization}`;
    const others = Array.from({ length: 20 }, (_, place) => `s${place}`);
    const counts = (ofOthers: number, ofLarge: number) =>
      Object.fromEntries([[large, ofLarge], ...others.map((session) => [session, ofOthers])]);
    const unassigned = hasUnassigned ? [join(organization, undefined)] : [];
    const all = () => [...[...others, large].map((session) => join(organization, session)), join(quiet, "s")];
    await ingesting.send([...all(), ...unassigned]);
    expect(await derivedOf(organization)).toEqual(counts(1, 1));
    heavy = [large];
    await ingesting.send(all());
    expect(await derivedOf(organization)).toEqual(counts(2, 1));
    expect(await derivedOf(quiet)).toEqual({ s: 2 });
    const before = asked;
    await ingesting.send(all());
    // Until its time has come it is read no more.
    expect(asked - before).toBeLessThan(5);
    heavy = [];
    const { materializer, sequence } = ingesting;
    const later = Date.now() + 11 * 60_000;
    await materializer.deriveEvents({ lines: [], stored: Promise.resolve([sequence.next()]) }, later);
    expect(await derivedOf(organization)).toEqual(counts(3, 3));
    expect(await wrongDerivations(ingesting, organization, Date.now())).toEqual([]);
  },
);

test("the unassigned intervals of what is dirty are found by an index, however many others wait", async () => {
  const { clickhouse } = ingesting.store;
  const columns = "(organization, session, level, interval, started_ms, ended_ms, seen_ms)";
  const row = (session: string, interval: string) =>
    `INSERT INTO intervals ${columns} VALUES ('flood', '${session}', 'participants', '${interval}', 9223372036854775807, 1, 1)`;
  await clickhouse.command(
    `INSERT INTO intervals ${columns} SELECT 'flood', '', 'participants', hex(cityHash64(number)), 9223372036854775807, 1, 1 FROM numbers(400000)`,
  );
  await clickhouse.command(row("s", "twin"));
  await clickhouse.command(row("", "twin"));
  await clickhouse.command(row("", "alone"));
  await clickhouse.command(
    "INSERT INTO interval_sessions (organization, level, interval, session) VALUES ('flood', 'participants', 'twin', 's')",
  );
  await clickhouse.command(
    "INSERT INTO touched_sessions (batch, organization, session, level, interval) VALUES (7, 'flood', 's', '', ''), (7, 'flood', 'interval:alone', '', '')",
  );
  const params = {
    ...{ batches: [7], organizations: [], share: 0, shares: 1, aside_organizations: [], aside_sessions: [] },
    ...{ max_signs: 100, plain_alives: 10, usual_silence_ms: 1_000 },
  };
  const bound = { max_rows_to_read: "60000" };
  const ask = (name: string) => clickhouse.select(readSql(`queries/${name}.sql`), params, bound);
  expect(await ask("dirty_organizations_with_unassigned_intervals")).toEqual([{ organization: "flood" }]);
  const found = (await ask("unassigned_intervals")) as { session: string; interval: string }[];
  expect(found.map(({ session, interval }) => [session, interval]).sort()).toEqual([
    ["interval:alone", "alone"],
    ["s", "twin"],
  ]);
  const aside = { ...params, aside_organizations: ["flood"], aside_sessions: ["s"] };
  const left = (await clickhouse.select(readSql("queries/unassigned_intervals.sql"), aside, bound)) as object[];
  expect(left).toMatchObject([{ session: "interval:alone" }]);
});
