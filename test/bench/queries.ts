/**
 * `npm run bench:queries`: how long GET /v1/usage takes to answer 90 days by day with a comparison, with many events
 * stored. BENCH_EVENTS says how many (100 million by default, which takes a quarter of an hour and 20 GB to make), and
 * BENCH_DATA names a folder that keeps them for the next run.
 */
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { z } from "zod";
import { meterByName } from "../../server/catalog/catalog.ts";
import type { Meter } from "../../server/catalog/meter.ts";
import { type ClickHouse, connectClickHouse } from "../../server/clickhouse/client.ts";
import { migrateClickHouse } from "../../server/clickhouse/migrate.ts";
import { startEmbeddedClickHouse } from "../../server/embedded/embedded-clickhouse.ts";
import { answerComparedUsage } from "../../server/metrics/compare-usage.ts";
import { comparedRange, parseCompared } from "../../server/metrics/comparison.ts";
import { checkDerivation, generateUsage, usagePeriod, whenMerged } from "./generate-usage.ts";

const events = Number(process.env.BENCH_EVENTS ?? 100_000_000);
const runs = Number(process.env.BENCH_RUNS ?? 30);
const dayMs = 24 * 60 * 60 * 1000;
const nowMs = Date.UTC(2026, 10, 20);
const sampledSessions = 300;

const meterNames = [
  "participation_minutes",
  "max_concurrent_participants",
  "max_concurrent_sessions",
  "sessions",
  "active_participants",
  "chat_posts",
  "transcribed_minutes",
];
const places = [
  { name: "one organization", node: "organization:org-0000", barMs: 200 },
  { name: "a reseller of 100", node: "reseller:reseller-0", barMs: 500 },
];

function metersOf(names: readonly string[]): Meter[] {
  return names.map((name) => {
    const meter = meterByName(name);
    if (!meter) throw new Error(`there is no meter ${name}`);
    return meter;
  });
}

/** 90 days up to now by day, compared with the 90 before. */
async function ask(clickhouse: ClickHouse, node: string, names: readonly string[]): Promise<void> {
  const question = {
    meters: metersOf(names),
    node,
    fromMs: nowMs - 90 * dayMs,
    toMs: nowMs,
    window: "day" as const,
    anchor: 1,
    tz: "UTC",
    fill: "zero" as const,
    filters: [],
    groupBy: undefined,
  };
  const choice = { with: parseCompared("previous", question.tz, nowMs), match: "date", partial: "same" } as const;
  const compared = comparedRange(question, choice, nowMs);
  await answerComparedUsage(clickhouse, question, compared, new Date(nowMs), nowMs);
}

const readResult = z.object({
  data: z.array(z.unknown()),
  statistics: z.object({ rows_read: z.number(), bytes_read: z.number() }),
});

/** Answers the same, and counts what the server read for it. */
function countingReads(clickhouse: ClickHouse): { clickhouse: ClickHouse; read: { rows: number; bytes: number } } {
  const read = { rows: 0, bytes: 0 };
  return {
    read,
    clickhouse: {
      ...clickhouse,
      async select(sql, params) {
        const chunks: Buffer[] = [];
        for await (const chunk of clickhouse.selectBytes(`${sql.trimEnd()}\nFORMAT JSON`, params)) chunks.push(chunk);
        const { data, statistics } = readResult.parse(JSON.parse(Buffer.concat(chunks).toString("utf8")));
        read.rows += statistics.rows_read;
        read.bytes += statistics.bytes_read;
        return data;
      },
    },
  };
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const row = (...cells: string[]) =>
  console.log(cells.map((cell, index) => (index < 2 ? cell.padEnd(index ? 30 : 20) : cell.padStart(14))).join(""));
/** What a process has used of the processors so far; other work on the machine delays an answer, but adds nothing to this. */
function processorMs(pid: number | undefined): number {
  if (pid === undefined || process.platform !== "linux") return Number.NaN;
  const [user, system] = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ")
    .slice(11, 13);
  const msPerTick = 10;
  return (Number(user) + Number(system)) * msPerTick;
}

const percentile = (times: readonly number[], share: number) =>
  [...times].sort((a, b) => a - b)[Math.min(times.length - 1, Math.ceil(times.length * share) - 1)] ?? Number.NaN;

async function measure(clickhouse: ClickHouse, node: string, names: readonly string[]) {
  await ask(clickhouse, node, names);
  const times: number[] = [];
  const usedBefore = processorMs(embedded.pid());
  for (let run = 0; run < runs; run++) {
    const startedAt = performance.now();
    await ask(clickhouse, node, names);
    times.push(performance.now() - startedAt);
  }
  const processor = (processorMs(embedded.pid()) - usedBefore) / runs;
  const counting = countingReads(clickhouse);
  await ask(counting.clickhouse, node, names);
  return { p50: percentile(times, 0.5), p95: percentile(times, 0.95), processor, read: counting.read };
}

const kept = process.env.BENCH_DATA;
if (kept) await mkdir(kept, { recursive: true });
const folder = kept ?? (await mkdtemp(join(tmpdir(), "tidemark-bench-")));
const embedded = await startEmbeddedClickHouse({ dataDir: folder, log: pino({ level: "silent" }) });
const clickhouse = connectClickHouse(embedded.connection);
try {
  const madeMark = join(folder, "made.json");
  if (!existsSync(madeMark)) {
    const report = (step: string, seconds: number) => console.log(`${step}: ${whole.format(seconds)} s`);
    await migrateClickHouse(clickhouse);
    await generateUsage(clickhouse, events, usagePeriod(nowMs), report);
    await whenMerged(clickhouse);
    await checkDerivation(clickhouse, sampledSessions, nowMs);
    await writeFile(madeMark, JSON.stringify({ events }));
  }
  const [stored] = (await clickhouse.select("SELECT count() AS events FROM usage_events", {})) as { events: number }[];
  console.log(`\n90 days by day and the 90 before, ${whole.format(stored?.events ?? 0)} events stored, ${runs} runs\n`);
  row("of", "meters", "p50 ms", "p95 ms", "bar ms", "CPU ms", "rows read", "MB read");
  for (const { name, node, barMs } of places)
    for (const names of [meterNames, ...meterNames.map((one) => [one])]) {
      const { p50, p95, processor, read } = await measure(clickhouse, node, names);
      const label = names.length > 1 ? `all ${names.length} together` : (names[0] ?? "");
      row(
        name,
        label,
        ...[p50, p95, barMs, processor, read.rows, read.bytes / 1e6].map((figure) => whole.format(figure)),
      );
    }
} finally {
  await clickhouse.close();
  await embedded.stop();
  if (!kept) await rm(folder, { recursive: true, force: true });
}
