import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ClickHouse } from "../../../server/clickhouse/client.ts";
import { applyCorrection } from "../../../server/corrections/apply-correction.ts";
import { findStoredEvent } from "../../../server/corrections/stored-event.ts";
import { type StageComparison, stageComparisons } from "../../../server/rollups/compare-stages.ts";
import { createLevelMaterializer } from "../../../server/rollups/derive-levels.ts";
import { type Ingesting, startIngesting } from "../../support/ingesting.ts";
import { eventually } from "../../support/service.ts";

let ingesting: Ingesting;
beforeAll(async () => {
  ingesting = await startIngesting();
});
afterAll(() => ingesting.close());

const minuteMs = 60_000;
let run = 0;

const signArbitrary = fc.record({
  session: fc.constantFrom("s1", "s1", "s2"),
  // Without a name, the signs of a user are paired; without a session, the interval is unassigned.
  interval: fc.constantFrom("i1", "i2", "i3", "", ""),
  isUnassigned: fc.nat(150).map((chance) => chance === 0),
  user: fc.constantFrom("u1", "u2"),
  type: fc.constantFrom(
    ...["participant.joined", "participant.joined", "participant.alive", "participant.left", "participant.left"],
    ...["recording.started", "recording.stopped", "session.ended"],
  ),
  secondsAgo: fc.oneof(
    fc.integer({ min: 1, max: 400 }),
    fc.integer({ min: 1, max: 6 }).map((one) => one * 60),
  ),
  startedSecondsBefore: fc.oneof(fc.constant(0), fc.constant(0), fc.integer({ min: 1, max: 300 })),
  aliveWithin: fc.constantFrom(0, 0, 0, 90, 600),
  /** Sends the one before it once more. */
  isRepeat: fc.nat(6).map((chance) => chance === 0),
});
type Sign = typeof signArbitrary extends fc.Arbitrary<infer Value> ? Value : never;

function asEvents(organization: string, batch: readonly Sign[], nowMs: number) {
  return batch.map((sign, index) => {
    const { session, user, type, secondsAgo, startedSecondsBefore, aliveWithin, isUnassigned, isRepeat } = sign;
    const interval = isUnassigned ? "i9" : sign.interval;
    const timeMs = nowMs - secondsAgo * 1000;
    const isIn = type.endsWith("ed") && type !== "session.ended";
    return {
      id: `${organization} ${run} ${isRepeat ? Math.max(0, index - 1) : index} ${isRepeat ? "" : type} ${timeMs}`,
      type,
      organization,
      time: new Date(timeMs).toISOString(),
      user,
      ...(!isUnassigned && { session }),
      ...(interval !== "" && { interval }),
      room: `room of ${session}`,
      ...(isIn &&
        startedSecondsBefore > 0 && { started_at: new Date(timeMs - startedSecondsBefore * 1000).toISOString() }),
      ...(aliveWithin > 0 && { properties: { alive_within: aliveWithin } }),
    };
  });
}

/** What memory holds, and what was written from it, where it is not what storage has and would derive now. */
async function wrongs(organization: string, nowMs: number): Promise<unknown[]> {
  const { store, sequence, materializer } = ingesting;
  const batch = sequence.next();
  await store.clickhouse.command(
    `INSERT INTO touched_sessions (batch, organization, session, level, interval)
    SELECT DISTINCT {batch:UInt64}, organization, session, if(session = '', level, ''), if(session = '', intervals.interval, '')
    FROM intervals WHERE organization = {organization:String}`,
    { batch, organization },
  );
  const { differences } = await materializer.derive([batch], nowMs, "comparison");
  const comparison = { clickhouse: store.clickhouse, sequence, derive: materializer.derive, nowMs, settledBatch: 0 };
  const days = [...new Set([nowMs, nowMs - 15 * minuteMs].map((ms) => new Date(ms).toISOString().slice(0, 10)))];
  const stages: StageComparison[] = [stageComparisons.presences, stageComparisons.edges, stageComparisons.slots];
  const whole = { ...comparison, touchedNodes: new Set<string>(), dirtyBatch: batch };
  const found: unknown[] = [...differences];
  for (const day of days)
    for (const stage of stages) found.push(...(await stage.compare(whole, { organization, day })));
  return found;
}

test("what memory holds of running sessions, and what is written from it, is what storage has after every step of random lives", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ signs: fc.array(signArbitrary, { minLength: 1, maxLength: 6 }), isForgotten: fc.nat(5) }), {
        minLength: 2,
        maxLength: 6,
      }),
      async (steps) => {
        run++;
        const organization = `lives ${run}`;
        const { materializer } = ingesting;
        for (const { signs, isForgotten } of steps) {
          await ingesting.send(asEvents(organization, signs, Date.now()));
          // Lets go of everything.
          if (isForgotten === 0) await materializer.alone(async () => undefined);
          expect(await wrongs(organization, Date.now())).toEqual([]);
        }
      },
    ),
    { numRuns: 8 },
  );
}, 120_000);

const sign = (organization: string, id: string, action: string, secondsAgo: number, interval = id) => ({
  id: `${organization} ${id} ${action}`,
  type: `participant.${action}`,
  organization,
  session: "s",
  interval,
  user: `user of ${interval}`,
  time: new Date(Date.now() - secondsAgo * 1000).toISOString(),
});

test("what was corrected while its session runs counts no more in what the session's next events change", async () => {
  const organization = "corrected";
  const { store, sequence, materializer, flush } = ingesting;
  await ingesting.send([sign(organization, "a", "joined", 300)]);
  let sent = 0;
  await eventually("the session to be held", async () => {
    await ingesting.send([sign(organization, `b${++sent}`, "joined", 200)]);
    return materializer.held().members > 0 || undefined;
  });
  const name = { id: `${organization} a joined`, source: undefined };
  const stored = await findStoredEvent(store.clickhouse, organization, name, undefined);
  if (!stored?.current) throw new Error("the event is stored");
  const voidBatch = sequence.next();
  const correction = { before: stored.current, voidBatch, after: undefined, amendBatch: undefined };
  await flush.exclusive(async () => {
    const levels = await applyCorrection({ clickhouse: store.clickhouse, materializer }, correction, Date.now());
    return { batch: correction.voidBatch, organizations: new Set([organization]), levels };
  });
  await ingesting.send([sign(organization, "c", "joined", 100)]);
  expect(await wrongs(organization, Date.now())).toEqual([]);
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
  const batch = ingesting.flush.settledBatch;
  const line = (id: string, secondsAgo: number) =>
    Buffer.from(
      `1\t${organization}\t${id}\t1\t${Date.now() - secondsAgo * 1000}\t1\tparticipant.joined\t\t\t\tu\ts\t\t${id}\t\t0\t\\N\t{}\t{}\tparticipants\tstart\t0\tkey\n`,
    );
  // It is read from storage, which has one event of it, and held once it is known which organizations have unassigned intervals.
  await eventually("the session to be held", async () => {
    await later.deriveEvents({ batches: [batch], lines: [line("never stored", 200)] }, Date.now());
    return later.held().members > 0 || undefined;
  });
  isCut = true;
  const cut = later.deriveEvents({ batches: [batch], lines: [line("never stored", 100)] }, Date.now());
  await expect(cut).rejects.toThrow("cut off");
  isCut = false;
  expect(later.held()).toEqual({ sessions: 0, members: 0 });
  await later.deriveEvents({ batches: [batch], lines: [line("never stored", 50)] }, Date.now());
  expect(await wrongs(organization, Date.now())).toEqual([]);
});
