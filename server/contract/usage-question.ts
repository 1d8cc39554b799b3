/**
 * What an address of the usage page asks, and a panel of a dashboard: from the query of the address to the one of
 * `GET /v1/usage`. The dashboard asks by it, and the server where a dashboard is shown to somebody who may ask nothing else.
 * Pure, and without a schema, so that the dashboard asks here without loading what reads schemas.
 */
import { parseRange, type Span, spanOf, windowsFor } from "./ranges.ts";
import type { FillKind, WindowKind } from "./usage.ts";
import { zoneOf } from "./zone-names.ts";

export interface UsageQuestion {
  meters: readonly string[];
  /** The caller's own node when undefined. */
  node?: string | undefined;
  /** An instant, a date in `tz`, or `now`. */
  from: string;
  to: string;
  window: WindowKind;
  tz: string;
  /** All of them have to hold. */
  filters?: readonly Filter[] | undefined;
  groupBy?: string | undefined;
  /** How many groups stand for themselves. */
  limit?: number | undefined;
  compare?: Comparison | undefined;
  /** Windows without usage: `none` leaves them out, `null` has no figure there; zeros otherwise. */
  fill?: Exclude<FillKind, "zero"> | undefined;
}

/** Which range stands beside the asked one; `byWeekday` moves it by whole weeks, so that a Monday stands beside a Monday. */
export interface Comparison {
  to: "previous" | "year";
  byWeekday: boolean;
}

export interface Filter {
  dimension: string;
  operator: "is" | "not" | "prefix";
  /** Empty: not given. */
  value: string;
}

/** What a question needs to know of a meter. */
export interface KnownMeter {
  meter: string;
  dimensions: readonly string[];
}

/** Gives one value of an address. */
export type ReadValue = (name: string) => string | undefined;

/** As many groups as one drawing can show apart, beside the others together. */
export const usualTop = 5;
export const tops = [usualTop, 10, 20, 50] as const;
const usualMeters = ["participation_minutes", "max_concurrent_participants"];

/** `known`: those there are, undefined until that is known. */
export function metersOf(read: ReadValue, known: readonly KnownMeter[] | undefined): string[] {
  const named = (read("meters") ?? "").split(",").filter((name) => name !== "");
  const names = known?.map(({ meter }) => meter);
  const valid = names ? named.filter((name) => names.includes(name)) : named;
  return valid.length > 0 ? valid : usualMeters;
}

/** What every one of the meters may be grouped and filtered by; undefined until the meters are known. */
export function sharedDimensionsOf(
  meters: readonly string[],
  known: readonly KnownMeter[] | undefined,
): string[] | undefined {
  const [first, ...others] = known?.filter(({ meter }) => meters.includes(meter)) ?? [];
  return first?.dimensions.filter((one) => others.every(({ dimensions }) => dimensions.includes(one)));
}

/** Undefined where the address groups by nothing, or by what not all of the meters have. */
export function groupByOf(read: ReadValue, dimensions: readonly string[] | undefined): string | undefined {
  const named = read("by");
  return named !== undefined && (dimensions?.includes(named) ?? true) ? named : undefined;
}

export const topOf = (read: ReadValue): (typeof tops)[number] =>
  tops.find((top) => String(top) === read("top")) ?? usualTop;

const spanAsked = (read: ReadValue, tz: string, nowMs: number): Span =>
  spanOf(parseRange(read("range"), read("from"), read("through"), read("to")), tz, nowMs);

export function windowOf(read: ReadValue, { days }: Pick<Span, "days">): WindowKind {
  const { choices, usual } = windowsFor(days);
  return choices.find((kind) => kind === read("window")) ?? usual;
}

/** From the address: `compare=previous` or `year`, with `match=date` where weekdays may differ. */
export function parseComparison(to: string | undefined, match: string | undefined): Comparison | undefined {
  const known = (["previous", "year"] as const).find((one) => one === to);
  return known && { to: known, byWeekday: match !== "date" };
}

/** From the address: `room:is:daily;user:prefix:u`, the values percent-encoded. What is none is left out. */
export function parseWhere(text: string | undefined): Filter[] {
  return (text ?? "").split(";").flatMap((part): Filter[] => {
    const [dimension, operatorName, encoded, ...more] = part.split(":");
    const operator = (["is", "not", "prefix"] as const).find((one) => one === operatorName);
    if (!dimension || operator === undefined || encoded === undefined || more.length > 0) return [];
    const value = decoded(encoded);
    return value === undefined || (operator === "prefix" && value === "") ? [] : [{ dimension, operator, value }];
  });
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Filters by what a chosen meter does not have would only be refused, so they are left out. */
export function usageQuestion(read: ReadValue, known: readonly KnownMeter[] | undefined, nowMs: number): UsageQuestion {
  const meters = metersOf(read, known);
  const dimensions = sharedDimensionsOf(meters, known);
  const tz = zoneOf(read("tz"));
  const span = spanAsked(read, tz, nowMs);
  const groupBy = groupByOf(read, dimensions);
  return {
    meters,
    node: read("node"),
    from: span.from,
    to: span.to,
    window: windowOf(read, span),
    tz,
    compare: parseComparison(read("compare"), read("match")),
    filters: parseWhere(read("where")).filter(({ dimension }) => dimensions?.includes(dimension) ?? true),
    groupBy,
    limit: groupBy === undefined ? undefined : topOf(read),
    fill: "null",
  };
}

/** The parameters of `GET /v1/usage`; those that are undefined are not sent. */
export const usageQueryOf = ({ meters, groupBy, compare, filters = [], ...asked }: UsageQuestion) => ({
  meter: meters.join(","),
  ...asked,
  ...filterQuery(filters),
  group_by: groupBy,
  compare: compare?.to,
  compare_match: compare?.byWeekday ? ("weekday" as const) : undefined,
});

/** As parameters of a question. Several values that a dimension may not have hold together. */
export function filterQuery(filters: readonly Filter[]): Record<string, string[]> {
  const names = { is: "[eq]", not: "[not]", prefix: "[prefix]" } as const;
  const query: Record<string, string[]> = {};
  for (const { dimension, operator, value } of filters) {
    const name = `filter[${dimension}]${names[operator]}`;
    query[name] = [...(query[name] ?? []), value];
  }
  return query;
}

/** What the panels of a dashboard have in common. Each set is one choice: what a page says of it stands in place of all that was kept of it. */
const sharedSets = [["range", "from", "through", "to"], ["tz"], ["compare", "match"]] as const;
const shared: ReadonlySet<string> = new Set(sharedSets.flat());

/** What the whole dashboard has in common: as it was kept, with what the page's address says instead. */
export function sharedQuery(kept: string, page: string): URLSearchParams {
  const [search, said] = [new URLSearchParams(kept), new URLSearchParams(page)];
  for (const names of sharedSets) {
    if (!names.some((name) => said.has(name))) continue;
    for (const name of names) {
      const value = said.get(name);
      if (value === null) search.delete(name);
      else search.set(name, value);
    }
  }
  for (const name of [...search.keys()]) if (!shared.has(name)) search.delete(name);
  return search;
}

/** What a panel asks: its own question, of the range, zone and comparison of the dashboard. */
export function panelQuery(panel: string, dashboard: URLSearchParams): URLSearchParams {
  const search = new URLSearchParams(panel);
  // Steps and sorting that fit one range make no sense of another.
  for (const name of [...shared, "window", "sort", "groups", "course"]) search.delete(name);
  for (const [name, value] of dashboard) search.set(name, value);
  return search;
}
