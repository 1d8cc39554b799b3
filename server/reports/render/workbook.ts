/**
 * Excel workbooks (ISO/IEC 29500), written while their rows come, so that a long one takes no more memory than a piece of
 * it. A cell has its column's type: what a stranger wrote is text and never a formula.
 */
import { Zip, ZipDeflate } from "fflate";
import { columnTitle } from "../../contract/report-paper.ts";
import type { ColumnType, ReportCell, ReportColumn } from "../../contract/reports.ts";
import { createPace } from "../../fairness/pace.ts";

export interface Sheet {
  name: string;
  columns: readonly ReportColumn[];
  rows: Iterable<readonly ReportCell[]> | AsyncIterable<readonly ReportCell[]>;
  /** A cell for each column: those that are not null are the sums of theirs. */
  totals?: readonly ReportCell[];
}

/** The most rows that the format allows. */
const maxRows = 1_048_576;
const maxCharacters = 32_767;
const maxNameCharacters = 31;

/** Rows are turned into bytes in pieces of about this many characters. */
const pieceCharacters = 64 * 1024;

/** A sheet that is longer than a sheet may be goes on in further ones. */
export async function* workbook(sheets: Iterable<Sheet>): AsyncGenerator<Uint8Array> {
  const written: Uint8Array[] = [];
  let failure: Error | undefined;
  const zip = new Zip((error, chunk) => {
    if (error) failure = error;
    else written.push(chunk);
  });
  function* flush(): Generator<Uint8Array> {
    if (failure) throw failure;
    yield* written.splice(0);
  }
  function* whole(path: string, text: string): Generator<Uint8Array> {
    const file = new ZipDeflate(path, { level: 6 });
    zip.add(file);
    file.push(Buffer.from(text), true);
    yield* flush();
  }
  const pace = createPace();
  const names: string[] = [];
  for (const sheet of sheets) {
    const rows = rowsInTurn(sheet.rows);
    for (let isOver = false; !isOver; ) {
      names.push(sheetName(sheet.name, names));
      const file = new ZipDeflate(`xl/worksheets/sheet${names.length}.xml`, { level: 6 });
      zip.add(file);
      const lines = sheetXml(sheet, rows);
      for (;;) {
        const line = await lines.next();
        if (line.done) {
          isOver = line.value;
          break;
        }
        file.push(Buffer.from(line.value), false);
        yield* flush();
        await pace.rest();
      }
      file.push(new Uint8Array(0), true);
      yield* flush();
    }
  }
  yield* whole("xl/styles.xml", stylesXml);
  yield* whole("xl/workbook.xml", workbookXml(names));
  yield* whole("xl/_rels/workbook.xml.rels", workbookRelations(names));
  yield* whole("_rels/.rels", relations);
  yield* whole("[Content_Types].xml", contentTypes(names));
  zip.end();
  yield* flush();
}

async function* rowsInTurn(rows: Sheet["rows"]): AsyncGenerator<readonly ReportCell[]> {
  yield* rows;
}

/** In pieces; gives back whether all rows were taken. */
async function* sheetXml(
  { columns, totals = [] }: Sheet,
  rows: AsyncGenerator<readonly ReportCell[]>,
): AsyncGenerator<string, boolean> {
  const widths = columns.map(({ title, type }, index) => {
    const width = Math.min(60, Math.max(type === "text" ? 22 : 14, title.length + 6));
    return `<col min="${index + 1}" max="${index + 1}" width="${width}" customWidth="1"/>`;
  });
  let piece = `${xmlHead}<worksheet xmlns="${main}"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><cols>${widths.join("")}</cols><sheetData>`;
  const heads = columns.map((column, index) => textCell(columnTitle(column), at(index, 1), styles.head));
  piece += `<row r="1">${heads.join("")}</row>`;
  const isSummed = totals.some((cell) => cell !== null);
  let row = 1;
  let isOver = true;
  // The last row is left for the sums.
  for (; row < maxRows - 1; ) {
    const next = await rows.next();
    if (next.done) break;
    row++;
    piece += `<row r="${row}">${next.value.map((cell, index) => cellXml(cell, columns[index]?.type ?? "text", at(index, row))).join("")}</row>`;
    if (piece.length > pieceCharacters) {
      yield piece;
      piece = "";
    }
  }
  if (row >= maxRows - 1) isOver = false;
  const last = row;
  if (isSummed && isOver && last > 1) {
    const cells = totals.map((cell, index) => {
      const place = at(index, last + 1);
      if (cell === null) return index === 0 ? textCell("Total", place, styles.head) : "";
      const style = stylesOfType[columns[index]?.type ?? "decimal"] + boldOffset;
      return `<c r="${place}" s="${style}"><f>SUM(${at(index, 2)}:${at(index, last)})</f><v>${numberOf(cell)}</v></c>`;
    });
    piece += `<row r="${last + 1}">${cells.join("")}</row>`;
  }
  piece += "</sheetData>";
  if (columns.length > 0) piece += `<autoFilter ref="A1:${at(columns.length - 1, last)}"/>`;
  yield `${piece}</worksheet>`;
  return isOver;
}

const main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const officeRelations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const xmlHead = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';

/** Where a cell is, as `B7`. */
function at(column: number, row: number): string {
  let letters = "";
  for (let rest = column + 1; rest > 0; rest = Math.floor((rest - 1) / 26))
    letters = String.fromCharCode(65 + ((rest - 1) % 26)) + letters;
  return letters + row;
}

const styles = { text: 0, integer: 1, decimal: 2, money: 3, percent: 4, instant: 5, boolean: 0, head: 6 } as const;
const stylesOfType: Readonly<Record<ColumnType, number>> = styles;
/** From a style to the same in bold. */
const boldOffset = 6;

/** In the order of `styles`: General, 0, 0.######, 0.00, 0.00, a local time; then head, and the five again in bold. */
const formats = [0, 3, 164, 4, 2, 165];
const stylesXml = `${xmlHead}<styleSheet xmlns="${main}"><numFmts count="2"><numFmt numFmtId="164" formatCode="#,##0.#########"/><numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm"/></numFmts><fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="12">${[0, 1].map((font) => formats.map((format) => `<xf numFmtId="${format}" fontId="${font}" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1"/>`).join("")).join("")}</cellXfs></styleSheet>`;

function cellXml(cell: ReportCell, type: ColumnType, place: string): string {
  if (cell === null) return "";
  if (typeof cell === "boolean") return `<c r="${place}" t="b"><v>${cell ? 1 : 0}</v></c>`;
  if (type === "text" || type === "boolean") return textCell(String(cell), place, styles.text);
  if (type === "instant") {
    const serial = serialOf(String(cell));
    return serial === undefined
      ? textCell(String(cell), place, styles.text)
      : `<c r="${place}" s="${styles.instant}"><v>${serial}</v></c>`;
  }
  const number = numberOf(cell);
  return number === undefined
    ? textCell(String(cell), place, styles.text)
    : `<c r="${place}" s="${stylesOfType[type]}"><v>${number}</v></c>`;
}

function textCell(text: string, place: string, style: number): string {
  return `<c r="${place}" s="${style}" t="inlineStr"><is><t xml:space="preserve">${xmlText(text.slice(0, maxCharacters))}</t></is></c>`;
}

function numberOf(cell: ReportCell): string | undefined {
  const text = String(cell);
  return /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i.test(text) ? text : undefined;
}

/** Days since 1899-12-30 of what a clock in the instant's zone showed: a workbook knows no zones. */
function serialOf(instant: string): number | undefined {
  const local = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)(?:Z|[+-]\d\d:\d\d)$/.exec(instant)?.[1];
  const ms = local === undefined ? Number.NaN : Date.parse(`${local}Z`);
  return Number.isNaN(ms) ? undefined : ms / 86_400_000 + 25_569;
}

/** What XML 1.0 cannot hold is written as the format has it, `_x000B_`, and what looks like that is kept apart from it. */
function xmlText(text: string): string {
  return text
    .toWellFormed()
    .replace(/_(?=x[0-9A-Fa-f]{4}_)/g, "_x005F_")
    .replace(/[&<>"]/g, (sign) => escapes[sign] ?? sign)
    .replace(notInXml, (sign) => `_x${sign.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}_`);
}
const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const notInXml = /[^\t\n\x20-\uFFFD]|[\u007F-\u009F]/g;

/** One that no other sheet has and that the format allows. */
function sheetName(wanted: string, taken: readonly string[]): string {
  const plain = xmlSafeName(wanted);
  for (let number = 1; ; number++) {
    const end = number === 1 ? "" : ` (${number})`;
    const name = plain.slice(0, maxNameCharacters - end.length) + end;
    if (!taken.some((one) => one.toLowerCase() === name.toLowerCase())) return name;
  }
}

function xmlSafeName(wanted: string): string {
  const plain = wanted
    .replace(/[[\]:*?/\\\p{Cc}]/gu, " ")
    .replace(/^'+|'+$/g, "")
    .trim();
  return plain === "" ? "Sheet" : plain;
}

function workbookXml(names: readonly string[]): string {
  const sheets = names.map(
    (name, index) => `<sheet name="${xmlText(name)}" sheetId="${index + 1}" r:id="rId${index + 1}"/>`,
  );
  // Sums are computed again when it is opened.
  return `${xmlHead}<workbook xmlns="${main}" xmlns:r="${officeRelations}"><sheets>${sheets.join("")}</sheets><calcPr calcId="0" fullCalcOnLoad="1"/></workbook>`;
}

const packageRelations = "http://schemas.openxmlformats.org/package/2006/relationships";

function workbookRelations(names: readonly string[]): string {
  const sheets = names.map(
    (_, index) =>
      `<Relationship Id="rId${index + 1}" Type="${officeRelations}/worksheet" Target="worksheets/sheet${index + 1}.xml"/>`,
  );
  return `${xmlHead}<Relationships xmlns="${packageRelations}">${sheets.join("")}<Relationship Id="rId${names.length + 1}" Type="${officeRelations}/styles" Target="styles.xml"/></Relationships>`;
}

const relations = `${xmlHead}<Relationships xmlns="${packageRelations}"><Relationship Id="rId1" Type="${officeRelations}/officeDocument" Target="xl/workbook.xml"/></Relationships>`;

function contentTypes(names: readonly string[]): string {
  const spreadsheet = "application/vnd.openxmlformats-officedocument.spreadsheetml";
  const sheets = names.map(
    (_, index) =>
      `<Override PartName="/xl/worksheets/sheet${index + 1}.xml" ContentType="${spreadsheet}.worksheet+xml"/>`,
  );
  return `${xmlHead}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="${spreadsheet}.sheet.main+xml"/><Override PartName="/xl/styles.xml" ContentType="${spreadsheet}.styles+xml"/>${sheets.join("")}</Types>`;
}
