import { afterAll, beforeAll, expect, test } from "vitest";
import type { UsageEvent } from "../../../server/contract/events.ts";
import { compactUsage } from "../../../server/rollups/compact-usage.ts";
import type { Derive } from "../../../server/rollups/derive-levels.ts";
import { expireIntervals } from "../../../server/rollups/expire-intervals.ts";
import { type Ingesting, startIngesting } from "../../support/ingesting.ts";

let ingesting: Ingesting;
beforeAll(async () => {
  ingesting = await startIngesting();
});
afterAll(() => ingesting.close());

const iso = (ms: number) => new Date(ms).toISOString();

async function one<Row>(sql: string): Promise<Row> {
  const [row] = (await ingesting.store.clickhouse.select(sql, {})) as Row[];
  if (row === undefined) throw new Error(`no row: ${sql}`);
  return row;
}

test("folding the counters of closed hours leaves one row per key and changes no figure, also for events that come later", async () => {
  const chat = (id: string): Partial<UsageEvent> => ({
    id,
    type: "chat.posted",
    organization: "folded",
    time: "2026-01-05T10:01:00Z",
    value: "0.000000001",
  });
  for (let batch = 0; batch < 4; batch++) await ingesting.send([chat(`fold-${batch}`)]);
  const rows = () =>
    one<{ rows: string; events: string; amount: string }>(
      "SELECT toString(count()) AS rows, toString(sum(events)) AS events, toString(sum(amount)) AS amount FROM usage_per_15m FINAL WHERE organization = 'folded'",
    );
  expect(await rows()).toEqual({ rows: "4", events: "4", amount: "0.000000004" });
  const fold = () =>
    compactUsage(ingesting.store.clickhouse, ingesting.sequence, ingesting.flush.settledBatch, Date.now());
  expect((await fold()).foldedRows).toBeGreaterThanOrEqual(4);
  expect(await rows()).toEqual({ rows: "1", events: "4", amount: "0.000000004" });
  await ingesting.send([chat("fold-late")]);
  expect(await rows()).toEqual({ rows: "2", events: "5", amount: "0.000000005" });
  await fold();
  expect(await rows()).toEqual({ rows: "1", events: "5", amount: "0.000000005" });
  expect(
    await one(
      "SELECT toString(count()) AS rows, toString(sum(events)) AS events, toString(sum(amount)) AS amount FROM node_usage_per_15m FINAL WHERE kind = 'all' AND toDate(bucket) = '2026-01-05'",
    ),
  ).toEqual({ rows: "1", events: "5", amount: "0.000000005" });
  expect((await fold()).foldedRows).toBe(0);
});

test("an open interval counts up to now, ends at its last sign of life once that is a timeout ago, and a later real end corrects it", async () => {
  const startMs = Date.now() - 10 * 60_000;
  const common = { organization: "silent", session: "s-silent", user: "u", interval: "i-silent" };
  await ingesting.send([
    { ...common, id: "silent-1", type: "participant.joined", time: iso(startMs), properties: { alive_within: 60 } },
    {
      ...common,
      id: "silent-2",
      type: "participant.alive",
      time: iso(startMs + 30_000),
      properties: { alive_within: 60 },
    },
  ]);
  const minutes = async (nowMs: number) => {
    const [answer] = await ingesting.usage(
      {
        meter: "participation_minutes",
        node: "organization:silent",
        from: iso(startMs),
        to: iso(startMs + 20 * 60_000),
        window: "total",
      },
      nowMs,
    );
    return answer?.total;
  };
  // Already past its timeout when it arrived.
  expect(await minutes(Date.now())).toBe("0.5");
  await ingesting.send([{ ...common, id: "silent-3", type: "participant.left", time: iso(startMs + 3 * 60_000) }]);
  expect(await minutes(Date.now())).toBe("3");
});

test("the job that expires intervals ends what became silent, and only that", async () => {
  const startMs = Date.now() - 5_000;
  const join = (organization: string, aliveWithin: number): Partial<UsageEvent> => ({
    id: `${organization}-join`,
    type: "participant.joined",
    organization,
    session: "s",
    user: "u",
    interval: `${organization}-i`,
    time: iso(startMs),
    properties: { alive_within: aliveWithin },
  });
  await ingesting.send([join("brief", 60), join("lasting", 3600)]);
  const live = async (organization: string, nowMs: number) => {
    const [answer] = await ingesting.usage(
      {
        meter: "live_participants",
        node: `organization:${organization}`,
        from: iso(startMs - 60_000),
        to: iso(nowMs),
        window: "total",
      },
      nowMs,
    );
    return answer?.total;
  };
  expect(await live("brief", Date.now())).toBe(1);
  const laterMs = startMs + 61_000;
  const derivation = await expireIntervals(
    ingesting.store.clickhouse,
    ingesting.materializer.derive,
    ingesting.sequence,
    laterMs,
  );
  expect([...(derivation?.changedNodes ?? [])].sort()).toEqual(["all", "organization:brief"]);
  expect(await live("brief", laterMs)).toBe(0);
  expect(await live("lasting", laterMs)).toBe(1);
  expect(
    await expireIntervals(ingesting.store.clickhouse, ingesting.materializer.derive, ingesting.sequence, laterMs),
  ).toBeUndefined();
});

test("where many sessions have timed out together they are ended some at a time, also beside one that stays as it was", async () => {
  const startMs = Date.now() - 5_000;
  const organization = "together";
  const sessions = ["a", "b", "c", "d", "e"];
  await ingesting.send(
    sessions.map((session) => ({
      ...{ id: `together-${session}`, type: "participant.joined", organization, session, user: "u", interval: session },
      ...{ time: iso(startMs), properties: { alive_within: 60 } },
    })),
  );
  const { clickhouse } = ingesting.store;
  const openSessions = async () => {
    const sql = "SELECT session FROM open_sessions FINAL WHERE organization = {organization:String} ORDER BY session";
    return ((await clickhouse.select(sql, { organization })) as { session: string }[]).map(({ session }) => session);
  };
  let derivations = 0;
  const derive: Derive = async (batches, nowMs, scope) => {
    derivations++;
    const marked = await clickhouse.select(
      "SELECT session FROM touched_sessions WHERE batch IN {batches:Array(UInt64)}",
      {
        batches,
      },
    );
    expect(marked.length).toBeLessThanOrEqual(2);
    // As if it were set aside.
    const isLeft = marked.some((row) => (row as { session: string }).session === "a");
    return await ingesting.materializer.derive(isLeft ? [] : batches, nowMs, scope);
  };
  const expire = () =>
    expireIntervals(clickhouse, derive, ingesting.sequence, startMs + 61_000, undefined, { sessionsAtOnce: 2 });
  expect([...((await expire())?.changedNodes ?? [])].sort()).toEqual(["all", `organization:${organization}`]);
  expect(derivations).toBe(3);
  expect(await openSessions()).toEqual(["a", "b"]);
});

test("an interval whose events name its session late, or only once, is one interval of that session", async () => {
  const at = (minute: number) => iso(Date.UTC(2026, 3, 1, 12, minute));
  const organization = "unassigned";
  const figures = async () => {
    const range = {
      node: `organization:${organization}`,
      from: "2026-04-01",
      to: "2026-04-02",
      window: "total" as const,
    };
    const meter = "participation_minutes,sessions,max_concurrent_sessions,active_participants";
    return (await ingesting.usage({ meter, ...range })).map((answer) => answer.total);
  };
  // An end first, then a start, neither naming the session: a session of its own.
  await ingesting.send([{ organization, id: "n1", type: "participant.left", interval: "n-a", time: at(10) }]);
  expect(await figures()).toEqual(["0", 0, 0, 0]);
  await ingesting.send([
    { organization, id: "n2", type: "participant.joined", interval: "n-a", user: "u1", time: at(0) },
  ]);
  expect(await figures()).toEqual(["10", 1, 1, 1]);
  // A sign of life names the session; another participant is in the same one.
  await ingesting.send([
    { organization, id: "n3", type: "participant.alive", interval: "n-a", session: "n-s", time: at(5) },
  ]);
  await ingesting.send([
    { organization, id: "n4", type: "participant.joined", interval: "n-b", session: "n-s", user: "u2", time: at(2) },
    { organization, id: "n5", type: "participant.left", interval: "n-b", time: at(4) },
  ]);
  expect(await figures()).toEqual(["12", 1, 1, 2]);
});
