/**
 * After the drain: what was acknowledged beside what is stored, every answer beside an oracle's, every view beside the stage
 * it is made of. Each line that comes back is a defect.
 */
import { setTimeout as delay } from "node:timers/promises";
import { pino } from "pino";
import { type ClickHouse, connectClickHouse, readSql } from "../../server/clickhouse/client.ts";
import type { RebuildAnswer } from "../../server/contract/reconciliation.ts";
import type { MeterUsage } from "../../server/contract/usage.ts";
import { startEmbeddedClickHouse } from "../../server/embedded/embedded-clickhouse.ts";
import { UsageApi } from "../../server/programs/usage-api.ts";
import type { TestService } from "../support/service.ts";
import { pastFromMs, pastToMs, type Stay } from "./ledger.ts";
import { sweep } from "./sweep.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const meters = "participation_minutes,max_concurrent_participants,transcribed_minutes,chat_posts";
const maxListed = 20;

/** A node of the tree and the organizations below it; undefined: all. */
export interface CheckedNode {
  node: string;
  holds: (organization: string) => boolean;
}

/** Figures of the service that are not the oracle's, by node and window. */
export async function wrongAnswers(
  service: Pick<TestService, "url" | "rootKey">,
  stays: readonly Stay[],
  nodes: readonly CheckedNode[],
): Promise<string[]> {
  const api = new UsageApi({ url: service.url, key: service.rootKey });
  const wrong: string[] = [];
  const recent = stays.filter(({ startMs }) => startMs >= pastToMs);
  const recentFromMs = Math.floor(Math.min(...recent.map(({ startMs }) => startMs)) / minuteMs) * minuteMs;
  const recentToMs = Math.ceil(Math.max(...recent.map(({ endMs }) => endMs)) / minuteMs) * minuteMs + minuteMs;
  const ranges = [
    { window: "hour", windowMs: hourMs, fromMs: pastFromMs, toMs: pastToMs },
    { window: "minute", windowMs: minuteMs, fromMs: recentFromMs, toMs: recentToMs },
  ] as const;
  for (const { node, holds } of nodes)
    for (const { window, windowMs, fromMs, toMs } of ranges) {
      if (!(toMs > fromMs)) continue;
      const [from, to] = [new Date(fromMs).toISOString(), new Date(toMs).toISOString()];
      const answer = await api.usage({ meter: meters, node, from, to, window, fill: "zero" });
      const own = stays.filter(
        ({ organization, startMs }) => holds(organization) && startMs >= fromMs && startMs < toMs,
      );
      const expected = expectedWindows(own, fromMs, toMs, windowMs);
      const found = foundWindows(answer.meters);
      for (const [startMs, figures] of expected)
        if (found.get(startMs) !== figures)
          wrong.push(
            `${node}, ${window} of ${new Date(startMs).toISOString()}: expected ${figures}, found ${found.get(startMs)}`,
          );
    }
  return wrong;
}

function expectedWindows(stays: readonly Stay[], fromMs: number, toMs: number, windowMs: number): Map<number, string> {
  const amounts = new Map<number, { nanos: bigint; posts: number }>();
  for (const { startMs, transcribedNanos = 0n, posts } of stays) {
    const at = fromMs + Math.floor((startMs - fromMs) / windowMs) * windowMs;
    const amount = amounts.get(at) ?? { nanos: 0n, posts: 0 };
    amounts.set(at, { nanos: amount.nanos + transcribedNanos, posts: amount.posts + posts });
  }
  return new Map(
    sweep(stays, fromMs, toMs, windowMs).map(({ startMs, integralMs, peak }) => {
      const { nanos, posts } = amounts.get(startMs) ?? { nanos: 0n, posts: 0 };
      return [startMs, `${integralMs} ms, peak ${peak}, ${nanos} transcribed, ${posts} posts`];
    }),
  );
}

function foundWindows(answered: readonly MeterUsage[]): Map<number, string> {
  const [minutes, peaks, transcribed, posts] = answered;
  return new Map(
    (minutes?.series ?? []).map((point, index) => {
      const integralMs = Math.round(Number(point.value) * minuteMs);
      return [
        Date.parse(point.start),
        `${integralMs} ms, peak ${peaks?.series[index]?.value}, ${nanosOf(transcribed?.series[index]?.value)} transcribed, ${posts?.series[index]?.value} posts`,
      ];
    }),
  );
}

function nanosOf(decimal: unknown): bigint {
  const [whole = "0", fraction = ""] = String(decimal ?? "0").split(".");
  return BigInt(whole + fraction.padEnd(9, "0"));
}

/** Differences between stages that the service itself found while it ran, or finds first when it compares all of every stage. */
export async function driftedStages(service: Pick<TestService, "url" | "rootKey">): Promise<string[]> {
  const ask = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const response = await fetch(`${service.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${service.rootKey}`, "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${await response.text()}`);
    return await response.json();
  };
  let rebuild = (await ask("POST", "/v1/rebuilds", { stage: "all" })) as RebuildAnswer;
  for (;;) {
    const { reconciliations } = (await ask("GET", "/v1/reconciliations?limit=100")) as { reconciliations: unknown[] };
    // Once something differs the rest is not waited for: what cannot be repaired is compared again for ever.
    if (reconciliations.length > 0 || rebuild.finished_at !== null)
      return reconciliations.map((found) => JSON.stringify(found));
    await delay(200);
    rebuild = (await ask("GET", `/v1/rebuilds/${rebuild.id}`)) as RebuildAnswer;
  }
}

export interface StoredCheck {
  /** Acknowledged and not stored. */
  lost: string[];
  /** Stored more than once. */
  doubled: string[];
  /** Counts of tables that are not those of the ledger. */
  differing: string[];
}

/** The store itself, looked at without the service, which must have ended. */
export async function checkStored(
  dataDir: string,
  acknowledged: ReadonlySet<string>,
  stays: readonly Stay[],
): Promise<StoredCheck> {
  const store = await startEmbeddedClickHouse({ dataDir, log: pino({ level: "silent" }) });
  const clickhouse = connectClickHouse(store.connection);
  try {
    return await checkTables(clickhouse, acknowledged, stays);
  } finally {
    await clickhouse.close();
    await store.stop();
  }
}

/** The same in a store that runs. */
export async function checkTables(
  clickhouse: ClickHouse,
  acknowledged: ReadonlySet<string>,
  stays: readonly Stay[],
): Promise<StoredCheck> {
  const missing = new Set(acknowledged);
  const check: StoredCheck = { lost: [], doubled: [], differing: [] };
  for (const organization of new Set(stays.map((stay) => stay.organization))) {
    const rows = await clickhouse.select(readSql("../test/chaos/sql/stored_ids.sql"), { organization });
    for (const { id, copies } of rows as { id: string; copies: number }[]) {
      const key = `${organization}/${id}`;
      missing.delete(key);
      if (Number(copies) !== 1) check.doubled.push(`${key} is stored ${copies} times`);
      if (!acknowledged.has(key)) check.differing.push(`${key} is stored and was never acknowledged`);
    }
  }
  check.lost = [...missing];
  const [figures] = await clickhouse.select(readSql("../test/chaos/sql/stored_figures.sql"), {});
  const events = acknowledged.size;
  const expected = { stored: events, identities: events, counted: events, counted_for_nodes: events, known: events };
  for (const [name, count] of Object.entries({ ...expected, intervals: stays.length })) {
    const found = Number((figures as Record<string, unknown>)[name]);
    if (found !== count) check.differing.push(`${name}: expected ${count}, found ${found}`);
  }
  return check;
}

/** The first of many, and how many there are. */
export function listed(lines: readonly string[]): string {
  const rest = lines.length - maxListed;
  return [...lines.slice(0, maxListed), ...(rest > 0 ? [`and ${rest} more`] : [])].join("\n  ");
}
