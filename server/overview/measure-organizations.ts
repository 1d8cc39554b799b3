/**
 * A meter of many organizations at once, each since an instant of its own (the start of its billing cycle) until now, in one
 * statement whatever their number. The same figures as measuring each of them alone.
 */
import { z } from "zod";
import type { Meter, SlotLevel } from "../catalog/catalog.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { minutesOf, sumDecimals, trimDecimal } from "../metrics/figures.ts";
import { totalsBy } from "../metrics/usage.ts";

/** By the organization's id, ms since 1970, UTC. */
export type Starts = ReadonlyMap<string, number>;

/** By the organization's id; those without any usage are missing. */
export type FigureByOrganization = ReadonlyMap<string, string | number>;

const millis = z.coerce.number();
const startsParams = z.object({ organizations: z.array(z.string()), from_ms: z.array(z.number()), to_ms: z.number() });

const organizationCounters = defineQuery(
  "organization_counters",
  startsParams.extend({ types: z.array(z.string()), earliest_ms: z.number(), whole_to_ms: z.number() }),
  z.object({ organization: z.string(), type: z.string(), events: millis, amount: z.string() }),
);
const organizationLevels = defineQuery(
  "organization_levels",
  startsParams.extend({ level: z.string(), peaks: z.number() }),
  z.object({ organization: z.string(), integral_ms: millis, peak: millis, starts: millis }),
);

const bucketMs = 15 * 60_000;

/** Whether `measureOrganizations` takes a span from there; what begins within a quarter of an hour is measured by itself. */
export const isMeasuredTogether = (fromMs: number) => fromMs % bucketMs === 0;

/** `starts` are multiples of 15 minutes and do not lie after `nowMs`. */
export async function measureOrganizations(
  clickhouse: ClickHouse,
  meter: Meter,
  starts: Starts,
  nowMs: number,
): Promise<FigureByOrganization> {
  if (starts.size === 0) return new Map();
  const { rule, own } = meter;
  if (!own && (rule.kind === "count" || rule.kind === "sum"))
    return await measureCounters(clickhouse, rule, starts, nowMs);
  if (!own && (rule.kind === "minutes" || rule.kind === "starts" || rule.kind === "peak"))
    return await measureLevels(clickhouse, rule.kind, rule.level, starts, nowMs);
  // Each instant at once for all organizations: there are as many as days on which cycles begin.
  const byStart = new Map<number, string[]>();
  for (const [organization, fromMs] of starts) byStart.set(fromMs, [...(byStart.get(fromMs) ?? []), organization]);
  const figures = new Map<string, string | number>();
  for (const [fromMs, organizations] of byStart) {
    const all = await totalsBy(clickhouse, meter, "organization", { node: "all", fromMs, toMs: nowMs });
    for (const organization of organizations) {
      const figure = all.get(organization);
      if (figure !== undefined) figures.set(organization, figure);
    }
  }
  return figures;
}

function paramsOf(starts: Starts, nowMs: number): z.input<typeof startsParams> {
  return { organizations: [...starts.keys()], from_ms: [...starts.values()], to_ms: nowMs };
}

async function measureCounters(
  clickhouse: ClickHouse,
  { kind, types }: { kind: "count" | "sum"; types: readonly string[] },
  starts: Starts,
  nowMs: number,
): Promise<FigureByOrganization> {
  const rows = await organizationCounters(clickhouse, {
    ...paramsOf(starts, nowMs),
    types: [...types],
    earliest_ms: Math.min(...starts.values()),
    whole_to_ms: Math.floor(nowMs / bucketMs) * bucketMs,
  });
  const figures = new Map<string, string | number>();
  for (const { organization, events, amount } of rows) {
    const before = figures.get(organization);
    if (kind === "count") figures.set(organization, Number(before ?? 0) + events);
    else figures.set(organization, before === undefined ? trimDecimal(amount) : sumDecimals([String(before), amount]));
  }
  return figures;
}

async function measureLevels(
  clickhouse: ClickHouse,
  kind: "minutes" | "peak" | "starts",
  level: SlotLevel,
  starts: Starts,
  nowMs: number,
): Promise<FigureByOrganization> {
  const rows = await organizationLevels(clickhouse, {
    ...paramsOf(starts, nowMs),
    level,
    peaks: kind === "peak" ? 1 : 0,
  });
  const figureOf = (row: (typeof rows)[number]) => {
    if (kind === "minutes") return minutesOf(row.integral_ms);
    return kind === "peak" ? row.peak : row.starts;
  };
  return new Map(rows.map((row) => [row.organization, figureOf(row)]));
}
