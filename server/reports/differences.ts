/** What a report said when it was made beside what it says now, cell by cell. Pure. */
import type { ReportCell, ReportDocument, ReportSection, RunDifferences } from "../contract/reports.ts";

type Difference = RunDifferences["differences"][number];

const maxDifferences = 10_000;

/** Rows are matched by what they are about, not by their position: ranks and figures change, names of rows do not. */
export function differencesOf(run: string, before: ReportDocument, now: ReportDocument): RunDifferences {
  const found: Difference[] = [];
  const ids = new Set([...before.sections, ...now.sections].map(({ id }) => id));
  for (const id of ids) {
    const named = (one: ReportSection) => one.id === id;
    found.push(...differencesIn(id, rowsByName(before.sections.find(named)), rowsByName(now.sections.find(named))));
    if (found.length > maxDifferences) break;
  }
  return {
    run,
    before: { watermark: before.watermark, made_at: before.made_at },
    now: { watermark: now.watermark, made_at: now.made_at },
    differences: found.slice(0, maxDifferences),
    truncated: found.length > maxDifferences,
  };
}

type NamedRows = ReadonlyMap<string, ReadonlyMap<string, ReportCell>>;

function differencesIn(section: string, before: NamedRows, now: NamedRows): Difference[] {
  const found: Difference[] = [];
  for (const [row, cells] of before) {
    const others = now.get(row);
    if (!others) found.push({ section, row, column: null, before: row, now: null, change: "removed" });
    else
      for (const [column, cell] of cells) {
        const other = others.get(column) ?? null;
        if (cell !== other) found.push({ section, row, column, before: cell, now: other, change: "changed" });
      }
  }
  for (const row of now.keys())
    if (!before.has(row)) found.push({ section, row, column: null, before: null, now: row, change: "added" });
  return found;
}

/** The columns that say what a row is about, of which a section has some. */
const namingColumns = new Set([
  "meter",
  "key",
  "start",
  "node",
  "id",
  "currency",
  "level",
  "payment_status",
  "quota_status",
  "feature",
  "sequence",
  "action",
  "is_other",
]);

/** Sections whose rows have a name of their own, whatever became of the rest: a statement its id, an organization its node. */
const namesOfSections: Readonly<Record<string, readonly string[]>> = {
  statements: ["id"],
  organizations: ["node", "currency"],
  entries: ["sequence"],
};

function rowsByName(section: ReportSection | undefined): Map<string, Map<string, ReportCell>> {
  const rows = new Map<string, Map<string, ReportCell>>();
  if (!section) return rows;
  const { id, columns } = section;
  const own = namesOfSections[id] ?? [...namingColumns];
  const naming = columns.flatMap(({ key }, index) => (own.includes(key) ? [index] : []));
  const named = (row: readonly ReportCell[], index: number) =>
    naming.length === 0 ? String(index + 1) : naming.map((at) => String(row[at] ?? "")).join(" ");
  for (const [index, row] of section.rows.entries())
    rows.set(named(row, index), new Map(columns.map(({ key }, at) => [key, row[at] ?? null])));
  if (section.totals.length > 0)
    rows.set("total", new Map(columns.map(({ key }, at) => [key, section.totals[at] ?? null])));
  return rows;
}
