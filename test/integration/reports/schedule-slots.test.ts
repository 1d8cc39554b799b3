/** Schedules over 26 months on a clock of their own, while the processes that take them die anywhere and come back. */
import { arrayContains, eq, inArray, sql } from "drizzle-orm";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { system } from "../../../server/audit/record-change.ts";
import type { Postgres } from "../../../server/postgres/client.ts";
import { apiKeys, nodeParents, userRoles, users } from "../../../server/postgres/schema/accounts.ts";
import { deliveries } from "../../../server/postgres/schema/delivery.ts";
import { subscriptions } from "../../../server/postgres/schema/plans.ts";
import { reportRuns } from "../../../server/postgres/schema/reports.ts";
import { scheduleSlots, schedules } from "../../../server/postgres/schema/schedules.ts";
import { advanceSchedules } from "../../../server/reports/advance-schedules.ts";
import { dueSlots } from "../../../server/reports/due.ts";
import { createFileLinks } from "../../../server/reports/file-link.ts";
import { planSlots } from "../../../server/reports/plan-slots.ts";
import { readRun } from "../../../server/reports/runs.ts";
import { createTest } from "../../../server/reports/schedule-slots.ts";
import {
  changeSchedule,
  createSchedule,
  pauseSchedule,
  readSchedule,
  type WantedSchedule,
} from "../../../server/reports/schedules.ts";
import { type ScheduleRecord, timingOf } from "../../../server/reports/timing.ts";
import type { NodeTree } from "../../../server/tree/node-tree.ts";
import { type OwnTree, ownTree } from "../../support/own-tree.ts";
import { cycleReports } from "./cycle-reports.ts";
import { makeQueuedRuns, wanted } from "./scheduled-runs.ts";

const dayMs = 86_400_000;
const log = pino({ level: "silent" });
/** With the day that Apia skipped, and clock changes everywhere. */
const beginMs = Date.UTC(2011, 0, 1);
const endMs = Date.UTC(2013, 2, 1);

let close: OwnTree["close"];
let postgres: Postgres;
let tree: NodeTree;
beforeAll(async () => {
  ({ postgres, tree, close } = await ownTree());
  const cycle = { id: "sub_cycle", anchor: 31, tz: "Europe/Berlin", startsAt: new Date(0), renews: true };
  await postgres.db.insert(subscriptions).values({ node: "all", ...cycle });
});
afterAll(() => close());

class Death extends Error {}

/** A process's way to Postgres: it dies before or after any transaction, and does nothing from then on. */
function dyingPostgres(random: () => number): Pick<Postgres, "transaction"> {
  let isDead = false;
  const mayDie = () => {
    isDead ||= random() < 0.04;
    if (isDead) throw new Death("the process died");
  };
  return {
    async transaction(work, kind) {
      mayDie();
      const result = await postgres.transaction(async (tx) => {
        const worked = await work(tx);
        // Before the commit: all of it is undone.
        mayDie();
        return worked;
      }, kind);
      mayDie();
      return result;
    },
  };
}

const sourceOn = (through: Pick<Postgres, "transaction">, knownMs: number) => ({
  postgres: through,
  tree,
  links: createFileLinks(postgres),
  publicUrl: "http://localhost",
  log,
  watermark: () => new Date(knownMs),
  wake: () => undefined,
});

const makeRuns = (figure?: string) => makeQueuedRuns(postgres, figure);

const slotsOf = ({ id }: ScheduleRecord) =>
  postgres.db.select().from(scheduleSlots).where(eq(scheduleSlots.schedule, id)).orderBy(scheduleSlots.fromAt);

async function advanceAt(nowMs: number, knownMs = nowMs): Promise<void> {
  await advanceSchedules(sourceOn(postgres, knownMs), nowMs);
  await makeRuns();
  await advanceSchedules(sourceOn(postgres, knownMs), nowMs);
}

test("every slot of 26 months is sent once by two processes that die between and within any two steps", async () => {
  const zones = ["Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia"];
  const asked = zones.flatMap((tz, index): Partial<WantedSchedule>[] => [
    { tz, every: "month", day: 29 + (index % 3) },
    { tz, every: "quarter", day: 31, fiscal_start_month: 2 + index },
    ...(index === 4 ? [{ tz, every: "week" as const, weekday: "sun" as const }] : []),
  ]);
  const schedules: ScheduleRecord[] = [];
  for (const one of [...asked, { every: "cycle" as const, tz: "Europe/Berlin" }])
    schedules.push(await createSchedule(postgres, tree, wanted(one), system, beginMs));
  const random = randomFrom(20_261_129);
  let deaths = 0;
  for (let nowMs = beginMs; nowMs < endMs; ) {
    nowMs = Math.min(endMs, nowMs + Math.ceil(random() * 20 * dayMs));
    // What is known lags behind, and clocks of processes differ.
    const processes = [nowMs, nowMs - Math.floor(random() * 60_000)].map((clockMs) =>
      advanceSchedules(sourceOn(dyingPostgres(random), nowMs - Math.floor(random() * dayMs)), clockMs).catch(
        (error) => {
          expect(
            error.errors.every((one: unknown) => one instanceof Death),
            String(error.errors),
          ).toBe(true);
          deaths++;
        },
      ),
    );
    await Promise.all(processes);
    if (random() < 0.7) await makeRuns();
  }
  for (let last = 0; last < 2; last++) await advanceAt(endMs);
  expect(deaths).toBeGreaterThan(20);

  for (const schedule of schedules) {
    const timing = await timingOf(postgres.db, tree, schedule);
    const due = dueSlots(timing, beginMs, endMs);
    const slots = await slotsOf(schedule);
    expect(slots.map(({ fromAt, toAt }) => [fromAt.getTime(), toAt.getTime()])).toEqual(
      due.map(({ fromMs, toMs }) => [fromMs, toMs]),
    );
    expect(new Set(slots.map(({ state }) => state))).toEqual(new Set(["sent"]));
    for (const { deliveries: sent } of slots) expect(sent).toHaveLength(1);
  }
  const all = await postgres.db.select({ id: scheduleSlots.id, sent: scheduleSlots.deliveries }).from(scheduleSlots);
  const mails = await postgres.db.select({ id: deliveries.id }).from(deliveries);
  const runs = await postgres.db.select({ id: reportRuns.id }).from(reportRuns);
  expect(all.length).toBeGreaterThan(300);
  expect(mails.map(({ id }) => id).sort()).toEqual(all.flatMap(({ sent }) => sent).sort());
  expect(runs).toHaveLength(all.length);
  for (const schedule of schedules) await pause(schedule, endMs);
});

const pause = (schedule: ScheduleRecord, nowMs: number, paused = true) =>
  pauseSchedule(postgres, tree, schedule.id, paused, { by: system, check: () => undefined }, nowMs);

const daily = (given: Partial<WantedSchedule>, nowMs: number) =>
  createSchedule(postgres, tree, wanted({ every: "day", at: "08:00", ...given }), system, nowMs);

test("slots that were missed are sent later, or left out where the schedule says so", async () => {
  const startMs = Date.UTC(2020, 0, 1, 12);
  const caught = await daily({ when_missed: "catch_up" }, startMs);
  const skipped = await daily({ when_missed: "skip" }, startMs);
  await advanceAt(startMs + 3 * dayMs - 3.5 * 3_600_000);
  expect((await slotsOf(caught)).map(({ state }) => state)).toEqual(["sent", "sent", "sent"]);
  // The last one half an hour late: a restart is no reason to leave it out.
  expect((await slotsOf(skipped)).map(({ state, reason }) => reason ?? state)).toEqual(["missed", "missed", "sent"]);
  for (const one of [caught, skipped]) await pause(one, startMs);
});

test("a cycle that a later edit ends in the past is sent once, also where what was missed is left out, and again as a whole only where it grew", async () => {
  const node = "organization:cycles";
  await tree.createNode({ kind: "organization", id: "cycles", name: "Cycles", parent: "all" });
  const { db } = postgres;
  const id = "sub_ended";
  await db.insert(subscriptions).values({ id, node, anchor: 1, tz: "UTC", startsAt: new Date(0), renews: true });
  const end = (expiresAt: Date | null) =>
    db.update(subscriptions).set({ expiresAt, renews: !expiresAt }).where(eq(subscriptions.id, id));
  const startMs = Date.UTC(2020, 1, 20, 8, 10);
  const asked = { node, every: "cycle" as const, at: "08:00" };
  const caught = await createSchedule(postgres, tree, wanted(asked), system, startMs);
  const skipping = await createSchedule(postgres, tree, wanted({ ...asked, when_missed: "skip" }), system, startMs);
  const both = [caught, skipping];
  for (let ms = startMs; ms < Date.UTC(2020, 2, 26); ms += dayMs) await planAllOf(both, ms);
  await end(new Date("2020-03-10T00:00:00Z"));
  for (let again = 0; again < 3; again++) await planAllOf(both, Date.UTC(2020, 2, 25, 8, 20 + again));
  const periods = async (one: ScheduleRecord) =>
    (await slotsOf(one)).map(({ fromAt, toAt, state }) => [
      ...[fromAt, toAt].map((at) => at.toISOString().slice(5, 10)),
      state === "skipped" ? state : "sent",
    ]);
  const ended = [
    ["02-01", "03-01", "sent"],
    ["03-01", "03-10", "sent"],
  ];
  for (const one of both) expect(await periods(one)).toEqual(ended);
  await end(null);
  for (let ms = Date.UTC(2020, 2, 26, 8, 10); ms < Date.UTC(2020, 3, 5); ms += dayMs) await planAllOf(both, ms);
  for (const one of both) expect((await periods(one)).sort()).toEqual([...ended, ["03-01", "04-01", "sent"]].sort());
  // A start that moves back changes what an earlier slot had, and makes nothing of it due again.
  await db
    .update(subscriptions)
    .set({ startsAt: new Date("2020-03-15T00:00:00Z") })
    .where(eq(subscriptions.id, id));
  await planAllOf(both, Date.UTC(2020, 3, 6));
  for (const one of both) expect(await periods(one)).toHaveLength(3);
  for (const one of both) await pause(one, startMs);
});

test("however many schedules of one tenant are due, another's report is planned, begun and sent among the first fifty", async () => {
  for (const id of ["flood", "calm"]) await tree.createNode({ kind: "reseller", id, name: id, parent: "all" });
  const startMs = Date.UTC(2020, 10, 1, 12);
  const one = await daily({ node: "reseller:flood" }, startMs);
  const flood = Array.from({ length: 70 }, (_, n) => ({ ...one, id: n === 0 ? one.id : `sch_flood_${n}` }));
  await postgres.db.insert(schedules).values(flood.slice(1));
  const calm = await daily({ node: "reseller:calm", at: "08:30" }, startMs);
  const nowMs = startMs + dayMs;
  const floodIds = flood.map(({ id }) => id);
  await advanceSchedules(sourceOn(postgres, nowMs), nowMs);
  const ofBoth = inArray(scheduleSlots.schedule, [...floodIds, calm.id]);
  // A row's transaction says when it was written.
  const begun = await postgres.db
    .select({ schedule: scheduleSlots.schedule })
    .from(scheduleSlots)
    .innerJoin(reportRuns, eq(reportRuns.id, scheduleSlots.run))
    .where(ofBoth)
    .orderBy(sql`age(${reportRuns}.xmin) DESC`);
  expect(begun).toHaveLength(71);
  expect(begun.findIndex(({ schedule }) => schedule === calm.id)).toBeLessThan(50);
  await makeRuns();
  await advanceSchedules(sourceOn(postgres, nowMs), nowMs);
  const sent = await postgres.db
    .select({ schedule: scheduleSlots.schedule, state: scheduleSlots.state })
    .from(scheduleSlots)
    .innerJoin(deliveries, arrayContains(scheduleSlots.deliveries, sql`array[${deliveries.id}]`))
    .where(ofBoth)
    .orderBy(deliveries.position);
  expect(sent).toHaveLength(71);
  expect(new Set(sent.map(({ schedule, state }) => `${schedule} ${state}`)).size).toBe(71);
  expect(sent.findIndex(({ schedule }) => schedule === calm.id)).toBeLessThan(50);
  await postgres.db
    .update(schedules)
    .set({ paused: true })
    .where(inArray(schedules.id, [...floodIds, calm.id]));
});

/** As each look of a process does it. */
async function planAllOf(schedules: readonly ScheduleRecord[], nowMs: number): Promise<void> {
  for (const { id } of schedules)
    await postgres.transaction(async (tx) => {
      const schedule = await readSchedule(tx, id);
      if (schedule) await planSlots(tx, tree, schedule, nowMs);
    });
}

test("periods that are over are sent once where a new schedule asks for them, and none of them is late", async () => {
  const startMs = Date.UTC(2020, 9, 10, 12);
  const schedule = await createSchedule(
    postgres,
    tree,
    { ...wanted({ every: "week", at: "08:00" }), pastPeriods: 3 },
    system,
    startMs,
  );
  for (let again = 0; again < 2; again++) await advanceAt(startMs + again * 60_000);
  const slots = await slotsOf(schedule);
  expect(slots.map(({ fromAt }) => fromAt.toISOString().slice(0, 10))).toEqual([
    "2020-09-14",
    "2020-09-21",
    "2020-09-28",
  ]);
  for (const slot of slots) {
    expect(slot).toMatchObject({ state: "sent", isLate: false });
    expect(slot.deliveries).toHaveLength(1);
  }
  await pause(schedule, startMs);
});

test("five tests of a schedule wait at most, also where many are asked for at once", async () => {
  const startMs = Date.UTC(2020, 8, 1, 12);
  const schedule = await daily({}, startMs);
  const asked = Array.from({ length: 12 }, () => createTest(postgres, tree, schedule, { to: null }, startMs));
  const settled = await Promise.allSettled(asked);
  expect(settled.filter(({ status }) => status === "fulfilled")).toHaveLength(5);
  for (const one of settled) if (one.status === "rejected") expect(one.reason).toMatchObject({ code: "too_fast" });
  await postgres.db.delete(scheduleSlots).where(eq(scheduleSlots.schedule, schedule.id));
  await pause(schedule, startMs);
});

test("a slot waits until all of its period is known, and says that it is late", async () => {
  const startMs = Date.UTC(2020, 1, 1, 12);
  const schedule = await daily({}, startMs);
  const dueMs = Date.UTC(2020, 1, 2, 8);
  await advanceAt(dueMs - 1);
  expect(await slotsOf(schedule)).toEqual([]);
  await advanceAt(dueMs, Date.UTC(2020, 1, 2) - 1);
  expect(await slotsOf(schedule)).toMatchObject([{ state: "waiting", run: null }]);
  await advanceAt(dueMs + 2 * 3_600_000, Date.UTC(2020, 1, 2));
  const [slot] = await slotsOf(schedule);
  expect(slot).toMatchObject({ state: "sent", isLate: true });
  const [mail] = await postgres.db
    .select()
    .from(deliveries)
    .where(inArray(deliveries.id, slot?.deliveries ?? []));
  expect(mail?.message.lines.join("\n")).toContain("This report is late");
  await pause(schedule, dueMs);
});

test("a slot that is due while its schedule is paused is sent neither then nor later", async () => {
  const startMs = Date.UTC(2020, 2, 1, 12);
  const schedule = await daily({}, startMs);
  await pause(schedule, startMs);
  await advanceAt(startMs + 3 * dayMs);
  await pause(schedule, startMs + 3 * dayMs, false);
  await advanceAt(startMs + 4 * dayMs);
  expect(await slotsOf(schedule)).toMatchObject([{ state: "sent", dueAt: new Date("2020-03-05T08:00:00Z") }]);
  await pause(schedule, startMs);
});

test("what was due and not yet taken is sent once, though the time is changed or the schedule paused before", async () => {
  const startMs = Date.UTC(2020, 5, 1, 12);
  const lateMs = Date.UTC(2020, 5, 2, 8, 30);
  const [moved, paused] = [await daily({}, startMs), await daily({}, startMs)];
  const edit = { by: system, check: () => undefined };
  await changeSchedule(postgres, tree, moved.id, { at: "07:00" }, edit, lateMs);
  await changeSchedule(postgres, tree, moved.id, { at: "06:00" }, edit, lateMs + 1);
  await pause(paused, lateMs);
  await pause(paused, lateMs + 3 * 3_600_000, false);
  await advanceAt(lateMs + dayMs);
  for (const one of [moved, paused])
    expect(await slotsOf(one)).toMatchObject([
      { state: "sent", fromAt: new Date("2020-06-01T00:00:00Z") },
      { state: "sent", fromAt: new Date("2020-06-02T00:00:00Z") },
    ]);
  for (const one of [moved, paused]) await pause(one, startMs);
});

test("an empty report is sent with words that say so, or left out where the schedule says so", async () => {
  const startMs = Date.UTC(2020, 3, 1, 12);
  const [sent, left] = [await daily({}, startMs), await daily({ when_empty: "skip" }, startMs)];
  await advanceSchedules(sourceOn(postgres, startMs + dayMs), startMs + dayMs);
  await makeRuns("0.000000");
  await advanceSchedules(sourceOn(postgres, startMs + dayMs), startMs + dayMs);
  const [slot] = await slotsOf(sent);
  const [mail] = await postgres.db
    .select()
    .from(deliveries)
    .where(inArray(deliveries.id, slot?.deliveries ?? []));
  expect(mail?.message.lines).toContain("There was no data in this period.");
  expect(await slotsOf(left)).toMatchObject([{ state: "skipped", reason: "empty", deliveries: [] }]);
  for (const one of [sent, left]) await pause(one, startMs);
});

test("a run that failed is made again, and the slot still sent once", async () => {
  const startMs = Date.UTC(2020, 4, 1, 12);
  const schedule = await daily({}, startMs);
  await advanceSchedules(sourceOn(postgres, startMs + dayMs), startMs + dayMs);
  await postgres.db.update(reportRuns).set({ state: "failed" }).where(eq(reportRuns.state, "queued"));
  await advanceAt(startMs + dayMs);
  expect(await slotsOf(schedule)).toMatchObject([{ state: "waiting", failures: 1 }]);
  await advanceAt(startMs + dayMs + 60_000);
  const [slot] = await slotsOf(schedule);
  expect(slot).toMatchObject({ state: "sent", failures: 1 });
  expect(slot?.deliveries).toHaveLength(1);
});

test("a schedule goes on in full when its organization moves away from where its author has rights", async () => {
  const { db } = postgres;
  const node = "organization:moved";
  for (const id of ["left", "joined"]) await tree.createNode({ kind: "reseller", id, name: id, parent: "all" });
  await tree.createNode({ kind: "organization", id: "moved", name: "Moved", parent: "reseller:left" });
  const owned = { id: "key_left", keyHash: "left", prefix: "tmk_left", name: "Left", node: "reseller:left" };
  const rights = { scopes: ["read" as const, "admin" as const], createOrganizations: false, seePrices: true };
  await db.insert(apiKeys).values({ ...owned, ...rights });
  await db.insert(users).values({ id: "usr_own", email: "own@example.org" });
  await db.insert(userRoles).values({ userId: "usr_own", node, role: "owner" });
  const startMs = Date.UTC(2020, 6, 1, 12);
  const author = { kind: "key" as const, id: "key_left", name: "Left", address: null };
  const asked = wanted({ report: "billing", node, every: "day", at: "08:00", recipients: ["own@example.org"] });
  const schedule = await createSchedule(postgres, tree, asked, author, startMs);
  const validFrom = new Date(startMs + dayMs);
  await db.insert(nodeParents).values({ node, parent: "reseller:joined", validFrom });
  await tree.reread([node]);
  await advanceAt(startMs + 3 * dayMs);
  const slots = await slotsOf(schedule);
  for (const { run, ...slot } of slots) {
    expect(slot).toMatchObject({ state: "sent", withheld: [] });
    expect((await readRun(db, run ?? ""))?.reach).toEqual([node]);
  }
  expect(slots).toHaveLength(3);
  await pause(schedule, startMs);
});

cycleReports(() => ({ postgres, tree, advanceAt, slotsOf, pause }));

function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}
