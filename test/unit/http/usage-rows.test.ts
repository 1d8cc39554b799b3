import { describe, expect, test } from "vitest";
import type { MeterUsage, UsageAnswer, UsagePoint } from "../../../server/contract/usage.ts";
import { csvOfTable } from "../../../server/http/list-table.ts";
import { usageLines, usageTable } from "../../../server/http/usage-rows.ts";

const day = (n: number, value: UsagePoint["value"]): UsagePoint => ({
  start: `2026-03-0${n}T00:00:00Z`,
  end: `2026-03-0${n + 1}T00:00:00Z`,
  value,
  partial: false,
});
const against = (n: number, value: UsagePoint["value"], start: string) => ({ ...day(n, value), against: start });
const nothing = (start: string) => ({ start: null, end: null, value: null, partial: false, against: start });
const head = {
  from: "2026-03-05T00:00:00Z",
  to: "2026-03-07T00:00:00Z",
  tz: "UTC",
  window: "day" as const,
  watermark: "2026-03-08T00:00:00Z",
};
const answerOf = (...meters: MeterUsage[]): UsageAnswer => ({ ...head, node: "organization:acme", meters });
const meterOf = (meter: string, series: UsagePoint[], rest: Partial<MeterUsage> = {}): MeterUsage => ({
  meter,
  unit: "",
  total: 0,
  series,
  ...rest,
});

async function collect(pieces: AsyncIterable<string>): Promise<string[]> {
  const lines: string[] = [];
  for await (const piece of pieces) lines.push(piece);
  return lines;
}

async function csv(answer: Parameters<typeof usageTable>[0]): Promise<string[]> {
  const lines = await collect(csvOfTable(usageTable(answer)));
  expect(lines.every((line) => line.endsWith("\r\n"))).toBe(true);
  return lines.map((line) => line.slice(0, -2));
}

describe("as CSV", () => {
  test("one node without groups has a row for each window, in time, and a column for each meter", async () => {
    const answer = answerOf(meterOf("a", [day(6, "-1.5")]), meterOf("b", [day(5, 3), day(6, null)]));
    expect(await csv(answer)).toEqual([
      "start,end,partial,a,b",
      "2026-03-05T00:00:00Z,2026-03-06T00:00:00Z,false,,3",
      "2026-03-06T00:00:00Z,2026-03-07T00:00:00Z,false,-1.5,",
    ]);
  });

  test("a meter that is named like a column stands in rows of its own", async () => {
    const head = "node,meter,of,group,is_other,start,end,partial,value,at";
    for (const names of [["start"], ["a", "end"], ["partial"]])
      expect(await csv(answerOf(...names.map((name) => meterOf(name, [day(5, 3)]))))).toEqual([
        head,
        ...names.map(
          (name) => `organization:acme,${name},total,,false,2026-03-05T00:00:00Z,2026-03-06T00:00:00Z,false,3,`,
        ),
      ]);
  });

  test("a compared window stands in the row of its partner, and a window without a partner beside nothing", async () => {
    const comparison = {
      from: "2026-03-01T00:00:00Z",
      to: "2026-03-04T00:00:00Z",
      total: 0,
      delta: 0,
      percent: null,
      series: [
        against(1, 4, "2026-03-05T00:00:00Z"),
        nothing("2026-03-06T00:00:00Z"),
        against(3, 6, "2026-03-07T00:00:00Z"),
      ],
    };
    expect(await csv(answerOf(meterOf("a", [day(5, 3), day(6, 2)], { comparison })))).toEqual([
      "start,end,partial,compared_start,compared_end,a,a_compared,a_delta,a_percent",
      "2026-03-05T00:00:00Z,2026-03-06T00:00:00Z,false,2026-03-01T00:00:00Z,2026-03-02T00:00:00Z,3,4,-1,-25",
      "2026-03-06T00:00:00Z,2026-03-07T00:00:00Z,false,,,2,,,",
      "2026-03-07T00:00:00Z,,,2026-03-03T00:00:00Z,2026-03-04T00:00:00Z,,6,,",
    ]);
  });

  test("a group's name that a spreadsheet would run is inert, one with separators is quoted, and numbers stay numbers", async () => {
    const hostile = [
      "=1+1",
      "+1+1",
      "-2+3",
      "@SUM(A1)",
      "\tx",
      "\rx",
      "\nx",
      "\0x",
      "\u001bx",
      "＝1+1",
      "＋1",
      "－1",
      "＠SUM(A1)",
      " =1+1",
      "\u200b\ufeff=1+1",
      "-1e-7",
      "1-1",
      'a,"b"',
      "two\nlines",
      '=HYPERLINK("x","y")',
      "漢字",
      "",
    ];
    const groups = hostile.map((key) => ({ key, total: 0, share: 0, series: [day(5, "-5")] }));
    const answer = answerOf(meterOf("a", [], { groups }));
    const [header, ...rows] = await csv(answer);
    expect(header).toBe("node,meter,of,group,is_other,start,end,partial,value,at");
    const tail = ",false,2026-03-05T00:00:00Z,2026-03-06T00:00:00Z,false,-5,";
    expect(rows).toEqual(
      [
        "'=1+1",
        "'+1+1",
        "'-2+3",
        "'@SUM(A1)",
        "'\tx",
        `"'\rx"`,
        `"'\nx"`,
        "'\0x",
        "'\u001bx",
        "'＝1+1",
        "'＋1",
        "'－1",
        "'＠SUM(A1)",
        "' =1+1",
        "'\u200b\ufeff=1+1",
        "-1e-7",
        "1-1",
        '"a,""b"""',
        '"two\nlines"',
        `"'=HYPERLINK(""x"",""y"")"`,
        "漢字",
        "",
      ].map((cell) => `organization:acme,a,group,${cell}${tail}`),
    );
  });

  test("events without a value are a group of their own beside the total and the folded rest", async () => {
    const group = (key: string, rest = {}) => ({ key, total: 0, share: 0, series: [day(5, 1)], ...rest });
    const groups = [group(""), group("other"), group("other", { is_other: true })];
    const rows = await csv(answerOf(meterOf("a", [day(5, 3)], { groups })));
    expect(rows.slice(1).map((row) => row.split(",").slice(2, 5))).toEqual([
      ["total", "", "false"],
      ["group", "", "false"],
      ["group", "other", "false"],
      ["other", "other", "true"],
    ]);
  });

  test("several nodes have a row for each window of each node and meter", async () => {
    const nodes = ["organization:acme", "organization:=x"].map((node) => ({
      node,
      meters: [meterOf("a", [{ ...day(5, 1), at: "2026-03-05T09:00:00Z" }])],
    }));
    expect((await csv({ ...head, nodes })).slice(1)).toEqual(
      nodes.map(
        ({ node }) => `${node},a,total,,false,2026-03-05T00:00:00Z,2026-03-06T00:00:00Z,false,1,2026-03-05T09:00:00Z`,
      ),
    );
  });
});

test("as lines, the first is the answer with its totals, and each further one is a window with what it is compared with", async () => {
  const comparison = {
    from: "f",
    to: "t",
    total: 4,
    delta: -1,
    percent: -25,
    series: [against(1, "4", "2026-03-05T00:00:00Z")],
  };
  const groups = [{ key: "other", is_other: true, total: "3", share: 1, series: [day(5, "3")] }];
  const lines = await collect(usageLines(answerOf(meterOf("a", [day(5, "3")], { total: "3", comparison, groups }))));
  expect(lines.every((line) => line.endsWith("\n") && line.indexOf("\n") === line.length - 1)).toBe(true);
  const { series: _, ...compared } = comparison;
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    {
      ...head,
      node: "organization:acme",
      meters: [
        {
          meter: "a",
          unit: "",
          total: "3",
          comparison: compared,
          groups: [{ key: "other", is_other: true, total: "3", share: 1 }],
        },
      ],
    },
    {
      node: "organization:acme",
      meter: "a",
      ...day(5, "3"),
      compared: against(1, "4", "2026-03-05T00:00:00Z"),
      delta: "-1",
      percent: -25,
    },
    { node: "organization:acme", meter: "a", group: "other", is_other: true, ...day(5, "3") },
  ]);
});
