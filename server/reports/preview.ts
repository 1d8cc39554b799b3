/** A document as it is shown on a screen. Pure. */
import type { ReportDocument, ReportPreview } from "../contract/reports.ts";
import { chartOf } from "./render/chart.ts";

/** Nobody reads more of a section on a screen. */
export const previewRows = 200;

/** The first `maxRows` rows of each section, beside totals and charts of all of them. */
export function previewOf(document: ReportDocument, maxRows: number): ReportPreview {
  const sections = document.sections.map((section) => ({
    ...section,
    rows: section.rows.slice(0, maxRows),
    row_count: section.rows.length,
    chart: chartOf(section) ?? null,
  }));
  return { ...document, sections };
}
