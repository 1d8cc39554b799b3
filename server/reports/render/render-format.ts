/** The files of a format, drawn from one document: CSV and Parquet have one for each section, the others one in all. */
import type { ReportDocument, ReportFormat } from "../../contract/reports.ts";
import { aboutSection } from "./about.ts";
import { csvOfSection } from "./csv.ts";
import { jsonOfDocument } from "./json.ts";

export interface RenderedFile {
  /** '' where one file holds all sections. */
  section: string;
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** What a format is told by. */
export const mediaTypes: Readonly<Record<ReportFormat, string>> = {
  csv: "text/csv; charset=utf-8",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  pdf: "application/pdf",
  json: "application/json",
  parquet: "application/vnd.apache.parquet",
};

export function renderFormat(document: ReportDocument, format: ReportFormat): RenderedFile[] {
  switch (format) {
    case "csv":
      return [...document.sections, aboutSection(document)].map((section) => ({
        section: section.id,
        content: csvOfSection(section),
      }));
    case "json":
      return [{ section: "", content: jsonOfDocument(document) }];
    default:
      throw new Error(`${format} cannot be made yet`);
  }
}
