/** What one organization has stored holds up nobody else's derivation, however much it is. */
import { ClickHouseError } from "@clickhouse/client";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import {
  type ClickHouse,
  type QueryParams,
  readSql,
  StatementTooHeavyError,
} from "../../../server/clickhouse/client.ts";
import { createLevelMaterializer } from "../../../server/rollups/derive-levels.ts";
import { type Ingesting, startIngesting } from "../../support/ingesting.ts";
import { wrongDerivations } from "../../support/wrong-derivations.ts";

let ingesting: Ingesting;
/** The sessions of which storage has too much to be read, whichever statement does. */
let heavy: string[] = [];
/** How often more a statement that reads sessions finds no memory left. */
let shortages = 0;
/** Statements that read what storage has of sessions, and those that read marks. */
const asked = { ofSessions: 0, ofMarks: 0 };

const tooHeavy = (code: string) =>
  new StatementTooHeavyError(new ClickHouseError({ code, message: "too much", type: "TOO_MUCH" }));

const marksOf = (share: boolean) =>
  `SELECT session FROM touched_sessions WHERE ${readSql(`fragments/${share ? "of_share" : "of_batches"}.sql`)}`;

async function expectReadable(clickhouse: ClickHouse, sql: string, params: QueryParams): Promise<void> {
  if (/FROM\s+touched_sessions\b/.test(sql)) asked.ofMarks++;
  if (!/FROM\s+(intervals|sessions)\b/.test(sql)) return;
  asked.ofSessions++;
  if (shortages > 0 && shortages-- > 0) throw tooHeavy("241");
  if (heavy.length === 0) return;
  const marks = params.batches && (await clickhouse.select(marksOf("after_session" in params), params));
  const names = (marks as { session: string }[] | undefined)?.map(({ session }) => session) ?? params.sessions;
  if ((names as string[] | undefined)?.some((session) => heavy.includes(session))) throw tooHeavy("396");
}

const through = (clickhouse: ClickHouse): ClickHouse => ({
  ...clickhouse,
  async select(sql, params, ...rest) {
    await expectReadable(clickhouse, sql, params);
    return await clickhouse.select(sql, params, ...rest);
  },
  async selectColumns(sql, params) {
    await expectReadable(clickhouse, sql, params);
    return await clickhouse.selectColumns(sql, params);
  },
  async command(sql, params, settings) {
    await expectReadable(clickhouse, sql, params ?? {});
    return await clickhouse.command(sql, params, settings);
  },
});

beforeAll(async () => {
  // Nothing is held: every session is read from storage.
  ingesting = await startIngesting({ through, maxHeldIntervals: 0 });
});
afterAll(() => ingesting?.close());
beforeEach(() => {
  heavy = [];
  shortages = 0;
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
    const before = { ...asked };
    await ingesting.send(all());
    // Until its time has come it is read no more, and those beside it are read as before.
    expect(asked.ofSessions - before.ofSessions).toBeLessThan(9);
    if (!hasUnassigned) expect(asked.ofMarks).toBe(before.ofMarks);
    heavy = [];
    const { materializer, sequence } = ingesting;
    const later = Date.now() + 11 * 60_000;
    await materializer.deriveEvents({ lines: [], stored: Promise.resolve([sequence.next()]) }, later);
    expect(await derivedOf(organization)).toEqual(counts(3, 3));
    expect(await wrongDerivations(ingesting, organization, Date.now())).toEqual([]);
  },
);

test("while the store has no memory left no session is set aside for it, and all are derived once it has", async () => {
  const organization = "shortage";
  await ingesting.send([join(organization, "a"), join(organization, "b")]);
  shortages = 5;
  await ingesting.send([join(organization, "a"), join(organization, "b")]);
  expect(shortages).toBe(0);
  expect(await derivedOf(organization)).toEqual({ a: 2, b: 2 });
});

test("a session of more intervals than a derivation may hold in memory is set aside, alone", async () => {
  const organization = "webinar";
  const { store, materializer, sequence } = ingesting;
  const batch = sequence.next();
  await store.clickhouse.command(
    `INSERT INTO intervals (organization, session, level, interval, started_ms, ended_ms, seen_ms)
    SELECT 'webinar', if(number < 500000, 'large', 'small'), 'participants', toString(number), 1764500000000 + number, 1764500600000, 1764500600000
    FROM numbers(500001)`,
  );
  await store.clickhouse.command(
    "INSERT INTO touched_sessions (batch, organization, session, level, interval) SELECT DISTINCT {batch:UInt64}, organization, session, '', '' FROM intervals WHERE organization = 'webinar'",
    { batch },
  );
  expect(await materializer.derive([batch], Date.now())).toMatchObject({ sessions: 1 });
  expect(await derivedOf(organization)).toEqual({ small: 1 });
});

test("what was set aside is tried again by the process that comes after", async () => {
  const organization = "restarted";
  await ingesting.send([join(organization, "large")]);
  heavy = ["large"];
  await ingesting.send([join(organization, "large")]);
  expect(await derivedOf(organization)).toEqual({ large: 1 });
  heavy = [];
  const { store, sequence } = ingesting;
  const next = createLevelMaterializer({
    clickhouse: store.clickhouse,
    nextVersion: () => sequence.next(),
    currentEpoch: () => ({ number: Number.MAX_SAFE_INTEGER, leftSince: undefined }),
  });
  await next.deriveEvents({ lines: [], stored: Promise.resolve([sequence.next()]) }, Date.now());
  expect(await derivedOf(organization)).toEqual({ large: 2 });
});

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
    ...{ batches: [7], organizations: [], aside_organizations: [], aside_sessions: [] },
    ...{ after_organization: "", after_session: "", until_organization: "", until_session: "" },
    ...{ max_signs: 100, plain_alives: 10, usual_silence_ms: 1_000 },
  };
  const bound = { max_rows_to_read: "60000" };
  const ask = (name: string) => clickhouse.select(readSql(`queries/${name}.sql`), params, bound);
  expect(await ask("dirty_organizations_with_scattered_intervals")).toEqual([{ organization: "flood", is_split: 0 }]);
  const found = (await ask("unassigned_intervals")) as { session: string; interval: string }[];
  expect(found.map(({ session, interval }) => [session, interval]).sort()).toEqual([
    ["interval:alone", "alone"],
    ["s", "twin"],
  ]);
  const aside = { ...params, aside_organizations: ["flood"], aside_sessions: ["s"] };
  const left = (await clickhouse.select(readSql("queries/unassigned_intervals.sql"), aside, bound)) as object[];
  expect(left).toMatchObject([{ session: "interval:alone" }]);
});
