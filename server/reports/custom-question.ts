/** The question about usage that the options of a report stand for, checked before anything is read. Pure. */
import { sharedDimensions } from "../catalog/catalog.ts";
import { type Filter, parseJsonFilters } from "../catalog/filters.ts";
import type { Meter } from "../catalog/meter.ts";
import type { ReportKind, ReportOptions } from "../contract/reports.ts";
import { sizeOfAnswer, TooManyFiguresError } from "../metrics/answer-size.ts";
import { pairingOf, parseCompared, usualComparedWindows } from "../metrics/comparison.ts";
import type { Pairing } from "../metrics/paired-windows.ts";
import type { UsageQuestion } from "../metrics/usage.ts";
import { type CycleSpan, InvalidTimeError } from "../metrics/windows.ts";
import { ProblemError } from "../problem.ts";
import type { ReportQuestion, ReportSource } from "./report-source.ts";

type Meters = Pick<ReportSource, "meterOf">;

const optionsOfKind: Readonly<Record<ReportKind, readonly (keyof ReportOptions)[]>> = {
  usage: ["meters", "compare", "limit"],
  billing: [],
  activity: [],
  organizations: ["meters"],
  financial: [],
  audit: [],
  custom: ["meters", "group_by", "filter", "window", "compare", "limit"],
};

const refuse = (field: string, message: string) =>
  new ProblemError("invalid_request", message, { field: `options.${field}` });

/** Throws `invalid_request` naming the option that the kind has not, or needs. */
export function checkOptions(kind: ReportKind, options: ReportOptions): void {
  for (const [name, value] of Object.entries(options))
    if (value !== undefined && !optionsOfKind[kind].includes(name as keyof ReportOptions))
      throw refuse(name, `a report of the kind ${kind} does not have this option`);
  if (kind === "custom" && options.meters === undefined) throw refuse("meters", "a custom report needs meters");
  if (kind === "custom" && options.window === undefined) throw refuse("window", "a custom report needs a window");
}

/** Throws `invalid_request` where one is not known at the node. */
export function metersOfReport(
  { meterOf }: Meters,
  { node, toMs }: Pick<ReportQuestion, "node" | "toMs">,
  names: readonly string[],
): Meter[] {
  return [...new Set(names)].map((name) => {
    const meter = meterOf(name, node, toMs);
    if (!meter) throw refuse("meters", `there is no meter named ${JSON.stringify(name)} for ${node}`);
    return meter;
  });
}

/**
 * The question to GET /v1/usage that a custom report is. Throws `invalid_request` naming the option that does not fit, or
 * would give more figures than an answer may have. `cycles`: when the node's billing cycles began; to check what is asked they
 * are not needed.
 */
export function customQuestion(
  source: Meters,
  { options, node, fromMs, toMs, tz }: Pick<ReportQuestion, "options" | "node" | "fromMs" | "toMs" | "tz">,
  nowMs: number,
  cycles?: readonly CycleSpan[],
): { asked: UsageQuestion; pairing: Pairing | undefined } {
  const { window = "day", group_by: groupBy, compare, limit = 100 } = options;
  const meters = metersOfReport(source, { node, toMs }, options.meters ?? []);
  const shared = sharedDimensions(meters);
  if (groupBy !== undefined && !shared.has(groupBy))
    throw refuse("group_by", `${groupBy} is not a dimension of every requested meter`);
  const asked: UsageQuestion = {
    meters,
    node,
    fromMs,
    toMs,
    window,
    tz,
    anchor: 1,
    cycles,
    fill: "zero",
    filters: filtersOf(options.filter ?? {}, shared),
    groupBy: groupBy === undefined ? undefined : { dimension: groupBy, limit },
  };
  try {
    const size = { meters: [meters], window, lengthMs: toMs - fromMs, groups: asked.groupBy?.limit };
    sizeOfAnswer({ ...size, comparedWindows: 0 });
    const range =
      compare === undefined
        ? undefined
        : { with: parseCompared(compare, tz, nowMs), match: "date" as const, partial: "same" as const };
    const pairing = range && pairingOf(asked, range, nowMs);
    sizeOfAnswer({ ...size, comparedWindows: pairing ? usualComparedWindows(pairing) : 0 });
    return { asked, pairing };
  } catch (error) {
    if (error instanceof TooManyFiguresError)
      throw refuse(error.field === "meter" || error.field === "node" ? "meters" : error.field, error.message);
    if (error instanceof InvalidTimeError) throw refuse(compare === undefined ? "window" : "compare", error.message);
    throw error;
  }
}

function filtersOf(filter: NonNullable<ReportOptions["filter"]>, dimensions: ReadonlySet<string>): Filter[] {
  const query = Object.fromEntries(
    Object.entries(filter).map(([name, values]) => {
      const [, dimension = name, operator] = /^(.*)\[(\w+)\]$/s.exec(name) ?? [];
      return [`filter[${dimension}]${operator === undefined ? "" : `[${operator}]`}`, values];
    }),
  );
  try {
    return parseJsonFilters(query, dimensions);
  } catch (error) {
    if (error instanceof ProblemError) throw refuse("filter", error.message);
    throw error;
  }
}
