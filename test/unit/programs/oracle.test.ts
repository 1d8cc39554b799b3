import { expect, it } from "vitest";
import type { UsageAnswer, UsagePoint } from "../../../server/contract/usage.ts";
import { compareWithOracle, describeComparison, type Oracle } from "../../../server/programs/oracle.ts";

const peakAt = "2011-01-02T10:00:00Z";
const oracle: Oracle = {
  rows: 3,
  first_start_ms: Date.parse("2011-01-02T09:00:00Z"),
  last_end_ms: Date.parse("2011-01-02T12:00:00Z"),
  total_ms: 10_800_001,
  peak_concurrency: 2,
  peak_first_at_ms: Date.parse(peakAt),
  peak_by_group: { AA: 2 },
  days: { UTC: { "2011-01-02": { sessions_started: 3, ms_split_at_midnight: 10_800_001, peak: 2 } } },
};

/** What an exact service answers, changed by `change`. */
function answering(change: (answer: UsageAnswer) => void) {
  return {
    async usage({ window, node = "all" }: { window?: string; node?: string }): Promise<UsageAnswer> {
      const days = ["2011-01-01", "2011-01-02", "2011-01-03"];
      const series = (value: UsagePoint["value"], zero: UsagePoint["value"]) =>
        window === "day"
          ? days.map((day) => ({
              start: `${day}T00:00:00Z`,
              end: "",
              value: day === "2011-01-02" ? value : zero,
              partial: false,
            }))
          : [];
      const meters: UsageAnswer["meters"] = [
        { meter: "max_concurrent_participants", unit: "count", total: 2, at: peakAt, series: series(2, 0) },
        {
          meter: "participation_minutes",
          unit: "minutes",
          total: "180.000017",
          series: series("180.000017", "0"),
        },
        { meter: "sessions", unit: "count", total: 3, series: series(3, 0) },
      ];
      const answer: UsageAnswer = {
        node,
        from: "",
        to: "",
        tz: "UTC",
        window: window === "day" ? "day" : "total",
        watermark: "",
        meters,
      };
      change(answer);
      return answer;
    },
  };
}

it("an exact service passes in every figure, days without flights included", async () => {
  const comparison = await compareWithOracle(
    oracle,
    answering(() => undefined),
  );
  expect(comparison).toEqual({ passed: 14, differences: [] });
  expect(describeComparison(comparison)).toBe("14 passed, 0 failed");
});

it("a millisecond too many, a flight on an empty day, a peak's later instant and a carrier's other peak are differences", async () => {
  const { differences } = await compareWithOracle(
    oracle,
    answering(({ window, node, meters: [peak, minutes, sessions] }) => {
      if (!peak || !minutes || !sessions) throw new Error("the answer lacks a meter");
      const [empty, busy] = [sessions.series[0], minutes.series[1]];
      if (window === "day" && empty && busy) {
        busy.value = "180.000034";
        empty.value = 1;
      } else if (node === "all") peak.at = "2011-01-02T11:00:00Z";
      else peak.total = 3;
    }),
  );
  expect(differences).toEqual([
    "UTC 2011-01-02: ms should be 10800001, is 10800002",
    "UTC 2011-01-01: intervals started should be 0, is 1",
    `whole set: first instant of the peak should be ${Date.parse(peakAt)}, is ${Date.parse("2011-01-02T11:00:00Z")}`,
    "organization:AA: peak should be 2, is 3",
  ]);
});
