/** A custom report as a person fills it in. */
import type { CreateReport, Report, ReportOptions } from "@contract/reports.ts";
import type { WindowKind } from "@contract/usage.ts";
import { newId } from "../api/new-id.ts";

export type FilterOperator = "in" | "not" | "prefix";

export interface FilterDraft {
  id: string;
  dimension: string;
  operator: FilterOperator;
  /** By commas; an empty one stands for what was not given. */
  values: string;
}

export interface ReportDraft {
  name: string;
  node: string;
  meters: string[];
  /** Empty: not grouped. */
  groupBy: string;
  filters: FilterDraft[];
  window: WindowKind;
  /** Empty, `previous`, `year` or FROM/TO. */
  compare: string;
  /** How many groups stand for themselves. */
  limit: string;
}

export function newReportDraft(node: string, meters: readonly string[]): ReportDraft {
  return {
    name: "",
    node,
    meters: [...meters],
    groupBy: "",
    filters: [],
    window: "month",
    compare: "previous",
    limit: "10",
  };
}

export function newFilter(dimension: string): FilterDraft {
  return { id: newId(), dimension, operator: "in", values: "" };
}

export function draftOfReport({ name, node, options }: Pick<Report, "name" | "node" | "options">): ReportDraft {
  const { meters = [], group_by, filter = {}, window = "day", compare = "", limit } = options;
  return {
    name,
    node,
    meters: [...meters],
    groupBy: group_by ?? "",
    window,
    compare,
    filters: Object.entries(filter).map(([said, values]) => {
      const [, dimension = said, operator] = /^(.*)\[(not|prefix)\]$/s.exec(said) ?? [];
      const list = Array.isArray(values) ? values : [values];
      return { id: newId(), dimension, operator: (operator ?? "in") as FilterOperator, values: list.join(", ") };
    }),
    limit: limit === undefined ? "" : String(limit),
  };
}

export function optionsOf(draft: ReportDraft): ReportOptions {
  const { meters, groupBy, filters, window, compare, limit } = draft;
  const filter: NonNullable<ReportOptions["filter"]> = {};
  for (const { dimension, operator, values } of filters) {
    const name = operator === "in" ? dimension : `${dimension}[${operator}]`;
    filter[name] = [...(filter[name] ?? []), ...values.split(",").map((value) => value.trim())];
  }
  return {
    meters: [...meters],
    window,
    group_by: groupBy || undefined,
    filter: filters.length > 0 ? filter : undefined,
    compare: compare || undefined,
    limit: groupBy !== "" && limit.trim() !== "" ? Number(limit) : undefined,
  };
}

export function newReportOf(draft: ReportDraft): CreateReport {
  return { name: draft.name.trim(), node: draft.node, kind: "custom", options: optionsOf(draft) };
}
