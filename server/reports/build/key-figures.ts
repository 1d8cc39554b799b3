/** The part of a document that fits into a mail: whether there is anything in it, and its first figures. Pure. */
import type { ReportCell, ReportDocument, ReportKind, ReportSection } from "../../contract/reports.ts";
import { placesOfPeriod } from "./section.ts";

/** Whether nothing happened: no figure of the period but zero, and no row where a section has no figures. What is compared with it says nothing. */
export function isEmptyDocument({ sections }: Pick<ReportDocument, "sections">): boolean {
  return sections.every((section) => {
    const { rows } = section;
    const places = placesOfPeriod(section);
    if (places.length === 0) return rows.length === 0;
    return rows.every((row) => places.every((place) => isNothing(row[place])));
  });
}

const isNothing = (cell: ReportCell | undefined) =>
  cell === null || cell === undefined || !/[1-9]/.test(String(cell).replace(/e.*$/i, ""));

export interface KeyFigure {
  label: string;
  value: string;
}

/** What the report is asked for most, at most `most`: names with figures that have their units. */
export function keyFigures({ kind, sections }: Pick<ReportDocument, "kind" | "sections">, most = 3): KeyFigure[] {
  return figuresOfKind[kind](sections).slice(0, most);
}

type Sections = readonly ReportSection[];

const figuresOfKind: Readonly<Record<ReportKind, (sections: Sections) => KeyFigure[]>> = {
  usage: (sections) => metersIn(sections, "totals"),
  custom: (sections) => metersIn(sections, "totals"),
  activity: (sections) => metersIn(sections, "activity"),
  billing: (sections) => [
    ...rowsIn(sections, "revenue", ({ level, total, currency }) => [`Revenue from ${level}s`, total, currency]),
    ...rowsIn(sections, "payments", ({ payment_status: status, total, currency }) => {
      return [`Statements that are ${status}`, total, currency];
    }),
  ],
  financial: (sections) => [
    ...rowsIn(sections, "sellers", ({ name, margin, currency }) => [`Margin of ${name}`, margin, currency]),
    ...rowsIn(sections, "organizations", ({ name, total, currency }) => [`Charged to ${name}`, total, currency]),
  ],
  organizations: (sections) => [...countOf(sections, "organizations"), ...totalsOf(sections, "organizations")],
  audit: (sections) => [
    ...countOf(sections, "entries"),
    ...rowsIn(sections, "actions", ({ action, entries }) => [String(action), entries, null]),
  ],
};

const metersIn = (sections: Sections, id: string) =>
  rowsIn(sections, id, ({ title, total, unit }) => [String(title), total, unit]);

type FigureCells = [label: string, figure: ReportCell | undefined, unit: ReportCell | undefined];

/** For each row that has the figure. */
function rowsIn(
  sections: Sections,
  id: string,
  figureCells: (row: Record<string, ReportCell>) => FigureCells,
): KeyFigure[] {
  const section = sections.find((one) => one.id === id);
  return (section?.rows ?? []).flatMap((row) => {
    const cells = section?.columns.map(({ key }, place): [string, ReportCell] => [key, row[place] ?? null]) ?? [];
    return figureOf(...figureCells(Object.fromEntries(cells)));
  });
}

function totalsOf(sections: Sections, id: string): KeyFigure[] {
  const section = sections.find((one) => one.id === id);
  return (section?.totals ?? []).flatMap((cell, place) => {
    const { title = "", unit = null } = section?.columns[place] ?? {};
    return figureOf(title, cell, unit);
  });
}

function countOf(sections: Sections, id: string): KeyFigure[] {
  const section = sections.find((one) => one.id === id);
  return section ? figureOf(section.title, section.rows.length, null) : [];
}

function figureOf(label: string, figure: ReportCell | undefined, unit: ReportCell | undefined): KeyFigure[] {
  if (figure === null || figure === undefined) return [];
  const isSaid = unit === null || unit === undefined || unit === "" || unit === "count";
  return [{ label, value: isSaid ? String(figure) : `${figure} ${unit}` }];
}
