/** Sums of the largest amounts that are taken, held against whole numbers: in one batch, in many, and once they are folded. */
import fc from "fast-check";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Meter } from "../../../server/catalog/meter.ts";
import type { UsageEvent } from "../../../server/contract/events.ts";
import type { MeterUsage } from "../../../server/contract/usage.ts";
import { compactUsage } from "../../../server/rollups/compact-usage.ts";
import { finishRepairs, reconcilePiece } from "../../../server/rollups/reconcile-piece.ts";
import { type Ingesting, startIngesting } from "../../support/ingesting.ts";
import { type OwnTree, ownTree } from "../../support/own-tree.ts";

const day = "2026-02-03";
const range = { from: day, to: "2026-02-04" } as const;
const largest = 10n ** 38n - 1n;

let ingesting: Ingesting;
let accounts: OwnTree;
beforeAll(async () => {
  accounts = await ownTree();
  ingesting = await startIngesting();
});
afterAll(async () => {
  await ingesting.close();
  await accounts.close();
});

/** Billionths as a decimal. */
function decimal(units: bigint): string {
  const digits = String(units < 0n ? -units : units).padStart(10, "0");
  return `${units < 0n ? "-" : ""}${digits.slice(0, -9)}.${digits.slice(-9)}`.replace(/\.?0+$/, "");
}

/** A fraction of billionths, rounded half away from zero. */
function divided(top: bigint, bottom: bigint): string {
  const sign = top < 0n !== bottom < 0n ? -1n : 1n;
  const [a, b] = [top < 0n ? -top : top, bottom < 0n ? -bottom : bottom];
  return decimal(sign * ((2n * a + b) / (2n * b)));
}

const sum = (all: readonly bigint[]) => all.reduce((one, other) => one + other, 0n);

const atLimit = fc.bigInt({ min: largest - 10n ** 12n, max: largest });
const amounts = fc.oneof(
  { weight: 3, arbitrary: atLimit },
  { weight: 3, arbitrary: fc.bigInt({ min: 10n ** 36n, max: largest }) },
  { weight: 1, arbitrary: fc.bigInt({ min: -largest, max: largest }) },
  { weight: 1, arbitrary: fc.bigInt({ min: -1_000n, max: 1_000n }) },
);

interface Sent {
  units: bigint;
  accuracy: bigint;
  factor: bigint;
  inSeconds: boolean;
  agent: string;
  hour: number;
}

const sample = (seed: number, count: number): Sent[] =>
  fc.sample(
    fc.record({
      units: amounts,
      accuracy: fc.bigInt({ min: 0n, max: 100n * 10n ** 9n }),
      factor: amounts,
      inSeconds: fc.boolean(),
      agent: fc.constantFrom("a", "b"),
      hour: fc.nat({ max: 23 }),
    }),
    { numRuns: count, seed },
  );

const at = (hour: number) => `${day}T${String(hour).padStart(2, "0")}:20:00Z`;
const instantOf = (hour: number) => Date.parse(at(hour));
const sixtieths = ({ units, inSeconds }: Sent) => (inSeconds ? units : 60n * units);

function eventsOf(organization: string, all: readonly Sent[], from = 0): Partial<UsageEvent>[] {
  return all.flatMap(({ units, accuracy, factor, inSeconds, agent, hour }, place) => {
    const event = (type: string, rest: Partial<UsageEvent>): Partial<UsageEvent> => ({
      id: `${type}-${from + place}`,
      type,
      organization,
      agent,
      time: at(hour),
      ...rest,
    });
    const adjusted = { value: decimal(units), properties: { n: decimal(units), factor: decimal(factor) } };
    if (units < 0n) return [event("adjusted", adjusted)];
    const amount = inSeconds ? { seconds: decimal(units) } : { value: decimal(units) };
    return [
      event("adjusted", adjusted),
      event("call.completed", amount),
      event("transcription.completed", { ...amount, properties: { accuracy: decimal(accuracy) } }),
      event("recording.stored", amount),
    ];
  });
}

const own = (meter: string, rule: Partial<Extract<Meter["rule"], { kind: "events" }>>): Meter =>
  ({
    meter,
    title: meter,
    unit: "u",
    description: "",
    dimensions: [],
    rule: { kind: "events", types: ["adjusted"], aggregation: "sum", ...rule },
  }) as unknown as Meter;

/** What the figures of one node must be. */
function expectExact(answers: readonly MeterUsage[], all: readonly Sent[]): void {
  const durations = all.filter(({ units }) => units >= 0n);
  const [calls, accuracy, storage] = answers;
  expect(calls?.total).toBe(divided(sum(durations.map(sixtieths)), 60n));
  for (const { start, end, value } of calls?.series ?? []) {
    const sinceMs = Date.parse(start);
    const within = durations.filter(({ hour }) => sinceMs <= instantOf(hour) && instantOf(hour) < Date.parse(end));
    expect([start, value]).toEqual([start, divided(sum(within.map(sixtieths)), 60n)]);
  }
  const weights = sum(durations.map(sixtieths));
  expect(accuracy?.total).toBe(divided(sum(durations.map((one) => one.accuracy * sixtieths(one))), weights));
  expect(storage?.total).toBe(divided(weights, 60n));
  expect(storage?.peak).toBe(divided(weights, 60n));
}

async function check(node: string, all: readonly Sent[]): Promise<void> {
  const meter = "call_minutes,transcription_accuracy,recording_storage";
  for (const window of ["hour", "total"] as const)
    expectExact(await ingesting.usage({ meter, node, ...range, window }), all);
  const [grouped] = await ingesting.usage({ meter: "call_minutes", node, ...range, group_by: "agent" });
  for (const { key, total } of grouped?.groups ?? []) {
    const part = all.filter(({ units, agent }) => units >= 0n && agent === key);
    expect([key, total]).toEqual([key, divided(sum(part.map(sixtieths)), 60n)]);
  }
}

test("sums, averages and levels of the largest amounts are exact in one batch, in many, once they are folded, and for every node", async () => {
  const [one, many] = [sample(1, 150), sample(2, 150)];
  ingesting.tree.organizations.set("one-batch", { partner: "p1", reseller: "r-exact" });
  ingesting.tree.organizations.set("many-batches", { partner: "p1", reseller: "r-exact" });
  const sent = await ingesting.send(eventsOf("one-batch", one));
  expect(sent.rejected).toEqual([]);
  for (let from = 0; from < many.length; from += 15)
    expect((await ingesting.send(eventsOf("many-batches", many.slice(from, from + 15), from))).rejected).toEqual([]);
  const checkAll = async () => {
    await check("organization:one-batch", one);
    await check("organization:many-batches", many);
    await check("reseller:r-exact", [...one, ...many]);
    await check("all", [...one, ...many]);
  };
  await checkAll();
  const { store, sequence, flush } = ingesting;
  expect((await compactUsage(store.clickhouse, sequence, flush.settledBatch, Date.now())).foldedRows).toBeGreaterThan(
    0,
  );
  await checkAll();
});

test("properties and amounts below zero are added up exactly too, with their extremes and their averages", async () => {
  const all = sample(1, 150);
  const units = all.map((one) => one.units);
  const meters = [
    own("sum_value", {}),
    own("sum_property", { property: "n" }),
    own("average_property", { aggregation: "average", property: "n" }),
    own("weighted", { aggregation: "average", property: "factor", weight: "value" }),
    own("highest", { aggregation: "max", property: "n" }),
  ];
  const answers = await ingesting.usage({
    meter: "",
    meters,
    node: "organization:one-batch",
    ...range,
    window: "total",
  });
  expect(Object.fromEntries(answers.map(({ meter, total }) => [meter, total]))).toEqual({
    sum_value: decimal(sum(units)),
    sum_property: decimal(sum(units)),
    average_property: divided(sum(units), BigInt(units.length)),
    weighted: divided(sum(all.map((one) => one.factor * one.units)), sum(units)),
    highest: decimal([...units].sort((a, b) => (a < b ? 1 : -1))[0] ?? 0n),
  });
});

function deps() {
  const { store, materializer, sequence, flush } = ingesting;
  const log = pino({ level: "silent" });
  return { ...accounts, clickhouse: store.clickhouse, materializer, sequence, flush, log };
}

test("reconciliation finds such sums right, and repairs one that is a billionth off", async () => {
  const reconcile = () => reconcilePiece(deps(), { organization: "many-batches", day });
  expect(await reconcile()).toEqual([]);
  await ingesting.store.clickhouse.command(
    "INSERT INTO usage_per_15m SELECT * REPLACE (amount + 0.000000001 AS amount, version + 1 AS version) FROM usage_per_15m FINAL WHERE organization = 'many-batches' AND type = 'call.completed'",
  );
  expect(await reconcile()).not.toEqual([]);
  await finishRepairs(deps());
  expect(await reconcile()).toEqual([]);
  await check("organization:many-batches", sample(2, 150));
});

test("an amount of an event that is no span may be longer than any time", async () => {
  const join = { organization: "long", session: "s", user: "u", time: `${day}T09:00:00Z` };
  const sent = await ingesting.send([
    { ...join, id: "1", type: "participant.joined", value: decimal(largest) },
    { ...join, id: "2", type: "participant.left", time: `${day}T09:30:00Z`, value: decimal(-largest) },
    { organization: "long", id: "3", type: "call.completed", started_at: join.time, time: join.time, value: 12 },
    {
      organization: "long",
      id: "4",
      type: "call.completed",
      started_at: join.time,
      value: decimal(largest),
      time: join.time,
    },
  ]);
  expect([sent.accepted, sent.rejected]).toEqual([4, []]);
  const meter = "participation_minutes,call_minutes";
  const answers = await ingesting.usage({ meter, node: "organization:long", ...range, window: "total" });
  expect(answers.map(({ total }) => total)).toEqual(["30", decimal(largest + 12n * 10n ** 9n)]);
  expect(await reconcilePiece(deps(), { organization: "long", day })).toEqual([]);
});
