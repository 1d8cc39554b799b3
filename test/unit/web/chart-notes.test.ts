import { expect, test } from "vitest";
import type { UsageAnswer } from "../../../server/contract/usage.ts";
import { chartContent, runningTotals, withoutSeries } from "../../../web/src/charts/chart-content.ts";

const day = (date: number, value: string | null) => ({
  start: `2026-03-0${date}T00:00:00Z`,
  end: `2026-03-0${date + 1}T00:00:00Z`,
  value,
  partial: false,
});
const answer = {
  node: "all",
  from: "2026-03-01T00:00:00Z",
  to: "2026-03-05T00:00:00Z",
  tz: "UTC",
  window: "day",
  watermark: "2026-03-05T00:00:00Z",
  meters: [
    {
      meter: "call_minutes",
      unit: "minutes",
      total: "6.5",
      series: [day(1, "1.5"), day(2, null), day(3, "2"), day(4, "3")],
    },
  ],
} as unknown as UsageAnswer;

test("what a rule would have sent is marked in the window that it was found in or at the end of", () => {
  const marks = [
    { at: "2026-03-02T00:00:00Z", text: "the first" },
    { at: "2026-03-03T12:00:00Z", text: "the second" },
    { at: "2026-03-03T13:00:00Z", text: "the third" },
    { at: "2026-04-03T13:00:00Z", text: "beyond" },
  ];
  const content = chartContent(answer, [], Date.parse("2026-03-06T00:00:00Z"), { notes: { marks } });
  expect(content.marks.map((own) => own.map(({ text }) => text))).toEqual([
    ["the first"],
    [],
    ["the second", "the third"],
    [],
  ]);
});

test("a note, a change of plan and what changed figures are marked in the window that begins with them", () => {
  const at = "2026-03-03T00:00:00Z";
  const marks = (["note", "plan", "correction", "late", "alert"] as const).map((kind) => ({ at, text: kind, kind }));
  const content = chartContent(answer, [], Date.parse("2026-03-06T00:00:00Z"), { notes: { marks } });
  expect(content.marks.map((own) => own.map(({ text }) => text))).toEqual([
    [],
    ["alert"],
    ["note", "plan", "correction", "late"],
    [],
  ]);
});

test("a limit is drawn in the unit of what is measured against it", () => {
  const limits = [
    { value: "75", unit: "minutes", text: "75% of 100: 75" },
    { value: "5", unit: "count", text: "of what is not shown" },
  ];
  const content = chartContent(answer, [], Date.parse("2026-03-06T00:00:00Z"), { notes: { limits } });
  expect(content.limits).toEqual([{ value: 75, unit: "minutes", text: "75% of 100: 75" }]);
});

test("running totals say how much of a cycle was used by the end of each window", () => {
  expect(runningTotals(answer).meters[0]?.series.map(({ value }) => value)).toEqual(["1.5", null, "3.5", "6.5"]);
});

test("a hidden series is not drawn, and hiding all of them hides none", () => {
  const [meter] = answer.meters;
  const two = { ...answer, meters: [meter, { ...meter, meter: "emails" }] } as UsageAnswer;
  const content = chartContent(two, [], Date.parse("2026-03-06T00:00:00Z"));
  const keysWithout = (hidden: string[]) => withoutSeries(content, hidden).series.map(({ key }) => key);
  expect(keysWithout(["emails"])).toEqual(["call_minutes"]);
  expect(keysWithout(["unknown"])).toEqual(["call_minutes", "emails"]);
  expect(keysWithout(["emails", "call_minutes"])).toEqual(["call_minutes", "emails"]);
});
