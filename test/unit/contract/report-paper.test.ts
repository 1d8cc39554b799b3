import { expect, test } from "vitest";
import { paperFigure } from "../../../server/contract/paper-figure.ts";
import { nodeOnPaper, paperColumns } from "../../../server/contract/report-paper.ts";
import type { ReportCell, ReportColumn } from "../../../server/contract/reports.ts";

const column = (key: string, title: string): ReportColumn => ({ key, title, unit: null, type: "text" });
const columns = [column("node", "Node"), column("name", "Name")];
const titles = (rows: string[][]) => paperColumns({ columns, rows }).map(({ title }) => title);

test("on paper an address gives way to the name beside it, unless a name stands for two nodes or is missing", () => {
  const acme = ["organization:acme", "Acme"];
  expect(titles([acme, ["reseller:r1", "Brightwater"], acme])).toEqual(["Name"]);
  expect(titles([acme, ["organization:acme-2", "Acme"]])).toEqual(["Node", "Name"]);
  expect(titles([acme, ["organization:b", ""]])).toEqual(["Node", "Name"]);
});

test("on paper a node stands by its name and its address, and all organizations by neither", () => {
  const shown = (node: string, node_name: string) => nodeOnPaper({ node, node_name });
  expect(shown("organization:acme", "Acme")).toBe("Acme (organization:acme)");
  expect(shown("organization:acme", "organization:acme")).toBe("organization:acme");
  expect(shown("all", "All")).toBe("All organizations");
});

test("figures on paper have their thousands apart and the decimals of their unit, money those of its currency", () => {
  const figures = (columns: ReportColumn[], rows: ReportCell[][], totals: ReportCell[] = []) => {
    const shown = paperColumns({ columns, rows }, paperFigure).filter(({ isFigure }) => isFigure);
    return [...rows, totals].map((row) => shown.map(({ place, textOf }) => textOf(row[place] ?? null, row)));
  };
  const figure = (type: ReportColumn["type"], unit: string | null = null): ReportColumn => {
    return { key: type, title: type, unit, type };
  };
  expect(
    figures(
      [column("unit", "Unit"), figure("decimal"), figure("integer"), figure("percent", "%")],
      [
        ["minutes", "12345678.125", 1_234_567, -17.7],
        ["count", "9876", 0, 95.0419],
        ["minutes", "0.000123", null, null],
      ],
    ).slice(0, 3),
  ).toEqual([
    ["12,345,678.13", "1,234,567", "−17.70"],
    ["9,876", "0", "95.04"],
    ["0.0001", "", ""],
  ]);
  expect(figures([figure("decimal", "minutes")], [["12"], ["99999999999999999999999999999.5"]]).slice(0, 2)).toEqual([
    ["12.00"],
    ["99,999,999,999,999,999,999,999,999,999.50"],
  ]);
  const money = [column("currency", "Currency"), figure("money")];
  expect(
    figures(money, [
      ["JPY", "1234567"],
      ["KWD", "1.5"],
      ["EUR", "-1234.5"],
    ]).slice(0, 3),
  ).toEqual([["1,234,567"], ["1.500"], ["−1,234.50"]]);
  // Sums have no currency of their own: it is that of all rows.
  expect(
    figures(
      money,
      [
        ["JPY", "1000"],
        ["JPY", "2000"],
      ],
      [null, "3000"],
    ).at(-1),
  ).toEqual(["3,000"]);
});

test("on paper a limit stands by its meter's title, and a statement by whose it is and for which time", () => {
  const limits = [column("quota_feature", "Limit ID"), column("quota_title", "Most used limit")];
  const shown = paperColumns({ columns: limits, rows: [["max_concurrent_participants", "Concurrent participants"]] });
  expect(shown.map(({ title }) => title)).toEqual(["Most used limit"]);
  const statement = ["id", "kind", "name", "from", "to"].map((key) => column(key, key));
  const rows = [["stm_1", "subscription", "Acme", "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"]];
  expect(paperColumns({ columns: statement, rows }).map(({ title }) => title)).not.toContain("id");
});
