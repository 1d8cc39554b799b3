import { expect, test } from "vitest";
import { paperColumns } from "../../../server/contract/report-paper.ts";
import type { ReportColumn } from "../../../server/contract/reports.ts";

const column = (key: string, title: string): ReportColumn => ({ key, title, unit: null, type: "text" });
const columns = [column("node", "Node"), column("name", "Name")];
const titles = (rows: string[][]) => paperColumns({ columns, rows }).map(({ title }) => title);

test("on paper an address gives way to the name beside it, unless a name stands for two nodes or is missing", () => {
  const acme = ["organization:acme", "Acme"];
  expect(titles([acme, ["reseller:r1", "Brightwater"], acme])).toEqual(["Name"]);
  expect(titles([acme, ["organization:acme-2", "Acme"]])).toEqual(["Node", "Name"]);
  expect(titles([acme, ["organization:b", ""]])).toEqual(["Node", "Name"]);
});
