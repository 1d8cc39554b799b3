import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { UsageEvent } from "../../server/contract/events.ts";
import { type Stage, stages } from "../../server/contract/reconciliation.ts";
import type { Postgres } from "../../server/postgres/client.ts";
import { reconciliations } from "../../server/postgres/schema/reconciliation.ts";
import { finishRepairs, reconcilePiece } from "../../server/rollups/reconcile-piece.ts";
import type { NodeTree } from "../../server/tree/node-tree.ts";
import { type Ingesting, startIngesting } from "../support/ingesting.ts";
import { type OwnTree, ownTree } from "../support/own-tree.ts";

let ingesting: Ingesting;
let close: OwnTree["close"];
let postgres: Postgres;
let tree: NodeTree;

const log = pino({ level: "silent" });
const day = "2026-02-03";
const at = (minute: number) => new Date(Date.UTC(2026, 1, 3, 9, minute)).toISOString();
let run = 0;
let organization = "";
let events: Partial<UsageEvent>[] = [];

beforeAll(async () => {
  ({ postgres, tree, close } = await ownTree());
  ingesting = await startIngesting();
});
afterAll(async () => {
  await ingesting.close();
  await close();
});

beforeEach(async () => {
  run++;
  organization = `drift-${run}`;
  ingesting.tree.organizations.set(organization, { partner: "p1", reseller: `r-${run}` });
  const common = { organization, session: "s1", room: "daily" };
  events = [
    { ...common, id: "1", type: "participant.joined", time: at(0), interval: "a", user: "u1" },
    { ...common, id: "2", type: "participant.left", time: at(7), interval: "a" },
    { ...common, id: "3", type: "participant.joined", time: at(5), user: "u2" },
    { ...common, id: "4", type: "participant.left", time: at(9), user: "u2" },
    // Placed in its session by another event than its start.
    { organization, id: "5", type: "participant.joined", time: at(3), interval: "b", user: "u3" },
    { organization, id: "6", type: "participant.left", time: at(6), interval: "b", session: "s1" },
    { organization, id: "7", type: "transcription.completed", time: at(2), value: "1.5", job: "j" },
  ];
  await ingesting.send(events);
});

const deps = () => {
  const { store, materializer, sequence, flush } = ingesting;
  return { clickhouse: store.clickhouse, postgres, tree, materializer, sequence, flush, log };
};
const reconcile = () => reconcilePiece(deps(), { organization, day });

async function figures() {
  const range = { from: day, to: "2026-02-04", window: "total" as const };
  const meter = "participation_minutes,max_concurrent_participants,active_participants,transcribed_minutes";
  const nodes = [`organization:${organization}`, `reseller:r-${run}`];
  return await Promise.all(nodes.map((node) => ingesting.usage({ meter, node, ...range })));
}

const rollups = [
  "usage_per_15m",
  "node_usage_per_15m",
  "intervals",
  "interval_sessions",
  "sessions",
  "open_sessions",
  "presences",
  "level_edges",
  "level_slots",
];
const rowsOf = (table: string) => ingesting.store.clickhouse.select(`SELECT * FROM ${table} ORDER BY ALL`, {});
const recorded = () => postgres.db.select().from(reconciliations);

test("a run without drift reports none and writes nothing", async () => {
  const [rowsBefore, recordedBefore] = [await Promise.all(rollups.map(rowsOf)), await recorded()];
  expect(await reconcile()).toEqual([]);
  expect(await Promise.all(rollups.map(rowsOf))).toEqual(rowsBefore);
  expect(await recorded()).toEqual(recordedBefore);
});

/** Writes that nobody but a fault makes; {org} and {run} stand for those of the test. */
const planted: { fault: string; stage: Stage; names: string; statements: string[] }[] = [
  {
    fault: "a row of counters is lost",
    stage: "counters",
    names: "transcription.completed",
    statements: ["DELETE FROM usage_per_15m WHERE organization = '{org}' AND type = 'transcription.completed'"],
  },
  {
    fault: "a row of counters is altered",
    stage: "counters",
    names: "transcription.completed",
    statements: [
      "INSERT INTO usage_per_15m SELECT * REPLACE (amount + 0.000000001 AS amount, version + 1 AS version) FROM usage_per_15m FINAL WHERE organization = '{org}' AND type = 'transcription.completed'",
    ],
  },
  {
    fault: "a row of a reseller's counters is lost",
    stage: "node_counters",
    names: "transcription.completed",
    statements: ["DELETE FROM node_usage_per_15m WHERE node = 'r-{run}' AND type = 'transcription.completed'"],
  },
  {
    fault: "a row of a reseller's counters is altered",
    stage: "node_counters",
    names: "transcription.completed",
    statements: [
      "INSERT INTO node_usage_per_15m SELECT * REPLACE (events + 1 AS events, version + 1 AS version) FROM node_usage_per_15m FINAL WHERE node = 'r-{run}' AND type = 'transcription.completed'",
    ],
  },
  {
    fault: "an interval is lost",
    stage: "intervals",
    names: "participants a",
    statements: ["DELETE FROM intervals WHERE organization = '{org}' AND interval = 'a'"],
  },
  {
    fault: "an interval has an end that no event gave",
    stage: "intervals",
    names: "participants a",
    statements: [
      "INSERT INTO intervals (organization, session, level, interval, member, started_ms, ended_ms, seen_ms) SELECT organization, session, level, interval, member, min(started_ms), max(ended_ms) + 60000, max(seen_ms) FROM intervals WHERE organization = '{org}' AND interval = 'a' GROUP BY ALL",
    ],
  },
  {
    fault: "an interval's session is lost",
    stage: "intervals",
    names: "participants b",
    statements: ["DELETE FROM interval_sessions WHERE organization = '{org}' AND interval = 'b'"],
  },
  {
    fault: "an interval appears that no event named",
    stage: "intervals",
    names: "participants ghost",
    statements: [
      "INSERT INTO intervals (organization, session, level, interval, member, started_ms, ended_ms, seen_ms) SELECT organization, 's1', 'participants', 'ghost', '', started_ms, ended_ms, seen_ms FROM intervals WHERE organization = '{org}' AND interval = 'a'",
    ],
  },
  {
    fault: "a session is lost",
    stage: "sessions",
    names: "session s1",
    statements: ["DELETE FROM sessions WHERE organization = '{org}'"],
  },
  {
    fault: "a session is altered",
    stage: "sessions",
    names: "session s1",
    statements: [
      "INSERT INTO sessions SELECT * REPLACE (version + 1 AS version, peak_participants + 1 AS peak_participants, arrayMap(ms -> ms + 1, span_end_ms) AS span_end_ms) FROM sessions FINAL WHERE organization = '{org}' AND session = 's1'",
    ],
  },
  {
    fault: "a presence is lost",
    stage: "presences",
    names: "session s1",
    statements: ["DELETE FROM presences WHERE organization = '{org}'"],
  },
  {
    fault: "a presence is altered",
    stage: "presences",
    names: "session s1",
    statements: [
      "INSERT INTO presences SELECT * REPLACE (version + 1 AS version, arrayMap(x -> 7, user_hash) AS user_hash) FROM presences FINAL WHERE organization = '{org}'",
    ],
  },
  {
    fault: "an edge is lost",
    stage: "edges",
    names: "2026-02-03T09:07Z",
    statements: ["DELETE FROM level_edges WHERE organization = '{org}' AND minute = '2026-02-03 09:07:00'"],
  },
  {
    fault: "an edge is altered",
    stage: "edges",
    names: "2026-02-03T09:07Z",
    statements: [
      "INSERT INTO level_edges SELECT * REPLACE (version + 1 AS version, arrayMap(d -> d * 2, edge_delta) AS edge_delta) FROM level_edges FINAL WHERE organization = '{org}' AND minute = '2026-02-03 09:07:00'",
    ],
  },
  {
    fault: "an edge appears that no session has",
    stage: "edges",
    names: "2026-02-03T09:30Z",
    statements: [
      "INSERT INTO level_edges SELECT * REPLACE (toDateTime('2026-02-03 09:30:00', 'UTC') AS minute, arrayMap(x -> 1770111000000, edge_ms) AS edge_ms) FROM level_edges AS e FINAL WHERE organization = '{org}' AND e.minute = '2026-02-03 09:07:00'",
    ],
  },
  {
    fault: "a slot is lost",
    stage: "slots",
    names: "participants at 2026-02-03T09:07Z",
    statements: [
      "DELETE FROM level_slots WHERE kind = 'reseller' AND node = 'r-{run}' AND level = 'participants' AND minute = '2026-02-03 09:07:00'",
    ],
  },
  {
    fault: "a slot is altered",
    stage: "slots",
    names: "participants at 2026-02-03T09:07Z",
    statements: [
      "INSERT INTO level_slots SELECT * REPLACE (version + 1 AS version, peak + 1 AS peak) FROM level_slots FINAL WHERE node = '{org}' AND level = 'participants' AND minute = '2026-02-03 09:07:00'",
    ],
  },
  {
    fault: "a slot appears where there are no edges",
    stage: "slots",
    names: "participants at 2026-02-03T09:40Z",
    statements: [
      "INSERT INTO level_slots SELECT * REPLACE (toDateTime('2026-02-03 09:40:00', 'UTC') AS minute) FROM level_slots AS s FINAL WHERE node = '{org}' AND level = 'participants' AND s.minute = '2026-02-03 09:07:00'",
    ],
  },
];

test("there is a fault of each kind for every stage", () => {
  for (const stage of stages) expect(planted.filter((one) => one.stage === stage).length, stage).toBeGreaterThan(1);
});

test.each(planted)("when $fault, it is found in $stage, named, and repaired", async ({ stage, names, statements }) => {
  const before = await figures();
  for (const statement of statements)
    await ingesting.store.clickhouse.command(
      statement.replaceAll("{org}", organization).replaceAll("{run}", String(run)),
    );
  const drifts = await reconcile();
  expect([...new Set(drifts.map((drift) => drift.stage))]).toEqual([stage]);
  expect(drifts[0]).toMatchObject({ organization, day, repairedAt: expect.any(Date) });
  expect(drifts[0]?.subject).toContain(names);
  expect(drifts[0]?.expected).not.toBe(drifts[0]?.found);
  expect(await recorded()).toEqual(expect.arrayContaining(drifts));
  expect(await figures()).toEqual(before);
});

/** Three sessions and an interval without one, of which two sessions are lost. */
async function loseSome() {
  const more = ["s2", "s3"].flatMap((session) => [
    {
      organization,
      session,
      id: `${session}-1`,
      type: "participant.joined",
      time: at(1),
      interval: session,
      user: "u4",
    },
    { organization, session, id: `${session}-2`, type: "participant.left", time: at(8), interval: session },
  ]);
  const waiting = { organization, id: "waiting", type: "participant.left", time: at(4), interval: "waiting" };
  await ingesting.send([...more, waiting]);
  const before = await figures();
  const { clickhouse } = ingesting.store;
  await clickhouse.command(`DELETE FROM intervals WHERE organization = '${organization}' AND session = 's2'`);
  await clickhouse.command(`DELETE FROM sessions WHERE organization = '${organization}' AND session = 's3'`);
  return before;
}

test("a day with more sessions than are compared at once is compared in parts, and all of its drift is repaired", async () => {
  const before = await loseSome();
  let turns = 0;
  const { flush } = ingesting;
  const exclusive: typeof flush.exclusive = async (work) => {
    turns++;
    await flush.exclusive(work);
  };
  const counted = { ...deps(), flush: { exclusive, settledBatch: flush.settledBatch } };
  const drifts = await reconcilePiece(counted, { organization, day }, undefined, { sessionsAtOnce: 1 });
  expect(drifts.map(({ stage }) => stage).sort()).toEqual(["intervals", "sessions"]);
  // Each under a turn of its own.
  expect(turns).toBe(2);
  expect(await figures()).toEqual(before);
  expect(await reconcile()).toEqual([]);
});

test("of such a day some parts are compared at a time, others each time", async () => {
  const before = await loseSome();
  const found: string[] = [];
  for (let run = 0; found.length < 2 && run < 200; run++) {
    const bounds = { sessionsAtOnce: 1, mostParts: 2 };
    const drifts = await reconcilePiece(deps(), { organization, day }, ["intervals", "sessions"], bounds);
    found.push(...drifts.map(({ stage }) => stage));
  }
  expect(found.sort()).toEqual(["intervals", "sessions"]);
  expect(await figures()).toEqual(before);
});

test("a repair that was on record and did not end is done by the next run", async () => {
  const before = await figures();
  const { clickhouse } = ingesting.store;
  await clickhouse.command(`DELETE FROM intervals WHERE organization = '${organization}'`);
  // Events that arrive meanwhile derive their session from what is left.
  const late = { organization, session: "s1", user: "u2", id: "late" };
  await ingesting.send([{ ...late, type: "participant.alive", time: at(6) }]);
  expect(await figures()).not.toEqual(before);
  await postgres.db.insert(reconciliations).values({
    id: `rec_unfinished_${run}`,
    at: new Date(),
    node: `organization:${organization}`,
    path: ["all"],
    organization,
    day,
    stage: "intervals",
    differences: 1,
    subject: "",
    expected: "",
    found: "",
    repairedAt: null,
  });
  await finishRepairs(deps());
  expect(await figures()).toEqual(before);
  expect((await recorded()).filter(({ repairedAt }) => repairedAt === null)).toEqual([]);
});
