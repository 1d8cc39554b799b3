/**
 * A meter of many organizations at once, each since an instant of its own (the start of its billing cycle) until now, in a
 * few statements whatever their number. The same figures as measuring each of them alone.
 */

import { z } from "zod";
import { typesBehind } from "../catalog/catalog.ts";
import type { Filter } from "../catalog/filters.ts";
import type { SlotLevel } from "../catalog/levels.ts";
import type { Meter, MeterRule } from "../catalog/meter.ts";
import { isOfCounters, isOfSlots } from "../catalog/rule-traits.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { minuteMs } from "../contract/durations.ts";
import { nodeAddress } from "../contract/node-address.ts";
import type { LevelFigure } from "../metrics/measure-level.ts";
import { bucketMs, wholeEnd, wholeEndParams } from "../metrics/merged-ranges.ts";
import { once } from "../metrics/once.ts";
import { totalsBy } from "../metrics/usage.ts";
import { amountOfSixtieths, minutesOf, sumDecimals } from "../numbers/figures.ts";
import { combineFigures } from "../numbers/formula.ts";

/** By the organization's id, ms since 1970, UTC. */
export type Starts = ReadonlyMap<string, number>;

/** By the organization's id; those without any usage are missing. */
export type FigureByOrganization = ReadonlyMap<string, string | number>;

const startsParams = z.object({ organizations: z.array(z.string()), from_ms: z.array(z.number()), to_ms: z.number() });

const organizationCounters = defineQuery(
  "organization_counters",
  startsParams.extend({
    types: z.array(z.string()),
    ...wholeEndParams.shape,
    earliest_ms: z.number(),
    cut_from_ms: z.number(),
    cut_to_ms: z.number(),
  }),
  z.object({ organization: z.string(), type: z.string(), events: numberColumn, sixtieths: z.string() }),
);
const organizationLevels = defineQuery(
  "organization_levels",
  startsParams.extend({ level: z.string(), peaks: z.number(), cut_minutes: z.array(z.number()) }),
  z.object({
    organization: z.string(),
    integral_ms: numberColumn,
    peak: numberColumn,
    starts: numberColumn,
    closing: numberColumn,
  }),
);

/**
 * Whether starts of many organizations, each within a quarter of an hour of its own, cost little to measure together: no
 * events of quarters that are whole are read. Those that begin within one are measured by themselves.
 */
export const isMeasuredTogether = (fromMs: number) => fromMs % bucketMs === 0;

/** A meter, and the organizations that it is wanted of. */
export interface WantedMeter {
  meter: Meter;
  starts: Starts;
  /** Only the usage that passes all of them. */
  filters?: readonly Filter[] | undefined;
}

/**
 * Each meter, in the order of `wanted`: all counters in one statement, and each level. Starts do not lie after `nowMs`, and of
 * one organization they are the same for every meter; those within a quarter of an hour lie close to each other. A formula over
 * meters gives nothing.
 */
export async function measureOrganizations(
  clickhouse: ClickHouse,
  wanted: readonly WantedMeter[],
  nowMs: number,
): Promise<FigureByOrganization[]> {
  const alike = (isAlike: (one: WantedMeter) => boolean) => wanted.filter(isAlike);
  const readCounters = once(() => countersSince(clickhouse, alike(isCounter), nowMs));
  const readLevel = once((level: SlotLevel) => {
    return levelsSince(
      clickhouse,
      level,
      alike((one) => levelOf(one) === level),
      nowMs,
    );
  });
  return await Promise.all(
    wanted.map(async (one): Promise<FigureByOrganization> => {
      const { meter, starts } = one;
      const { rule } = meter;
      if (starts.size === 0) return new Map();
      if (isCounter(one) && isOfCounters(rule)) return countedFigures(rule, starts, await readCounters());
      const level = levelOf(one);
      if (level !== undefined && isOfSlots(rule)) return levelFigures(rule.kind, starts, await readLevel(level));
      return await measureByStart(clickhouse, one, nowMs);
    }),
  );
}

/** Whether rollups of whole organizations have it. */
const isPlain = ({ meter, filters = [] }: WantedMeter) => !meter.custom && filters.length === 0;
const isCounter = (one: WantedMeter) => isPlain(one) && isOfCounters(one.meter.rule);
/** Whether a few statements have the meter of any number of organizations, whatever their starts are. */
export const hasRollups = (meter: Meter) =>
  isCounter({ meter, starts: new Map() }) || levelOf({ meter, starts: new Map() }) !== undefined;
const levelOf = (one: WantedMeter) => (isPlain(one) && isOfSlots(one.meter.rule) ? one.meter.rule.level : undefined);

/** Up to this many organizations with one start are read one by one, each by its own rows alone; more are read together. */
const maxReadApart = 16;

/**
 * One statement for each different start, or for each organization where few share one: for what no rollup of many organizations
 * has, such as meters of users, formulas over meters, and starts within a quarter of an hour.
 */
export async function measureByStart(
  clickhouse: ClickHouse,
  { meter, starts, filters }: WantedMeter,
  nowMs: number,
): Promise<FigureByOrganization> {
  if (meter.rule.kind === "derived") {
    const { operands, formula } = meter.rule;
    const measured: FigureByOrganization[] = [];
    for (const operand of operands)
      measured.push(await measureByStart(clickhouse, { meter: operand, starts, filters }, nowMs));
    return combined({ formula, operands }, measured, starts);
  }
  const byStart = new Map<number, string[]>();
  for (const [organization, fromMs] of starts) {
    const same = byStart.get(fromMs);
    if (same) same.push(organization);
    else byStart.set(fromMs, [organization]);
  }
  const figures = new Map<string, string | number>();
  for (const [fromMs, organizations] of byStart) {
    const isApart = organizations.length <= maxReadApart;
    const nodes = isApart ? organizations.map((organization) => nodeAddress("organization", organization)) : ["all"];
    for (const node of nodes) {
      const all = await totalsBy(clickhouse, meter, "organization", { node, fromMs, toMs: nowMs, filters });
      for (const organization of organizations) {
        const figure = all.get(organization);
        if (figure !== undefined) figures.set(organization, figure);
      }
    }
  }
  return figures;
}

/** A formula of each organization over its own figures, as of one node: what has no usage is 0. */
function combined(
  { formula, operands }: Pick<Extract<MeterRule, { kind: "derived" }>, "formula" | "operands">,
  measured: readonly FigureByOrganization[],
  starts: Starts,
): FigureByOrganization {
  const figures = new Map<string, string>();
  for (const organization of starts.keys()) {
    const own = operands.map(({ meter }, at) => [meter, String(measured[at]?.get(organization) ?? 0)] as const);
    const figure = combineFigures(formula, new Map(own));
    if (figure !== undefined) figures.set(organization, figure);
  }
  return figures;
}

/** The starts of every organization that any of the meters is wanted of. */
function paramsOf(wanted: readonly WantedMeter[], nowMs: number): z.input<typeof startsParams> {
  const starts = new Map(wanted.flatMap((one) => [...one.starts]));
  return { organizations: [...starts.keys()], from_ms: [...starts.values()], to_ms: nowMs };
}

async function countersSince(clickhouse: ClickHouse, wanted: readonly WantedMeter[], nowMs: number) {
  const params = paramsOf(wanted, nowMs);
  return await organizationCounters(clickhouse, {
    ...params,
    types: [...new Set(wanted.flatMap(({ meter }) => typesBehind(meter.rule)))],
    earliest_ms: params.from_ms.reduce((least, ms) => Math.min(least, ms), nowMs),
    ...cutQuarters(params.from_ms),
    ...wholeEnd(nowMs, []),
  });
}

/** Where the quarters of an hour lie that starts cut. */
function cutQuarters(starts: readonly number[]): { cut_from_ms: number; cut_to_ms: number } {
  let [from, to] = [Number.POSITIVE_INFINITY, 0];
  for (const ms of starts) {
    if (ms % bucketMs === 0) continue;
    from = Math.min(from, ms);
    to = Math.max(to, Math.ceil(ms / bucketMs) * bucketMs);
  }
  return to === 0 ? { cut_from_ms: 0, cut_to_ms: 0 } : { cut_from_ms: from, cut_to_ms: to };
}

function countedFigures(
  { kind, types }: { kind: "count" | "sum"; types: readonly string[] },
  starts: Starts,
  rows: Awaited<ReturnType<typeof countersSince>>,
): FigureByOrganization {
  const counters = new Map<string, { events: number; sixtieths: string }>();
  for (const { organization, type, events, sixtieths } of rows) {
    if (!types.includes(type) || !starts.has(organization)) continue;
    const counter = counters.get(organization);
    counters.set(organization, {
      events: events + (counter?.events ?? 0),
      sixtieths: counter ? sumDecimals([counter.sixtieths, sixtieths]) : sixtieths,
    });
  }
  return new Map(
    [...counters].map(([organization, { events, sixtieths }]) => [
      organization,
      kind === "count" ? events : amountOfSixtieths(sixtieths),
    ]),
  );
}

async function levelsSince(clickhouse: ClickHouse, level: SlotLevel, wanted: readonly WantedMeter[], nowMs: number) {
  const peaks = wanted.some(({ meter }) => meter.rule.kind === "peak") ? 1 : 0;
  const params = paramsOf(wanted, nowMs);
  const minuteOf = (ms: number) => Math.floor(ms / minuteMs) * minuteMs;
  const cut = params.from_ms.filter((ms) => ms % minuteMs !== 0).map(minuteOf);
  const cut_minutes = [...new Set([minuteOf(nowMs), ...cut])];
  return await organizationLevels(clickhouse, { ...params, level, peaks, cut_minutes });
}

function levelFigures(
  kind: LevelFigure,
  starts: Starts,
  rows: Awaited<ReturnType<typeof levelsSince>>,
): FigureByOrganization {
  const figureOf = (row: (typeof rows)[number]) => {
    if (kind === "minutes") return minutesOf(row.integral_ms);
    if (kind === "level") return row.closing;
    return kind === "peak" ? row.peak : row.starts;
  };
  const own = rows.filter((row) => starts.has(row.organization));
  return new Map(own.map((row) => [row.organization, figureOf(row)]));
}
