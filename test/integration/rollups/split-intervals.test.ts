/** Events of one interval that name several sessions: it is one, by (organization, level, interval). */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ClickHouse, readSql } from "../../../server/clickhouse/client.ts";
import type { UsageEvent } from "../../../server/contract/events.ts";
import { affectedSpan } from "../../../server/corrections/affected-span.ts";
import { applyCorrection, gatherSessions } from "../../../server/corrections/apply-correction.ts";
import { findStoredEvent } from "../../../server/corrections/stored-event.ts";
import { readOrphans } from "../../../server/lists/read-orphans.ts";
import { type Ingesting, startIngesting } from "../../support/ingesting.ts";
import { eventually } from "../../support/service.ts";
import { wrongDerivations } from "../../support/wrong-derivations.ts";

let ingesting: Ingesting;
/** How often memory has read what storage has of sessions and intervals; this is the last of it. */
let timesKnown = 0;
const lastOfKnown = readSql("queries/organizations_with_scattered_intervals.sql");
const through = (clickhouse: ClickHouse): ClickHouse => ({
  ...clickhouse,
  async select(sql, ...how) {
    const rows = await clickhouse.select(sql, ...how);
    if (sql === lastOfKnown) timesKnown++;
    return rows;
  },
});

beforeAll(async () => {
  ingesting = await startIngesting({ through });
});
afterAll(() => ingesting?.close());

const nowMs = Date.now();
const at = (minutesAgo: number) => new Date(nowMs - minutesAgo * 60_000).toISOString();

/** An organization below a reseller and a partner of its own. */
function begin(organization: string): string {
  ingesting.tree.organizations.set(organization, { partner: `p ${organization}`, reseller: `r ${organization}` });
  return organization;
}

let sent = 0;
const event = (organization: string, action: string, minutesAgo: number, more: Partial<UsageEvent> = {}) => ({
  id: `split ${++sent}`,
  type: `participant.${action}`,
  organization,
  time: at(minutesAgo),
  user: "u",
  interval: "c1",
  ...more,
});

const meters = "participation_minutes,max_concurrent_participants,sessions,max_concurrent_sessions,active_users";

/** What all nodes above the organization, and itself, come to; those above have nothing else. */
async function figures(organization: string) {
  const range = { from: at(600), to: at(0), window: "total" as const };
  const nodes = [`organization:${organization}`, `reseller:r ${organization}`, `partner:p ${organization}`];
  const answers = await Promise.all(
    nodes.map(async (node) => (await ingesting.usage({ meter: meters, node, ...range })).map(({ total }) => total)),
  );
  expect(answers).toEqual([answers[0], answers[0], answers[0]]);
  return answers[0];
}

/** The sessions that have intervals which count, with how many. */
async function homes(organization: string): Promise<Record<string, number>> {
  const rows = await ingesting.store.clickhouse.select(
    `SELECT session, toUInt32(length(span_interval)) AS intervals FROM sessions FINAL
    WHERE organization = {organization:String} AND notEmpty(span_interval) ORDER BY session`,
    { organization },
  );
  return Object.fromEntries(
    (rows as { session: string; intervals: number }[]).map((one) => [one.session, one.intervals]),
  );
}

async function correct(organization: string, id: string, after: { session?: string } | undefined): Promise<void> {
  const { store, sequence, materializer, flush } = ingesting;
  const stored = await findStoredEvent(store.clickhouse, organization, { id, source: undefined }, undefined);
  const before = stored?.current;
  if (!before) throw new Error(`no event ${id}`);
  const rows = { before, after: after && { ...before, ...after } };
  const { clickhouse } = store;
  const gathered = await gatherSessions(clickhouse, rows, { run: sequence.next(), through: flush.settledBatch });
  await flush.exclusive(async () => {
    const numbers = { voidBatch: sequence.next(), amendBatch: after && sequence.next() };
    const levels = await applyCorrection({ clickhouse, materializer }, rows, numbers, gathered, Date.now());
    return { batch: sequence.next(), organizations: new Set([organization]), levels };
  });
}

/** Until memory is used again after all of it was let go. */
async function untilHeld(organization: string): Promise<void> {
  await ingesting.send([event(organization, "joined", 2, { session: "busy", interval: "busy" })]);
  await eventually("a session to be held", async () => {
    await ingesting.send([event(organization, "alive", 1, { session: "busy", interval: "busy" })]);
    return ingesting.materializer.held().sessions > 0 || undefined;
  });
}

const orders = [
  [0, 1, 2, 3],
  [3, 2, 1, 0],
  [1, 3, 0, 2],
  [2, 0, 3, 1],
] as const;

test.each(orders.flatMap((order) => [1, 4].map((batches) => [order.join(), batches] as const)))(
  "an interval that begins in one session and ends in another is one, whatever comes first: %s in %i batches",
  async (order, batches) => {
    const organization = begin(`order ${order} in ${batches}`);
    const made = [
      event(organization, "joined", 300, { session: "s2" }),
      event(organization, "alive", 270, { session: "s3" }),
      event(organization, "left", 240, { session: "s1" }),
      event(organization, "joined", 290, { session: "s1", interval: "other", user: "v", started_at: at(280) }),
    ];
    const ordered = order.split(",").map((place) => made[Number(place)] as (typeof made)[number]);
    for (let batch = 0; batch < batches; batch++)
      await ingesting.send(ordered.filter((_, place) => place % batches === batch));
    await ingesting.send([event(organization, "left", 230, { session: "s1", interval: "other", user: "v" })]);
    // 300 to 240 and 290 to 230: two sessions, of one participant each.
    expect(await figures(organization)).toEqual(["120", 2, 2, 2, 2]);
    expect(await homes(organization)).toEqual({ s1: 1, s2: 1 });
    expect(await wrongDerivations(ingesting, organization, Date.now())).toEqual([]);
  },
);

test("of sessions that are held, those that turn out to have events of one interval are derived together, also when it began before memory knew of it", async () => {
  const organization = begin("held");
  await ingesting.send([
    event(organization, "joined", 200, { session: "s1", interval: "old" }),
    event(organization, "joined", 200, { session: "s1" }),
    event(organization, "joined", 190, { session: "s2", interval: "own" }),
  ]);
  await ingesting.materializer.alone(async () => undefined);
  await untilHeld(begin("held beside"));
  await ingesting.send([event(organization, "left", 150, { session: "new", interval: "old" })]);
  expect(await figures(organization)).toEqual([expect.any(String), 3, 2, 2, 1]);
  await ingesting.send([event(organization, "left", 100, { session: "s2" })]);
  await ingesting.send([event(organization, "left", 90, { session: "s1", interval: "own" })]);
  expect(await figures(organization)).toEqual(["250", 3, 2, 2, 1]);
  expect(await homes(organization)).toEqual({ s1: 2, s2: 1 });
  expect(await wrongDerivations(ingesting, organization, Date.now())).toEqual([]);
});

test("an interval that began before memory did is one with its end in a session that nobody has met", async () => {
  const organization = begin("before memory");
  await ingesting.send([event(organization, "joined", 200, { session: "s1", interval: "old" })]);
  const before = timesKnown;
  await ingesting.materializer.alone(async () => undefined);
  await eventually("memory to know what storage has", async () => timesKnown > before || undefined);
  await ingesting.send([event(organization, "left", 150, { session: "new", interval: "old" })]);
  expect(await figures(organization)).toEqual(["50", 1, 1, 1, 1]);
  expect(await homes(organization)).toEqual({ s1: 1 });
  expect(await wrongDerivations(ingesting, organization, Date.now())).toEqual([]);
});

test("a held session that gets events of an interval of another one is derived with it", async () => {
  const organization = begin("both held");
  await untilHeld(begin("held beside"));
  const [a, b] = [{ session: "a", interval: "a" }, { session: "b" }];
  await ingesting.send([event(organization, "joined", 100, a), event(organization, "joined", 90, b)]);
  await ingesting.send([event(organization, "alive", 80, a), event(organization, "alive", 80, b)]);
  await ingesting.send([event(organization, "joined", 95, { session: "a" })]);
  await ingesting.send([event(organization, "left", 50, b), event(organization, "left", 40, a)]);
  expect(await figures(organization)).toEqual(["105", 2, 1, 1, 1]);
  expect(await homes(organization)).toEqual({ a: 2 });
  expect(await wrongDerivations(ingesting, organization, Date.now())).toEqual([]);
});

test("when the event that it began with is void, or says another session, the interval counts in the session that has it begin first now", async () => {
  const organization = begin("corrected");
  const first = event(organization, "joined", 100, { session: "s1" });
  await ingesting.send([
    first,
    event(organization, "joined", 90, { session: "s2" }),
    event(organization, "left", 60, { session: "s3" }),
  ]);
  expect(await homes(organization)).toEqual({ s1: 1 });
  await correct(organization, first.id, { session: "s4" });
  expect(await homes(organization)).toEqual({ s4: 1 });
  expect(await figures(organization)).toEqual(["40", 1, 1, 1, 1]);
  await correct(organization, first.id, undefined);
  expect(await homes(organization)).toEqual({ s2: 1 });
  expect(await figures(organization)).toEqual(["30", 1, 1, 1, 1]);
  expect(await wrongDerivations(ingesting, organization, Date.now())).toEqual([]);
});

test("an event that names no session is of the interval's home, and an interval that only ends waits in one place", async () => {
  const organization = begin("waiting");
  await ingesting.send([event(organization, "left", 50)]);
  await ingesting.send([
    event(organization, "joined", 100, { session: "s2" }),
    event(organization, "alive", 90, { session: "s1" }),
    event(organization, "left", 80, { session: "s4", interval: "lost", room: "fourth" }),
    event(organization, "left", 70, { session: "s3", interval: "lost", room: "third" }),
  ]);
  expect(await homes(organization)).toEqual({ s2: 1 });
  expect(await figures(organization)).toEqual(["50", 1, 1, 1, 1]);
  const question = { node: `organization:${organization}`, kinds: ["orphan" as const], filters: [] };
  const range = { fromMs: undefined, toMs: undefined, after: undefined };
  const found = await readOrphans(ingesting.store.clickhouse, { ...question, ...range }, 10);
  expect(found.map(({ orphan }) => orphan)).toMatchObject([
    { interval: "lost", session: "s3", room: "third", ended_at: at(70) },
  ]);
  expect(await wrongDerivations(ingesting, organization, Date.now())).toEqual([]);
});

test("a session ends what began in it, and not what only another session's events say is there", async () => {
  const organization = begin("closed");
  const closing = { type: "session.ended", interval: undefined, user: undefined } as const;
  await ingesting.send([
    event(organization, "joined", 100, { session: "s1" }),
    event(organization, "alive", 90, { session: "s2" }),
    { ...event(organization, "", 80, { session: "s2" }), ...closing },
    { ...event(organization, "", 70, { session: "s1" }), ...closing },
  ]);
  expect(await figures(organization)).toEqual(["30", 1, 1, 1, 1]);
});

test("correcting one event of an interval concerns all that its sessions may make of it", async () => {
  const organization = begin("concerned");
  const late = event(organization, "left", 300, { session: "s2" });
  await ingesting.send([
    event(organization, "joined", 500, { session: "s1" }),
    late,
    event(organization, "joined", 550, { session: "s1", interval: "before" }),
    event(organization, "left", 540, { session: "s1", interval: "before" }),
  ]);
  const { store, tree } = ingesting;
  const stored = await findStoredEvent(store.clickhouse, organization, { id: late.id, source: undefined }, undefined);
  if (!stored?.current) throw new Error("it was not stored");
  const span = await affectedSpan({ clickhouse: store.clickhouse, tree }, stored.current, nowMs);
  // Without its end the interval is open, and times out.
  expect(span).toEqual({ organization, fromMs: nowMs - 550 * 60_000, toMs: nowMs });
});

test("a name that more than 100 sessions use is an interval of each of them, as it is when all of it is derived at once", async () => {
  const organization = begin("numbered");
  const session = (number: number) => ({ session: `s${String(number).padStart(3, "0")}`, interval: "1" });
  const first = Array.from({ length: 100 }, (_, number) => event(organization, "joined", 200, session(number)));
  await ingesting.send(first);
  await ingesting.send(first.map((one) => ({ ...one, id: `${one.id} end`, type: "participant.left", time: at(140) })));
  expect(await homes(organization)).toEqual({ s000: 1 });
  await ingesting.send([
    event(organization, "joined", 200, session(100)),
    event(organization, "left", 140, session(100)),
  ]);
  expect(await figures(organization)).toEqual(["6060", 101, 101, 101, 1]);
  expect(await wrongDerivations(ingesting, organization, Date.now())).toEqual([]);
  await ingesting.send([event(organization, "alive", 150, session(7))]);
  expect(await figures(organization)).toEqual(["6060", 101, 101, 101, 1]);
  const [one] = first as [(typeof first)[number]];
  await correct(organization, one.id, undefined);
  await correct(organization, `${one.id} end`, undefined);
  expect(await figures(organization)).toEqual(["60", 1, 1, 1, 1]);
  expect(await wrongDerivations(ingesting, organization, Date.now())).toEqual([]);
});

test("what is asked of an interval is found by an index, however many others there are", async () => {
  const { clickhouse } = ingesting.store;
  await clickhouse.command(
    `INSERT INTO interval_sessions (organization, level, interval, session)
    SELECT 'flood', 'participants', hex(cityHash64(number)), 'many' FROM numbers(400000)`,
  );
  const columns = "(organization, session, level, interval, started_ms, ended_ms, seen_ms)";
  await clickhouse.command(
    `INSERT INTO intervals ${columns} SELECT 'flood', 'many', 'participants', hex(cityHash64(number)), 1, 2, 2 FROM numbers(400000)`,
  );
  for (const session of ["s", "t"]) {
    await clickhouse.command(`INSERT INTO interval_sessions VALUES ('flood', 'participants', 'twin', '${session}')`);
    await clickhouse.command(
      `INSERT INTO intervals ${columns} VALUES ('flood', '${session}', 'participants', 'twin', 1, 2, 2)`,
    );
  }
  await clickhouse.command(
    "INSERT INTO touched_sessions (batch, organization, session, level, interval) VALUES (7, 'flood', 't', '', '')",
  );
  const params = {
    ...{ batches: [7], organizations: [], aside_organizations: [], aside_sessions: [] },
    ...{ after_organization: "", after_session: "", until_organization: "", until_session: "" },
    ...{ max_signs: 100, plain_alives: 10, usual_silence_ms: 1_000 },
  };
  const bound = { max_rows_to_read: "60000" };
  const ask = (name: string, more: object = params) =>
    clickhouse.select(readSql(`queries/${name}.sql`), { ...more }, bound);
  expect(await ask("dirty_organizations_with_scattered_intervals")).toEqual([{ organization: "flood", is_split: 1 }]);
  expect(await ask("split_intervals")).toMatchObject([{ session: "s", interval: "twin" }]);
  const named = { organizations: ["flood"], levels: ["participants"], intervals: ["twin"] };
  expect(await ask("organizations_of_split_intervals", named)).toEqual([{ organization: "flood" }]);
  const listed = { ...params, organizations: ["flood"], sessions: ["t"] };
  expect(await ask("intervals_of_sessions", listed)).toMatchObject([{ interval: "twin", is_split: 1 }]);
  const marks = readSql("queries/mark_sessions_of_intervals.sql").replace(/^INSERT INTO .*$/m, "");
  expect(await clickhouse.select(marks, { ...params, batch: 8 }, bound)).toMatchObject([{ session: "s" }]);
});
