/** What a meter is, in words: the one source of GET /v1/meters and of the reference page. */
import { dimensionsOf, typesBehind } from "../catalog/catalog.ts";
import type { Meter, MeterRule } from "../catalog/meter.ts";
import { isSumOverTime } from "../catalog/rule-traits.ts";
import type { MeterSummary } from "../contract/meters.ts";
import type { NodeAddress } from "../contract/nodes.ts";

/** `node`: whose meter it is, of those that users made. */
export function describeMeter(meter: Meter, node: NodeAddress | null): MeterSummary {
  const { meter: name, title, unit, description, rule, custom } = meter;
  return {
    meter: name,
    title,
    unit,
    description,
    dimensions: [...dimensionsOf(meter)],
    adds_up: isSumOverTime(rule),
    rule: ruleText(rule),
    types: [...new Set(typesBehind(rule))],
    freshness:
      "Current as of the watermark in every answer: usually within a second of the event. Late and corrected events change the values of their own time.",
    version: custom?.version ?? null,
    node,
  };
}

function ruleText(rule: MeterRule): string {
  switch (rule.kind) {
    case "minutes":
      return `Time integral of the level ${rule.level}, from integer milliseconds, split exactly at window edges and rounded once to 6 decimals. Totals are the sum.`;
    case "peak":
      return `The highest value of the level ${rule.level} over the union of the subtree, with its first instant; an end at an instant frees its place before a start at it. Totals are the peak of the whole range, never a sum.`;
    case "level":
      return `The level ${rule.level} at the end of the window, or now. The total is the value at the end of the range.`;
    case "starts":
      return rule.level === "sessions"
        ? "Sessions whose first participant joined within the window. Totals are the sum."
        : `Intervals of the level ${rule.level} that start within the window. Totals are the sum.`;
    case "session_peak":
      return "The highest number of participants at one instant within one session, with the session and the first instant. Totals are the highest in the range.";
    case "distinct":
      return `Distinct ${rule.thing}s with an interval of ${rule.levels.join(", ")} that overlaps the window${rule.events ? ", or with any other event in it" : ""}. Exact at any size. Totals are counted over the whole range, never a sum of windows.`;
    case "count":
      return "The number of events. Totals are the sum.";
    case "sum":
      return "The exact decimal sum of `value`, up to 9 decimals, with the average per event. Totals are the sum.";
    case "events":
      return eventsText(rule);
    case "turnaround":
      return "The average for jobs whose latest completion is within the window, in seconds from the first request, or from the first start if no request is known, rounded to 9 decimals. Totals are the average over the whole range; null if no job was completed.";
    case "value_level":
      return `Raised by ${rule.raises.join(", ")} and lowered by ${rule.lowers.join(", ") || "nothing"}, ${rule.by === "event" ? "each event by one" : `by ${rule.property ?? "`value`"}`}: the value at the end of the window, with the average over time and the peak. The total is the value at the end of the range.`;
    case "derived":
      return "A formula of other meters, per window and over their totals, computed exactly and rounded once to 9 decimals; null if it divides by 0.";
  }
}

function eventsText({ aggregation, property, weight, uniqueOf }: Extract<MeterRule, { kind: "events" }>): string {
  const number = property === undefined ? "`value`" : `the property \`${property}\``;
  switch (aggregation) {
    case "count":
      return "The number of events. Totals are the sum.";
    case "unique":
      return `Distinct values of \`${uniqueOf}\`. Exact at any size. Totals are counted over the whole range.`;
    case "sum":
      return `The exact decimal sum of ${number}, with the average per event. Totals are the sum.`;
    case "average":
      return `The average of ${number}${weight === undefined ? "" : ", each weighted by `value`"}, rounded to 9 decimals. Totals are the average over the whole range.`;
    case "max":
      return `The highest ${number}, with its first instant. Totals are the highest in the range.`;
    case "latest":
      return `${number} of the latest event. The total is the latest in the range.`;
  }
}
