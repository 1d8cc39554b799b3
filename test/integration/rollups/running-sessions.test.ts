import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ClickHouse } from "../../../server/clickhouse/client.ts";
import { applyCorrection, gatherSessions } from "../../../server/corrections/apply-correction.ts";
import { findStoredEvent } from "../../../server/corrections/stored-event.ts";
import { placeOrganizations } from "../../../server/rollups/apply-moves.ts";
import { createLevelMaterializer } from "../../../server/rollups/derive-levels.ts";
import { type Ingesting, startIngesting } from "../../support/ingesting.ts";
import { eventually } from "../../support/service.ts";
import { wrongDerivations } from "../../support/wrong-derivations.ts";

const seed = Number(process.env.PROPERTY_SEED ?? 20_261_129);
const lives = Number(process.env.PROPERTY_RUNS ?? 4);

let ingesting: Ingesting;
beforeAll(async () => {
  // So few that every other step lets go of a session.
  ingesting = await startIngesting({ maxHeldIntervals: 12 });
});
afterAll(() => ingesting.close());

let run = 0;

const signArbitrary = fc.record({
  session: fc.constantFrom("s1", "s1", "s2"),
  // Without a name, the signs of a user are paired; without a session, the interval is unassigned.
  interval: fc.constantFrom("i1", "i2", "i3", "", ""),
  isUnassigned: fc.nat(150).map((chance) => chance === 0),
  /** Then events of both sessions may be of one interval. */
  isSplit: fc.nat(25).map((chance) => chance === 0),
  user: fc.constantFrom("u1", "u2"),
  type: fc.constantFrom(
    "participant.joined",
    "participant.joined",
    "participant.alive",
    "participant.left",
    "participant.left",
    "recording.started",
    "recording.stopped",
    "session.ended",
  ),
  secondsAgo: fc.oneof(
    fc.integer({ min: 1, max: 400 }),
    fc.integer({ min: 1, max: 6 }).map((one) => one * 60),
  ),
  startedSecondsBefore: fc.oneof(fc.constant(0), fc.constant(0), fc.integer({ min: 1, max: 300 })),
  aliveWithin: fc.constantFrom(0, 0, 0, 90, 600),
  device: fc.constantFrom("", "", "mobile", "tablet"),
  /** Sends the one before it once more. */
  isRepeat: fc.nat(6).map((chance) => chance === 0),
});
type Sign = typeof signArbitrary extends fc.Arbitrary<infer Value> ? Value : never;

function asEvents(organization: string, batch: readonly Sign[], nowMs: number) {
  return batch.map((sign, index) => {
    const {
      session,
      user,
      type,
      secondsAgo,
      startedSecondsBefore,
      aliveWithin,
      device,
      isUnassigned,
      isSplit,
      isRepeat,
    } = sign;
    const own = sign.interval === "" || isSplit ? sign.interval : `${sign.interval} of ${session}`;
    const interval = isUnassigned ? "i9" : own;
    const timeMs = nowMs - secondsAgo * 1000;
    const isIn = type.endsWith("ed") && type !== "session.ended";
    return {
      id: `${organization} ${isRepeat ? Math.max(0, index - 1) : index} ${isRepeat ? "" : type} ${timeMs}`,
      type,
      organization,
      time: new Date(timeMs).toISOString(),
      // What is no participant may be nobody's.
      ...((user === "u1" || type.startsWith("participant.")) && { user }),
      ...(!isUnassigned && { session }),
      ...(interval !== "" && { interval }),
      room: `room of ${session}`,
      ...(isIn &&
        startedSecondsBefore > 0 && { started_at: new Date(timeMs - startedSecondsBefore * 1000).toISOString() }),
      properties: { ...(aliveWithin > 0 && { alive_within: aliveWithin }), ...(device !== "" && { device }) },
    };
  });
}

/** Takes the session away from the event, or voids it. Answers false where it counts no more already. */
async function correct(organization: string, id: string, isVoided: boolean): Promise<boolean> {
  const { store, sequence, materializer, flush } = ingesting;
  const stored = await findStoredEvent(store.clickhouse, organization, { id, source: undefined }, undefined);
  if (!stored?.current) return false;
  const before = stored.current;
  const rows = { before, after: isVoided ? undefined : { ...before, session: "" } };
  const { clickhouse } = store;
  const gathered = await gatherSessions(clickhouse, rows, { run: sequence.next(), through: flush.settledBatch });
  await flush.exclusive(async () => {
    const numbers = { voidBatch: sequence.next(), amendBatch: isVoided ? undefined : sequence.next() };
    const levels = await applyCorrection({ clickhouse, materializer }, rows, numbers, gathered, Date.now());
    return { batch: sequence.next(), organizations: new Set([organization]), levels };
  });
  return true;
}

async function move(organization: string, reseller: string, sinceMs: number): Promise<void> {
  const { store, materializer, flush, sequence, tree } = ingesting;
  const earlier = tree.placements.get(organization) ?? [{ sinceMs: 0, partner: "", reseller: "" }];
  tree.placements.set(organization, [
    ...earlier.filter((placement) => placement.sinceMs < sinceMs),
    { sinceMs, partner: "", reseller },
  ]);
  const placementsWithin = (id: string, fromMs: number, toMs: number) => tree.placementsWithin(id, fromMs, toMs);
  await placeOrganizations(
    { clickhouse: store.clickhouse, materializer, flush, sequence, placementsWithin },
    { organizations: [organization], sinceMs, nowMs: Date.now(), unfinished: [], record: async () => undefined },
  );
}

const stepArbitrary = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant("send" as const),
      signs: fc.array(signArbitrary, { minLength: 1, maxLength: 6 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("correct" as const), pick: fc.nat(), isVoided: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("move" as const),
      reseller: fc.constantFrom("", "r1", "r2"),
      secondsAgo: fc.nat(500),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("let all go" as const) }) },
);
type Step = typeof stepArbitrary extends fc.Arbitrary<infer Value> ? Value : never;

/** Answers whether anything may have changed. */
async function take(organization: string, step: Step, sent: string[]): Promise<boolean> {
  if (step.kind === "send") {
    const events = asEvents(organization, step.signs, Date.now());
    await ingesting.send(events);
    sent.push(...events.map(({ id }) => id));
  }
  if (step.kind === "correct") {
    const [id] = sent.splice(step.pick % Math.max(1, sent.length), 1);
    return id !== undefined && (await correct(organization, id, step.isVoided));
  }
  if (step.kind === "move") await move(organization, step.reseller, Date.now() - step.secondsAgo * 1000);
  if (step.kind === "let all go") await ingesting.materializer.alone(async () => undefined);
  return true;
}

test(`what memory holds of running sessions, and what is written from it, is what storage has after every step of ${lives} random lives (PROPERTY_SEED=${seed})`, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(stepArbitrary, { minLength: 3, maxLength: 7 }), async (steps) => {
      const organization = `lives ${++run}`;
      ingesting.tree.organizations.set(organization, { partner: "", reseller: "" });
      const sent: string[] = [];
      for (const step of steps)
        if (await take(organization, step, sent))
          expect(await wrongDerivations(ingesting, organization, Date.now())).toEqual([]);
    }),
    { numRuns: lives, seed },
  );
});

const sign = (organization: string, id: string, action: string, secondsAgo: number, interval = id) => ({
  id: `${organization} ${id} ${action}`,
  type: `participant.${action}`,
  organization,
  session: "s",
  interval,
  user: `user of ${interval}`,
  time: new Date(Date.now() - secondsAgo * 1000).toISOString(),
});

/** Sends signs of life of one interval until memory holds its session. */
async function untilHeld(organization: string): Promise<void> {
  await ingesting.send([sign(organization, "a", "joined", 300)]);
  await eventually("the session to be held", async () => {
    await ingesting.send([{ ...sign(organization, "a", "alive", 290), id: `${organization} ${++run}` }]);
    return ingesting.materializer.held().intervals > 0 || undefined;
  });
}

const corrections = [
  ["a start that was voided", "joined", true],
  ["an end that names its session no more", "left", false],
] as const;

test.each(corrections)(
  "%s while the session runs counts so in all that the session's next events change",
  async (name, action, isVoided) => {
    const organization = `${name} while it runs`;
    await untilHeld(organization);
    await ingesting.send([sign(organization, "b", "joined", 250), sign(organization, "b", "left", 200)]);
    expect(await correct(organization, `${organization} b ${action}`, isVoided)).toBe(true);
    await ingesting.send([sign(organization, "c", "joined", 100)]);
    expect(await wrongDerivations(ingesting, organization, Date.now())).toEqual([]);
  },
);

test("of a session that a repair found, and memory never met, the next events are derived with what was repaired", async () => {
  const organization = "repaired";
  await untilHeld(organization);
  const { store, materializer } = ingesting;
  await materializer.alone(() =>
    store.clickhouse.command(
      `INSERT INTO usage_events SELECT * REPLACE ('found' AS session, 'found' AS id) FROM usage_events
      WHERE organization = {organization:String} AND level_action = 'start'`,
      { organization },
    ),
  );
  await ingesting.send([{ ...sign(organization, "b", "joined", 100), session: "found" }]);
  expect(await wrongDerivations(ingesting, organization, Date.now())).toEqual([]);
});

test("a session that memory lets go with events folded into it, because its organization has moved as far as is known, is read from storage", async () => {
  const organization = "moved while it is held";
  const stood = { partner: "", reseller: "" };
  ingesting.tree.organizations.set(organization, stood);
  await untilHeld(organization);
  const movedMs = Date.now() - 100_000;
  ingesting.tree.placements.set(organization, [
    { sinceMs: 0, ...stood },
    { sinceMs: movedMs, partner: "", reseller: "r1" },
  ]);
  await ingesting.send([sign(organization, "b", "joined", 50)]);
  expect(await wrongDerivations(ingesting, organization, Date.now())).toEqual([]);
});

/** The store, until `isCut` says that it takes no sessions. */
function cuttable(clickhouse: ClickHouse, isCut: () => boolean): ClickHouse {
  return {
    ...clickhouse,
    async insertBytes(sql, body, params) {
      if (isCut() && sql.includes("INSERT INTO sessions\n")) throw new Error("cut off");
      return await clickhouse.insertBytes(sql, body, params);
    },
  };
}

test("what could not be written is held by nobody: the next events of the session are derived from what storage has", async () => {
  const organization = "cut";
  const { store, sequence } = ingesting;
  let isCut = false;
  const later = createLevelMaterializer({
    clickhouse: cuttable(store.clickhouse, () => isCut),
    nextVersion: () => sequence.next(),
    currentEpoch: () => ({ number: Number.MAX_SAFE_INTEGER, leftSince: undefined }),
  });
  await ingesting.send([sign(organization, "a", "joined", 300)]);
  const stored = Promise.resolve([ingesting.flush.settledBatch]);
  const line = (id: string, secondsAgo: number) =>
    Buffer.from(
      `1\t${organization}\t${id}\t1\t${Date.now() - secondsAgo * 1000}\t1\tparticipant.joined\t\t\t\tu\ts\t\t${id}\t\t0\t\\N\t{}\t{}\tparticipants\tstart\t0\tkey\n`,
    );
  // It is read from storage, which has one event of it, and held once it is known which organizations have unassigned intervals.
  await eventually("the session to be held", async () => {
    await later.deriveEvents({ stored, lines: [line("never stored", 200)] }, Date.now());
    return later.held().intervals > 0 || undefined;
  });
  isCut = true;
  const cut = later.deriveEvents({ stored, lines: [line("never stored", 100)] }, Date.now());
  await expect(cut).rejects.toThrow("cut off");
  isCut = false;
  expect(later.held()).toEqual({ sessions: 0, intervals: 0 });
  await later.deriveEvents({ stored, lines: [line("never stored", 50)] }, Date.now());
  expect(await wrongDerivations(ingesting, organization, Date.now())).toEqual([]);
});

test("of thousands of signs of life memory keeps what storage answers with, and a presence is as long as all of them say", async () => {
  const organization = "alive";
  const beganMs = Math.floor(Date.now() / 1000) * 1000 - 2 * 60 * 60_000;
  const event = (type: string, second: number, properties: Record<string, string | number | boolean> = {}) => ({
    id: `${type} ${second}`,
    type,
    organization,
    session: "s",
    user: "u",
    properties,
    time: new Date(beganMs + second * 1000).toISOString(),
  });
  const alives = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, index) => event("participant.alive", from + index));
  const presence = async () => {
    const range = { from: new Date(beganMs).toISOString(), to: new Date().toISOString(), window: "total" as const };
    const asked = { ...range, node: `organization:${organization}`, meter: "participation_minutes,sessions" };
    return (await ingesting.usage(asked)).map(({ total }) => total);
  };
  await ingesting.send([event("participant.joined", 0, { alive_within: 60 }), ...alives(1, 1_500)]);
  await ingesting.send([...alives(1_800, 2_400), event("participant.joined", 1_790, { alive_within: 60 })]);
  expect(await wrongDerivations(ingesting, organization, Date.now())).toEqual([]);
  // Silent from 1,499 to 1,790: two stays.
  expect(await presence()).toEqual([String((1_499 + 609) / 60).slice(0, 9), 1]);
  // A start between signs of life that were left out finds nobody gone; a shorter silence does.
  await ingesting.send([event("participant.joined", 700)]);
  expect(await presence()).toEqual([String((1_499 + 609) / 60).slice(0, 9), 1]);
  // What one stay may be silent for says nothing of the stay before it; a shorter silence reads again what was left out.
  await ingesting.send([event("participant.alive", 2_400, { alive_within: 3_600 })]);
  expect(await wrongDerivations(ingesting, organization, Date.now())).toEqual([]);
  expect(await presence()).toEqual([String((1_499 + 610) / 60).slice(0, 9), 1]);
  await ingesting.send([event("participant.alive", 650.5, { alive_within: 1 }), event("participant.joined", 800.5)]);
  expect(await wrongDerivations(ingesting, organization, Date.now())).toEqual([]);
  expect(await presence()).toEqual([String((1_499 + 610) / 60).slice(0, 9), 1]);
});

test("of a session that is read from storage, an interval lasts from the earliest of its starts to the latest of its ends, in whatever order one request has them", async () => {
  const organization = "several starts and ends";
  ingesting.tree.organizations.set(organization, { partner: "", reseller: "" });
  const startedMs = Date.now() - 600_000;
  const event = (interval: string, action: string, second: number) => ({
    ...sign(organization, interval, action, 0),
    id: `${interval} ${action} ${second}`,
    time: new Date(startedMs + second * 1000).toISOString(),
  });
  await ingesting.send([
    ...[event("up", "joined", 0), event("up", "joined", 60), event("up", "left", 180), event("up", "left", 240)],
    ...[
      event("down", "joined", 60),
      event("down", "joined", 0),
      event("down", "left", 240),
      event("down", "left", 180),
    ],
  ]);
  await ingesting.materializer.alone(async () => undefined);
  await ingesting.send([event("next", "joined", 300), event("next", "left", 360)]);
  const [presence] = await ingesting.usage({
    meter: "participation_minutes",
    node: `organization:${organization}`,
    from: new Date(startedMs).toISOString(),
    to: new Date().toISOString(),
    window: "total",
  });
  expect(presence?.total).toBe("9");
});
