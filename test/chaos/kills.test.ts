import { setTimeout as delay } from "node:timers/promises";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectClickHouse } from "../../server/clickhouse/client.ts";
import type { UsageEvent, Verdict } from "../../server/contract/events.ts";
import type { UsageAnswer } from "../../server/contract/usage.ts";
import { startEmbeddedClickHouse } from "../../server/embedded/embedded-clickhouse.ts";
import { sumDecimals } from "../../server/metrics/figures.ts";
import { eventually, startService, storePid, type TestService } from "../support/service.ts";

const kills = Number(process.env.CHAOS_KILLS ?? 20);
const eventsPerRequest = 200;
const dayStart = Date.UTC(2026, 2, 2);
const dayMs = 24 * 60 * 60 * 1000;

let service: TestService;
beforeAll(async () => {
  service = await startService({ LOG_LEVEL: "fatal" });
});
afterAll(() => service.stop());

interface Interval {
  organization: string;
  startMs: number;
  endMs: number;
}

/** A client that knows what was acknowledged: it sends each request again, as it was, until it is answered 202. */
function createLedger() {
  const intervals: Interval[] = [];
  const amounts: string[] = [];
  let acknowledged = 0;
  let refused = 0;
  let sequence = 0;

  function nextRequest(): Partial<UsageEvent>[] {
    const events: Partial<UsageEvent>[] = [];
    while (events.length < eventsPerRequest) {
      const number = sequence++;
      const organization = `org-${number % 7}`;
      // A linear congruence spreads starts over the day; minutes are whole, so that many edges share an instant.
      const startMs = dayStart + ((number * 7919) % 1380) * 60_000;
      const endMs = startMs + (1 + (number % 57)) * 60_000;
      const common = { organization, session: `s${number % 911}`, user: `u${number % 313}`, interval: `i${number}` };
      events.push(
        { ...common, id: `${number}-in`, type: "participant.joined", time: new Date(startMs).toISOString() },
        { ...common, id: `${number}-out`, type: "participant.left", time: new Date(endMs).toISOString() },
      );
      intervals.push({ organization, startMs, endMs });
      if (number % 3 === 0) {
        const value = `${number % 100}.${String(number % 1000).padStart(9, "0")}`;
        events.push({
          organization,
          id: `${number}-t`,
          type: "transcription.completed",
          time: new Date(startMs).toISOString(),
          value,
        });
        amounts.push(value);
      }
    }
    return events;
  }

  async function send(events: readonly Partial<UsageEvent>[]): Promise<void> {
    for (;;) {
      const answer = await fetch(`${service.url}/v1/events`, {
        method: "POST",
        headers: { authorization: `Bearer ${service.rootKey}`, "content-type": "application/json" },
        body: JSON.stringify(events),
        signal: AbortSignal.timeout(20_000),
      }).catch(() => undefined);
      if (answer?.status === 202) {
        const verdict = (await answer.json()) as Verdict;
        expect(verdict.rejected).toEqual([]);
        acknowledged += events.length;
        return;
      }
      await answer?.arrayBuffer().catch(() => undefined);
      refused++;
      await delay(50);
    }
  }
  return {
    intervals,
    amounts,
    nextRequest,
    send,
    get acknowledged() {
      return acknowledged;
    },
    get refused() {
      return refused;
    },
  };
}

test(`after ${kills} random kill -9 of server, ClickHouse and Postgres, nothing acknowledged is lost and nothing counts twice: raw = views = oracle`, async () => {
  const ledger = createLedger();
  let isSending = true;
  const senders = Array.from({ length: 3 }, async () => {
    while (isSending) await ledger.send(ledger.nextRequest());
  });

  const victims = ["server", "clickhouse", "postgres"] as const;
  for (let kill = 0; kill < kills; kill++) {
    // The moment is random on purpose: kills must land in every step of a batch's way.
    await delay(Math.random() * 400);
    const victim = victims[kill % victims.length];
    if (victim === "server") {
      await service.stopServer("SIGKILL");
      await service.startServer();
    } else {
      const pid = await eventually(`the embedded ${victim} to run`, () =>
        storePid(service, victim as "clickhouse" | "postgres"),
      );
      process.kill(pid, "SIGKILL");
      await eventually(`another embedded ${victim}`, async () => {
        const next = await storePid(service, victim as "clickhouse" | "postgres");
        return next !== undefined && next !== pid ? next : undefined;
      });
    }
  }
  isSending = false;
  await Promise.all(senders);

  const sentAt = Date.now();
  const answer = await eventually(
    "the watermark to pass the last acknowledgement",
    async () => {
      const answer = await fetch(
        `${service.url}/v1/usage?meter=participation_minutes,max_concurrent_participants,transcribed_minutes&from=2026-03-02&to=2026-03-03&window=hour`,
        { headers: { authorization: `Bearer ${service.rootKey}` } },
      ).catch(() => undefined);
      if (!answer?.ok) return undefined;
      const usage = (await answer.json()) as UsageAnswer;
      return Date.parse(usage.watermark) >= sentAt ? usage : undefined;
    },
    60_000,
  );

  const [minutes, peak, transcribed] = answer.meters;
  const expected = sweep(ledger.intervals, dayStart, dayStart + dayMs);
  expect(Math.round(Number(minutes?.total) * 60_000)).toBe(expected.integralMs);
  expect(peak?.total).toBe(expected.peak);
  expect(transcribed?.total).toBe(sumDecimals(ledger.amounts));

  // The stores themselves, looked at without the service.
  await service.stopServer();
  const store = await startEmbeddedClickHouse({ dataDir: service.dataDir, log: pino({ level: "silent" }) });
  const clickhouse = connectClickHouse(store.connection);
  const [counts] = await clickhouse.select(
    `SELECT
       (SELECT count() FROM usage_events FINAL) AS stored,
       (SELECT uniqExact(organization, id) FROM usage_events) AS identities,
       (SELECT sum(events) FROM usage_per_15m FINAL) AS counted,
       (SELECT uniqExact(organization, id) FROM event_ids) AS known,
       (SELECT uniqExact(organization, session, level, interval) FROM intervals) AS intervals`,
    {},
  );
  await clickhouse.close();
  await store.stop();
  const sent = ledger.acknowledged;
  expect(counts).toEqual({
    stored: sent,
    identities: sent,
    counted: sent,
    known: sent,
    intervals: ledger.intervals.length,
  });
  console.log(`${kills} kills: ${sent} events acknowledged, ${ledger.refused} requests refused or cut and sent again`);
}, 600_000);

/** Peak and integral by walking all edges in order of time, an end before a start at one instant. */
function sweep(intervals: readonly Interval[], fromMs: number, toMs: number): { peak: number; integralMs: number } {
  const edges = intervals
    .flatMap(({ startMs, endMs }) => [
      { atMs: Math.max(startMs, fromMs), delta: 1 },
      { atMs: Math.min(endMs, toMs), delta: -1 },
    ])
    .sort((a, b) => a.atMs - b.atMs || a.delta - b.delta);
  let level = 0;
  let peak = 0;
  for (const { delta } of edges) {
    level += delta;
    peak = Math.max(peak, level);
  }
  return { peak, integralMs: intervals.reduce((sum, one) => sum + Math.min(one.endMs, toMs) - one.startMs, 0) };
}
