import { expect, test } from "vitest";
import { meters } from "../../../server/catalog/built-in-meters.ts";
import type { Meter, MeterRule } from "../../../server/catalog/meter.ts";
import { aggregations } from "../../../server/contract/meters.ts";
import { describeMeter } from "../../../server/meters/describe-meter.ts";

const adding = (all: readonly Meter[]) =>
  all.filter((meter) => describeMeter(meter, null).adds_up).map(({ meter }) => meter);

test("peaks, levels, averages and distinct counts are not said to add up, whatever they are called", () => {
  const named = aggregations.map((aggregation): Meter => {
    const types = ["page.printed"];
    const rule: MeterRule =
      aggregation === "level"
        ? { kind: "value_level", raises: types, lowers: [], by: "value", property: "sheets" }
        : { kind: "events", aggregation, types, property: "sheets" };
    return { ...(meters[0] as Meter), meter: `sheets_${aggregation}`, rule };
  });
  expect(adding(named)).toEqual(["sheets_count", "sheets_sum"]);
  const known = adding(meters);
  expect(known).toEqual(expect.arrayContaining(["participation_minutes", "sessions", "chat_posts", "call_minutes"]));
  for (const { meter, rule } of meters)
    if (["peak", "level", "session_peak", "distinct", "value_level", "turnaround"].includes(rule.kind))
      expect(known, meter).not.toContain(meter);
});
