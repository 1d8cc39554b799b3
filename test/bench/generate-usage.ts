/**
 * Fills a database with usage as months of a busy service leave it: events made inside ClickHouse, so that the views fan
 * them out as they do everything else, then levels derived from the intervals. Deriving millions of sessions in Node
 * would take an hour, so sessions, edges and slots are made by SQL of the same rules for the plain intervals that are made
 * here; a sample of them is derived again by the service's own materializer, which must change nothing.
 */

import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { type ClickHouse, readSql } from "../../server/clickhouse/client.ts";
import { createSequence } from "../../server/ingest/log/sequence.ts";
import { stageComparisons } from "../../server/rollups/compare-stages.ts";
import { createLevelMaterializer } from "../../server/rollups/derive-levels.ts";

const benchSql = (name: string) => readSql(`../test/bench/sql/${name}.sql`);
const generateEvents = benchSql("generate_events");
const generateSessions = benchSql("generate_sessions");
const generateEdges = benchSql("generate_edges");
const generateSlots = benchSql("generate_slots");

const dayMs = 24 * 60 * 60 * 1000;
/** What a session of generate_events.sql comes to on average; the events are counted afterwards. */
const eventsPerSession = 35.2;
const eventsPerInsert = 1_000_000;
const lanes = 2;
/** The first 20 organizations hold 1 % of the events each. */
const organizationGroups = [
  ...Array.from({ length: 10 }, (_, index) => [index * 2, index * 2 + 1]),
  ...Array.from({ length: 28 }, (_, index) => [20 + index * 35, 54 + index * 35]),
] as const;
const organizationName = (number: number) => `org-${String(number).padStart(4, "0")}`;

export interface UsagePeriod {
  /** The end of the newest 90 days, which is "now" for who asks; a whole day in UTC. */
  nowMs: number;
  /** The starts of the days with usage, ascending: 180 up to now, and the 90 a year before. */
  days: number[];
}

export function usagePeriod(nowMs: number): UsagePeriod {
  const before = (toMs: number, count: number) => Array.from({ length: count }, (_, i) => toMs - (count - i) * dayMs);
  return { nowMs, days: [...before(nowMs - 365 * dayMs, 90), ...before(nowMs, 180)] };
}

/** About `events` of them; the schema must be there and empty. `report` is called with what was done and in how many seconds. */
export async function generateUsage(
  clickhouse: ClickHouse,
  events: number,
  { nowMs, days }: UsagePeriod,
  report: (step: string, seconds: number) => void,
): Promise<void> {
  const perDay = Math.ceil(events / eventsPerSession / days.length);
  const sessions = perDay * days.length;
  const sequence = createSequence(0, () => Math.floor((days[0] as number) / 1024));
  const step = async (name: string, tasks: readonly (() => Promise<unknown>)[]) => {
    const startedAt = performance.now();
    const waiting = [...tasks];
    await Promise.all(
      Array.from({ length: lanes }, async () => {
        for (let task = waiting.shift(); task; task = waiting.shift()) await task();
      }),
    );
    report(name, (performance.now() - startedAt) / 1000);
  };
  const perInsert = Math.floor(eventsPerInsert / eventsPerSession);
  await step(
    "events and what the views make of them",
    Array.from({ length: Math.ceil(sessions / perInsert) }, (_, index) => () => {
      const past = Math.min(sessions, (index + 1) * perInsert);
      // The newest day arrives as it does in service; of older hours the counters are folded, as usage-compact leaves them.
      const params = { first: index * perInsert, past, per_day: perDay, days, by_second_from_ms: nowMs - dayMs };
      return clickhouse.command(generateEvents, { ...params, batch: sequence.next() });
    }),
  );
  await step(
    "sessions",
    organizationGroups.map(([first, last]) => () => {
      const params = { first: organizationName(first ?? 0), last: organizationName(last ?? 0) };
      return clickhouse.command(generateSessions, { ...params, version: sequence.next() });
    }),
  );
  const daysAtOnce = 10;
  await step(
    "edges and slots",
    Array.from({ length: days.length / daysAtOnce }, (_, index) => async () => {
      const fromMs = days[index * daysAtOnce] as number;
      const minutes = { from_ms: fromMs, to_ms: fromMs + daysAtOnce * dayMs, version: sequence.next() };
      await clickhouse.command(generateEdges, minutes);
      await clickhouse.command(generateSlots, minutes);
    }),
  );
}

/** Throws unless the service's own materializer would write exactly the sessions that are there, for some of them, and the slots of a day. */
export async function checkDerivation(clickhouse: ClickHouse, sessions: number, nowMs: number): Promise<void> {
  const sequence = createSequence(0);
  const batch = sequence.next();
  await clickhouse.command(benchSql("touch_sample"), { batch, sessions });
  // It compares and writes nothing, so it needs no epoch of its own.
  const { derive } = createLevelMaterializer({
    clickhouse,
    nextVersion: sequence.next,
    currentEpoch: () => ({ number: 1, leftSince: undefined }),
  });
  const comparison = await derive([batch], nowMs, "comparison");
  if (comparison.sessions !== sessions || comparison.differences.length > 0)
    throw new Error("generated sessions differ from derived ones", { cause: comparison.differences[0] });
  const day = new Date(nowMs - dayMs).toISOString().slice(0, 10);
  const [slot] = await stageComparisons.slots.compare(
    { clickhouse, sequence, derive, nowMs, settledBatch: 0, changedNodes: new Set(), dirtyBatch: batch },
    { organization: "", day },
  );
  if (slot) throw new Error("generated slots differ from those of the edges", { cause: slot });
}

/** Resolves when background merges have caught up, as they have in a service that runs. */
export async function whenMerged(clickhouse: ClickHouse): Promise<void> {
  const merges = z.array(z.object({ merges: z.coerce.number() }));
  for (let quiet = 0; quiet < 5; ) {
    const [row] = merges.parse(await clickhouse.select("SELECT count() AS merges FROM system.merges", {}));
    quiet = row?.merges === 0 ? quiet + 1 : 0;
    await delay(1_000);
  }
}
