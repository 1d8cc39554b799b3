/** A document as JSON, in pieces: the same text as JSON.stringify makes at once. */
import type { ReportDocument } from "../../contract/reports.ts";

const rowsPerPiece = 500;

export function* jsonOfDocument({ sections, ...head }: ReportDocument): Generator<Buffer> {
  yield Buffer.from(`${JSON.stringify(head).slice(0, -1)},"sections":[`);
  for (const [index, { id, title, columns, rows, totals }] of sections.entries()) {
    const before = JSON.stringify({ id, title, columns }).slice(0, -1);
    yield Buffer.from(`${index > 0 ? "," : ""}${before},"rows":[`);
    for (let start = 0; start < rows.length; start += rowsPerPiece) {
      const piece = JSON.stringify(rows.slice(start, start + rowsPerPiece)).slice(1, -1);
      yield Buffer.from(`${start > 0 ? "," : ""}${piece}`);
    }
    yield Buffer.from(`],"totals":${JSON.stringify(totals)}}`);
  }
  yield Buffer.from("]}");
}
