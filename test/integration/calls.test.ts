import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { UsageEvent } from "../../server/contract/events.ts";
import { readOrphans } from "../../server/lists/read-orphans.ts";
import { type Ingesting, startIngesting } from "../support/ingesting.ts";

let ingesting: Ingesting;
beforeAll(async () => {
  ingesting = await startIngesting();
});
afterAll(() => ingesting.close());

const dayMs = Date.UTC(2026, 2, 5);
const at = (seconds: number) => new Date(dayMs + seconds * 1000).toISOString();
const march5 = { from: "2026-03-05T00:00:00Z", to: "2026-03-06T00:00:00Z", window: "total" } as const;
async function figures(organization: string) {
  const meter = "max_concurrent_calls,call_minutes,failed_jobs";
  const usage = await ingesting.usage({ meter, node: `organization:${organization}`, ...march5 });
  return usage.map(({ total, at: peakAt }) => (peakAt ? [total, Date.parse(peakAt)] : total));
}

test("the peak of calls is that of their times, in whatever form, whenever and however often they arrive", async () => {
  const call = fc.record({
    start: fc.integer({ min: 0, max: 3_000 }),
    length: fc.integer({ min: 1, max: 900 }),
    way: fc.constantFrom("live", "seconds", "minutes", "both", "dated at its start"),
  });
  const calls = fc.sample(call, { numRuns: 120, seed: 5 });
  const organization = "peaks";
  const events = calls.flatMap(({ start, length, way }, index): Partial<UsageEvent>[] => {
    const about = { organization, id: `${index}` };
    const interval = { interval: `i${index}` };
    const live = [
      { ...about, ...interval, id: `s${index}`, type: "call.started", time: at(start) },
      { ...about, ...interval, id: `e${index}`, type: "call.ended", time: at(start + length) },
    ];
    const done = { ...about, type: "call.completed", started_at: at(start), time: at(start + length) };
    if (way === "live") return live;
    if (way === "both") return [...live, { ...done, ...interval, seconds: length }];
    if (way === "minutes") return [{ ...done, seconds: undefined, value: String((length * 60) / 3600) }];
    return [{ ...done, seconds: length, ...(way === "dated at its start" && { time: at(start) }) }];
  });
  const shuffled =
    fc.sample(fc.shuffledSubarray(events, { minLength: events.length }), { numRuns: 1, seed: 5 })[0] ?? [];
  await ingesting.send(shuffled.slice(0, 100));
  await ingesting.send(shuffled);
  // Minutes that are no whole seconds end within the second: the count is taken at starts.
  const running = (ms: number) =>
    calls.filter(({ start, length }) => dayMs + start * 1000 <= ms && ms < dayMs + (start + length) * 1000).length;
  const starts = calls.map(({ start }) => dayMs + start * 1000).sort((a, b) => a - b);
  const peak = Math.max(...starts.map(running));
  const [found] = await figures(organization);
  expect(found).toEqual([peak, starts.find((ms) => running(ms) === peak)]);
});

test("a completed call without a start or an amount counts its minutes and is no call of an instant; one that is voided is none", async () => {
  const organization = "spans";
  const done = (id: string, rest: object) => ({ organization, id, type: "call.completed", time: at(600), ...rest });
  await ingesting.send([
    done("no-start", { seconds: 60 }),
    done("no-amount", { started_at: at(0) }),
    done("no-length", { started_at: at(0), seconds: 0 }),
    done("endless", { started_at: at(0), seconds: "999999999999999999" }),
    { organization, id: "f1", type: "transcription.failed", job: "j1", time: at(10) },
  ]);
  const [usage] = await ingesting.usage({
    meter: "max_concurrent_calls",
    node: `organization:${organization}`,
    ...march5,
  });
  expect(usage?.total).toBe(0);
  expect((await figures(organization)).slice(1)).toEqual(["16666666666666667.65", 1]);
});

test("a call that started and gave no other sign is listed with its reason when it has timed out", async () => {
  const organization = "silent";
  const started = { organization, type: "call.started", time: at(0) };
  await ingesting.send([
    { ...started, id: "1", interval: "alone" },
    { ...started, id: "2", interval: "heard" },
    { organization, id: "3", type: "call.alive", interval: "heard", time: at(90) },
    { organization, id: "4", type: "call.ended", interval: "unstarted", time: at(90) },
  ]);
  const question = { node: `organization:${organization}`, filters: [], fromMs: undefined, toMs: undefined };
  const kinds = ["orphan", "inverted", "timed_out"] as const;
  const found = await readOrphans(ingesting.store.clickhouse, { ...question, kinds, after: undefined }, 10);
  expect(found.map(({ orphan }) => [orphan.interval, orphan.kind, orphan.reason]).sort()).toEqual([
    ["alone", "timed_out", "no_sign_of_life"],
    ["heard", "timed_out", "fell_silent"],
    ["unstarted", "orphan", "no_start"],
  ]);
});

test("completed jobs show how long they took on average, by window and by what their completion says", async () => {
  const organization = "turnaround";
  const step = (job: string, name: string, seconds: number, language?: string): Partial<UsageEvent> => ({
    organization,
    job,
    id: `${job}-${name}-${seconds}`,
    type: `transcription.${name}`,
    time: at(seconds),
    ...(name === "completed" && { seconds: 1, properties: { language: language ?? "en" } }),
  });
  await ingesting.send([
    step("requested", "completed", 100),
    step("requested", "started", 40),
    step("requested", "requested", 0),
    step("started", "started", 50),
    step("started", "completed", 100, "de"),
    step("slow", "requested", 0),
    step("slow", "completed", 7_200, "de"),
    step("unbegun", "completed", 100),
    step("failed", "requested", 0),
    step("failed", "failed", 10),
    step("early", "requested", 300),
    step("early", "completed", 200),
  ]);
  const ask = { meter: "job_turnaround", node: `organization:${organization}`, ...march5 };
  const [usage] = await ingesting.usage({ ...ask, window: "hour", group_by: "language" });
  expect(usage).toMatchObject({ unit: "seconds", total: "2450" });
  expect(usage?.series.filter(({ value }) => value !== null).map(({ value }) => value)).toEqual(["75", "7200"]);
  expect(usage?.groups?.map(({ key, total }) => [key, total])).toEqual([
    ["de", "3625"],
    ["en", "100"],
  ]);
  expect((await ingesting.usage({ ...ask, node: "organization:nobody" }))[0]?.total).toBeNull();
});
