/** What the tables themselves do not say, as a table: node, range, zone, watermark, and how the meters are defined. Pure. */
import type { ReportCell, ReportDocument, ReportSection } from "../../contract/reports.ts";
import { column, section } from "../build/section.ts";

export function aboutSection(document: ReportDocument): ReportSection {
  const { name, kind, node, node_name, from, to, tz, watermark, made_at, definitions } = document;
  const said = { report: document.report, name, kind, node, node_name, from, to, tz, watermark, made_at };
  const rows: ReportCell[][] = [
    ...Object.entries(said).map(([key, value]) => [key, value, null]),
    ...definitions.map(({ meter, unit, how }) => [meter, how, unit]),
  ];
  const columns = [column("what", "What"), column("value", "Value"), column("unit", "Unit")];
  return section("about", "About this report", columns, rows);
}
