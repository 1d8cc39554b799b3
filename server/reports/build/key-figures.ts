/** The part of a document that fits into a mail: whether there is anything in it, and its first figures. Pure. */
import type { ReportCell, ReportDocument, ReportSection } from "../../contract/reports.ts";
import { figureTypes, placesOfPeriod } from "./section.ts";

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

/** The first rows of the first section that has figures, at most `most`. */
export function keyFigures({ sections }: Pick<ReportDocument, "sections">, most = 3): KeyFigure[] {
  for (const section of sections) {
    const figures = figuresOf(section);
    if (figures.length > 0) return figures.slice(0, most);
  }
  return [];
}

function figuresOf({ columns, rows }: ReportSection): KeyFigure[] {
  const place = columns.findIndex(({ type }) => figureTypes.includes(type));
  const label = columns.findIndex(({ type, key }) => type === "text" && key !== "unit" && key !== "currency");
  if (place < 0 || label < 0) return [];
  const unit = columns.findIndex(({ key }) => key === "unit" || key === "currency");
  return rows.flatMap((row) => {
    const [value, name] = [row[place] ?? null, row[label] ?? null];
    if (value === null || name === null) return [];
    const of = unit < 0 ? columns[place]?.unit : row[unit];
    return [
      { label: String(name), value: [String(value), of].filter((part) => part !== null && part !== "").join(" ") },
    ];
  });
}
