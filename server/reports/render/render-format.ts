/** The files of a format, drawn from one document: CSV and Parquet have one for each section, the others one in all. */
import type { ClickHouse } from "../../clickhouse/client.ts";
import type { ReportDocument, ReportFormat, ReportSection } from "../../contract/reports.ts";
import { aboutSection } from "./about.ts";
import { csvOfSection } from "./csv.ts";
import { jsonOfDocument } from "./json.ts";
import { parquetOfSection } from "./parquet.ts";
import { type PdfTurn, pdfOfDocument } from "./pdf.ts";
import type { Brand } from "./pdf-data.ts";
import { workbook } from "./workbook.ts";

export interface RenderedFile {
  /** '' where one file holds all sections. */
  section: string;
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** The media type of each format. */
export const mediaTypes: Readonly<Record<ReportFormat, string>> = {
  csv: "text/csv; charset=utf-8",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  pdf: "application/pdf",
  json: "application/json",
  parquet: "application/vnd.apache.parquet",
};

export function renderFormat(
  document: ReportDocument,
  format: ReportFormat,
  clickhouse: Pick<ClickHouse, "selectFrom">,
  brand: Brand,
  turn: PdfTurn,
): RenderedFile[] {
  const sections = () => [...document.sections, aboutSection(document)];
  const perSection = (render: (section: ReportSection) => RenderedFile["content"]) =>
    sections().map((section) => ({ section: section.id, content: render(section) }));
  switch (format) {
    case "csv":
      return perSection(csvOfSection);
    case "parquet":
      return perSection((section) => parquetOfSection(clickhouse, section));
    case "xlsx":
      return [{ section: "", content: workbook(sections().map((one) => ({ ...one, name: one.title }))) }];
    case "pdf":
      return [{ section: "", content: pdfOfDocument(document, brand, turn) }];
    case "json":
      return [{ section: "", content: jsonOfDocument(document) }];
  }
}
