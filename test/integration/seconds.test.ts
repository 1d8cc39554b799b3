import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { meterByName } from "../../server/catalog/catalog.ts";
import type { UsageEvent } from "../../server/contract/events.ts";
import { limits } from "../../server/contract/events.ts";
import { explainFigure } from "../../server/lists/explain.ts";
import { readJobs } from "../../server/lists/read-jobs.ts";
import { readRecords } from "../../server/lists/read-records.ts";
import { type Ingesting, startIngesting } from "../support/ingesting.ts";

/** The rule is of a million; CI takes fewer. */
const durationCount = Number(process.env.PROPERTY_RUNS ?? 20_000);
const march = { from: "2026-03-01T00:00:00Z", to: "2026-04-01T00:00:00Z", window: "total" } as const;
const everything = { settledBatch: Number.MAX_SAFE_INTEGER, watermarkMs: Number.MAX_SAFE_INTEGER };

let ingesting: Ingesting;
beforeAll(async () => {
  ingesting = await startIngesting();
});
afterAll(() => ingesting.close());

const at = (minute: number) => new Date(Date.UTC(2026, 2, 5, 0, minute)).toISOString();
const call = (id: string, rest: Partial<UsageEvent>): Partial<UsageEvent> => ({
  id,
  type: "call.completed",
  organization: "acme",
  time: at(0),
  ...rest,
});
async function total(meter: string, organization: string): Promise<unknown> {
  const [usage] = await ingesting.usage({ meter, node: `organization:${organization}`, ...march });
  return usage?.total;
}

test("three calls of twenty seconds are exactly one minute, alone, in groups and beside minutes", async () => {
  const organization = "twenty";
  await ingesting.send([
    call("t1", { organization, agent: "a", seconds: 20 }),
    call("t2", { organization, agent: "a", seconds: "20.0", time: at(20) }),
    call("t3", { organization, agent: "b", seconds: "+20", time: at(40) }),
  ]);
  expect(await total("call_minutes", organization)).toBe("1");
  await ingesting.send([call("t4", { organization, agent: "b", value: "0.25", time: at(60) })]);
  const [usage] = await ingesting.usage({
    meter: "call_minutes",
    node: `organization:${organization}`,
    ...march,
    group_by: "agent",
  });
  expect(usage).toMatchObject({ total: "1.25", average: "0.3125" });
  expect(usage?.groups?.map(({ key, total }) => [key, total])).toEqual([
    ["a", "0.666666667"],
    ["b", "0.583333333"],
  ]);
});

test("the same durations give the same figures in seconds and in minutes, to the ninth decimal", async () => {
  const minutesOfFlight = fc.sample(fc.integer({ min: 20, max: 700 }), { numRuns: 2_000, seed: 7 });
  const flights = (organization: string, amount: (minutes: number) => Partial<UsageEvent>) =>
    minutesOfFlight.map((minutes, index) => ({
      ...call(`f${index}`, { organization, time: at(index * 20), ...amount(minutes) }),
      type: index % 7 === 0 ? "recording.stored" : index % 3 === 0 ? "transcription.completed" : "call.completed",
      properties: { accuracy: String(50 + (index % 50)), model: `m${index % 3}` },
    }));
  await ingesting.send(flights("in-minutes", (minutes) => ({ value: minutes })));
  await ingesting.send(flights("in-seconds", (minutes) => ({ seconds: minutes * 60 })));
  const meter = "call_minutes,transcribed_minutes,transcription_accuracy,recording_storage,document_length";
  for (const group_by of [undefined, "agent"])
    for (const window of ["total", "day", "hour"] as const) {
      const ask = (organization: string) =>
        ingesting.usage({
          meter,
          node: `organization:${organization}`,
          ...march,
          window,
          tz: "Asia/Kolkata",
          ...(group_by && { group_by }),
        });
      const [inMinutes, inSeconds] = await Promise.all([ask("in-minutes"), ask("in-seconds")]);
      expect(inSeconds).toEqual(inMinutes);
    }
});

test("random durations in seconds sum exactly, however many (PROPERTY_RUNS sets how many)", async () => {
  const durations = fc.sample(
    fc.oneof(fc.bigInt({ min: 0n, max: 10n ** 14n }), fc.bigInt({ min: 0n, max: 10n ** 26n })),
    { numRuns: durationCount, seed: 11 },
  );
  const decimal = (units: bigint) => {
    const digits = String(units).padStart(10, "0");
    return `${digits.slice(0, -9)}.${digits.slice(-9)}`;
  };
  for (let from = 0; from < durations.length; from += limits.maxEventsPerRequest) {
    const some = durations.slice(from, from + limits.maxEventsPerRequest);
    await ingesting.send(
      some.map((units, index) =>
        call(`d${from + index}`, { organization: "many", time: at(index), seconds: decimal(units) }),
      ),
    );
  }
  const sum = durations.reduce((all, one) => all + one, 0n);
  const rounded = (2n * sum + 60n) / 120n;
  expect(await total("call_minutes", "many")).toBe(decimal(rounded).replace(/\.?0+$/, ""));
});

test("an amount is given once, in seconds only where it is minutes, and is refused by its field", async () => {
  const before = await total("call_minutes", "refused");
  const verdict = await ingesting.send([
    call("r1", { organization: "refused", value: 1, seconds: 60 }),
    call("r2", { organization: "refused", type: "chat.posted", seconds: 60 }),
    call("r3", { organization: "refused", type: "nobody.knows", seconds: 60 }),
    call("r4", { organization: "refused", seconds: "1.2.3" }),
    call("r5", { organization: "refused", seconds: true as never }),
  ]);
  expect(verdict.accepted).toBe(0);
  expect(verdict.rejected.map(({ code, field }) => [code, field])).toEqual(
    Array.from({ length: 5 }, () => ["invalid_field", "seconds"]),
  );
  expect(await total("call_minutes", "refused")).toBe(before);
});

test("an event that was sent in seconds is shown in seconds, is a duplicate in seconds alone, and its job has minutes", async () => {
  const sent = { organization: "shown", id: "s1", type: "transcription.completed", job: "j1", time: at(5) };
  await ingesting.send([{ ...sent, seconds: "90.50" }]);
  expect(await ingesting.send([{ ...sent, seconds: 90.5 }])).toMatchObject({ duplicates: 1 });
  expect(await ingesting.send([{ ...sent, value: 90.5 }])).toMatchObject({ rejected: [{ code: "id_conflict" }] });
  const { clickhouse } = ingesting.store;
  const question = { node: "organization:shown", filters: [], fromMs: undefined, toMs: undefined, asOf: everything };
  const list = { ...question, withVoided: false, after: undefined };
  const { value: records } = await readRecords(clickhouse, list, 10, Date.now()).next();
  expect(records?.[0]?.record).toMatchObject({ seconds: "90.5" });
  expect(records?.[0]?.record).not.toHaveProperty("value");
  const [job] = await readJobs(clickhouse, { ...question, after: undefined }, 10);
  expect(job?.job.minutes).toBe("1.508333333");
  const meter = meterByName("transcribed_minutes");
  if (!meter) throw new Error("no such meter");
  const explained = await explainFigure(clickhouse, {
    meter,
    node: "organization:shown",
    filters: [],
    fromMs: Date.parse(march.from),
    toMs: Date.parse(march.to),
    after: undefined,
    limit: 10,
  });
  expect(explained.sample[0]).toMatchObject({ value: "90.5", declared_dims: '{"unit":"seconds"}' });
});

test("a meter that users made adds up minutes and seconds of one type, by every aggregation", async () => {
  await ingesting.send([
    call("o1", { organization: "own", value: "0.5" }),
    call("o2", { organization: "own", seconds: 50, time: at(1) }),
  ]);
  const figures = await Promise.all(
    (["sum", "average", "max", "latest"] as const).map(async (aggregation) => {
      const rule = { kind: "events", types: ["call.completed"], aggregation } as const;
      const own = { version: 1, filters: [], dimensions: [] };
      const meter = { meter: aggregation, title: aggregation, unit: "minutes", rule, description: "", own };
      const [usage] = await ingesting.usage({
        meter: aggregation,
        meters: [meter],
        node: "organization:own",
        ...march,
      });
      return usage?.total;
    }),
  );
  expect(figures).toEqual(["1.333333333", "0.666666667", "0.833333333", "0.833333333"]);
});
