/** Random questions about the usage of random worlds, and what their answers must be by the oracle. */
import fc from "fast-check";
import { expect } from "vitest";
import { dimensionsOf, meterByName } from "../../server/catalog/catalog.ts";
import type { Filter } from "../../server/catalog/filters.ts";
import type { UsageDetails } from "../../server/contract/usage.ts";

import type { Ingesting } from "./ingesting.ts";
import {
  type OracleFacts as Facts,
  factsWhere,
  type OracleEvent,
  type OracleFigure,
  type OracleSpan,
  oracleDimension,
  oracleRules,
} from "./usage-oracle.ts";
import { organizationsOf } from "./usage-world.ts";
import { windowsBetween } from "./windows-between.ts";

const dayMs = 24 * 60 * 60 * 1000;
const dimensions = [
  "user",
  "organization",
  "agent",
  "room",
  "session",
  "reseller",
  "partner",
  "device",
  "medium",
  "language",
  "model",
  "kind",
  "visibility",
  "feature",
];
const values: Record<string, string[]> = {
  user: ["u0", "u1", "u2", "u3", ""],
  agent: ["bot-0", "bot-1", ""],
  room: ["room-0", "room-1", ""],
  session: ["s0", "s1", ""],
  device: ["mobile", "desktop", ""],
  medium: ["audio", "video", ""],
  language: ["en", "de", ""],
  model: ["standard", "custom-1"],
  kind: ["transcript", "caption", "question"],
  visibility: ["public", "private", ""],
  feature: ["glossary", "translation"],
};

const filterArbitrary = fc
  .record({
    dimension: fc.constantFrom(...Object.keys(values)),
    operator: fc.constantFrom("in" as const, "not" as const, "prefix" as const),
    picks: fc.array(fc.nat({ max: 4 }), { minLength: 1, maxLength: 2 }),
  })
  .map(({ dimension, operator, picks }): Filter => {
    const known = values[dimension] ?? [];
    const chosen = picks.map((pick) => known[pick % known.length] ?? "");
    return {
      dimension,
      operator,
      values: operator === "prefix" ? chosen.map((one) => one.slice(0, 1) || "u") : chosen,
    };
  });

const meters = Object.keys(oracleRules);
const kindOf = (meter: string) => meterByName(meter)?.rule.kind;
/** Rules that few meters have are asked as often as those of many. */
const meterOfAnyKind = fc
  .constantFrom(...new Set(meters.map(kindOf)))
  .chain((kind) => fc.constantFrom(...meters.filter((meter) => kindOf(meter) === kind)));

export const usageQuestions = fc.record({
  world: fc.nat(),
  meter: fc.oneof(fc.constantFrom(...meters), meterOfAnyKind),
  // Of a single organization there is little that two rules would say differently.
  node: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 6 })),
  window: fc.constantFrom("minute", "hour", "day", "week", "month", "total"),
  tz: fc.constantFrom(
    "UTC",
    "America/Chicago",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Pacific/Chatham",
  ),
  days: fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 2 })),
  cutMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: dayMs })),
  groupBy: fc.option(fc.constantFrom(...dimensions)),
  limit: fc.constantFrom(1, 2, 3, 100),
  filters: fc.uniqueArray(filterArbitrary, { maxLength: 2, selector: (one) => one.dimension }),
});

export type RandomQuestion = typeof usageQuestions extends fc.Arbitrary<infer Question> ? Question : never;

/** What the oracle knows of a world, and the middle of its time. */
export interface AskableWorld extends Facts {
  baseMs: number;
}

/** Asks about one of the worlds, as of `nowMs`; throws where the answer is not the oracle's. */
export async function expectAnswer(
  usage: Ingesting["usage"],
  worlds: readonly AskableWorld[],
  asked: RandomQuestion,
  nowMs: number,
): Promise<void> {
  const index = asked.world % worlds.length;
  const world = worlds[index];
  const meter = meterByName(asked.meter);
  if (!world || !meter) throw new Error("no such world or meter");
  const known = dimensionsOf(meter);
  const filters = asked.filters.filter((filter) => known.has(filter.dimension));
  const groupBy = asked.groupBy !== null && known.has(asked.groupBy) ? asked.groupBy : undefined;

  const organizations = organizationsOf(index).map(([id]) => id);
  const nodes = [`partner:p${index}`, `reseller:r${index}`, ...organizations.map((id) => `organization:${id}`)];
  const node = asked.node === 6 ? `agent:${organizations[0]}/bot-0` : (nodes[asked.node] ?? "");
  // A minute of days would be too many windows.
  const spanMs = asked.window === "minute" ? 3 * 60 * 60_000 : (asked.days[0] + asked.days[1] + 1) * dayMs;
  const fromMs = world.baseMs - asked.days[0] * dayMs + asked.cutMs - (asked.window === "minute" ? 2 * 60 * 60_000 : 0);
  const toMs = fromMs + spanMs;

  const isInside = (one: OracleSpan | OracleEvent) =>
    node.startsWith("agent:")
      ? one.organization === organizations[0] && one.agent === "bot-0"
      : [`organization:${one.organization}`, `reseller:${one.reseller}`, `partner:${one.partner}`].includes(node);
  const isChosen = (one: OracleSpan | OracleEvent) =>
    isInside(one) && filters.every((filter) => passes(filter, oracleDimension(one, filter.dimension)));
  await expectFigures(usage, {
    meter: asked.meter,
    facts: factsWhere(world, isChosen),
    query: {
      node,
      window: asked.window as "day",
      tz: asked.tz,
      filters,
      limit: asked.limit,
      ...(groupBy && { group_by: groupBy }),
    },
    fromMs,
    toMs,
    nowMs,
  });
}

/** Asks about a range, and throws where a figure, total, instant or group is not what the oracle says of `facts`. */
export async function expectFigures(
  usage: Ingesting["usage"],
  {
    meter,
    facts,
    query,
    fromMs,
    toMs,
    nowMs,
  }: {
    meter: string;
    /** What the question is about. */
    facts: Facts;
    query: Omit<Parameters<Ingesting["usage"]>[0], "meter" | "from" | "to"> & {
      tz: string;
      window: "day" | "hour" | "total";
    };
    fromMs: number;
    toMs: number;
    nowMs: number;
  },
): Promise<void> {
  const rule = oracleRules[meter];
  if (!rule) throw new Error(`no rule for ${meter}`);
  const { group_by: groupBy, limit = 100, window, tz } = query;
  const untilMs = Math.max(fromMs, Math.min(toMs, nowMs));
  const range = { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() };
  const [answer] = await usage({ ...query, meter, ...range }, nowMs);
  if (!answer) throw new Error("no answer");

  const windows = windowsBetween(fromMs, toMs, window, tz);
  const expectSeries = (
    given: { total: unknown; series: { value: unknown }[] } & UsageDetails,
    of: Facts,
    what: string,
  ) => {
    const figures = windows.map(({ startMs, endMs }) =>
      startMs < untilMs ? rule(of, startMs, Math.min(endMs, untilMs)) : rule({ spans: [], events: [] }, startMs, endMs),
    );
    expect({ what, values: given.series.map((point) => normal(point.value)) }).toEqual({
      what,
      values: figures.map((figure) => written(meter, figure)),
    });
    for (const [place, figure] of figures.entries()) expectDetails(given.series[place] as UsageDetails, figure);
    if (untilMs > fromMs) {
      const total = rule(of, fromMs, untilMs);
      expect({ what, total: normal(given.total) }).toEqual({ what, total: written(meter, total) });
      expectDetails(given, total);
    }
  };
  expectSeries(answer, facts, "whole");
  if (groupBy === undefined || untilMs <= fromMs) return;

  const keyOf = (one: OracleSpan | OracleEvent) => oracleDimension(one, groupBy);
  const keys = [...new Set([...facts.spans, ...facts.events].map(keyOf))];
  const groups = keys
    .map((key) => ({ key, own: factsWhere(facts, (one) => keyOf(one) === key) }))
    .map((group) => ({ ...group, total: rule(group.own, fromMs, untilMs) }))
    .filter(({ own, total }) => isThere(meter, own, total, fromMs, untilMs))
    .sort((a, b) => compare(b.total.value ?? 0n, a.total.value ?? 0n) || (a.key < b.key ? -1 : 1));
  const given = answer.groups ?? [];
  expect(given.filter((group) => !group.is_other).map((group) => group.key)).toEqual(
    groups.slice(0, limit).map((group) => group.key),
  );
  for (const [place, group] of groups.slice(0, limit).entries())
    expectSeries(given[place] as (typeof given)[number], group.own, `group ${group.key}`);
  const rest = groups.slice(limit).map((group) => group.key);
  const other = given.find((group) => group.is_other);
  expect(other !== undefined).toBe(rest.length > 0);
  if (other)
    expectSeries(
      other,
      factsWhere(facts, (one) => !groups.slice(0, limit).some((group) => group.key === keyOf(one))),
      "other",
    );
}

function passes({ operator, values: wanted }: Filter, value: string): boolean {
  if (operator === "prefix") return wanted.some((prefix) => value.startsWith(prefix));
  return wanted.includes(value) === (operator === "in");
}

const compare = (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0);

/** The level that a meter measures. */
const levelOf: Readonly<Record<string, string>> = {
  participation_minutes: "participants",
  max_concurrent_participants: "participants",
  live_participants: "participants",
  recorded_minutes: "recordings",
  max_concurrent_recordings: "recordings",
  active_recordings: "recordings",
  broadcast_minutes: "broadcast",
  consumed_minutes: "consumption",
  max_concurrent_sessions: "sessions",
  live_sessions: "sessions",
  sessions: "sessions",
};

/** Whether a group is worth a line: something of it was there in the range, or started in it. */
function isThere(meter: string, own: Facts, total: OracleFigure, fromMs: number, untilMs: number): boolean {
  const level = levelOf[meter];
  if (level === undefined) return total.hasData;
  const spans = own.spans.filter((one) => one.level === (level === "sessions" ? "participants" : level));
  const isPresent = spans.some((one) => one.endMs > one.startMs && one.startMs < untilMs && one.endMs > fromMs);
  const hasStarted =
    level === "sessions"
      ? oracleRules.sessions?.(own, fromMs, untilMs).hasData
      : spans.some((one) => one.startMs >= fromMs && one.startMs < untilMs);
  return isPresent || hasStarted === true;
}

const isDecimal = (meter: string) =>
  meter.endsWith("_minutes") || ["document_length", "transcription_accuracy", "recording_storage"].includes(meter);

/** Decimal strings in units of 1e-9, so that 1.50 and 1.5 are the same; numbers as they are. */
function normal(value: unknown): bigint | number | null {
  if (value === null || typeof value === "number") return value;
  if (typeof value !== "string") throw new Error(`not a figure: ${String(value)}`);
  const [whole = "", fraction = ""] = value.replace("-", "").split(".");
  const units = BigInt(whole + fraction.padEnd(9, "0"));
  return value.startsWith("-") ? -units : units;
}

function written(meter: string, { value }: OracleFigure): bigint | number | null {
  if (value === undefined) return null;
  return isDecimal(meter) ? value : Number(value);
}

function expectDetails(given: UsageDetails, expected: OracleFigure): void {
  if (given.session !== undefined) expect(given.session).toBe(expected.session ?? null);
  if (given.average !== undefined) expect(normal(given.average) ?? 0n).toBe(expected.average ?? 0n);
  if (given.peak !== undefined) {
    if (given.peak === null) expect(expected.hasData).toBe(false);
    else expect(BigInt(normal(given.peak) ?? 0)).toBe(expected.peak);
  }
  if (given.at !== undefined && (given.at !== null || expected.peak === undefined))
    expect(given.at === null ? undefined : Date.parse(given.at)).toBe(expected.atMs);
}
