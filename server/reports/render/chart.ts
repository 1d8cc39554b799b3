/** A section as a picture of lines, for paper: an SVG, and what it shows in words. Pure. */
import type { ReportColumn, ReportSection } from "../../contract/reports.ts";

export interface Chart {
  svg: string;
  /** For readers who cannot see it. */
  alt: string;
}

const size = { width: 720, height: 190, left: 8, right: 8, top: 24, bottom: 26 };
const mostBars = 400;
const usualColor = "#1d4ed8";

/** Bars of the first figure of a section whose rows are windows; undefined where there is nothing to draw. */
export function chartOf({ title, columns, rows }: ReportSection, color = usualColor): Chart | undefined {
  const startAt = columns.findIndex(({ key }) => key === "start");
  const valueAt = columns.findIndex(({ type }) => type === "decimal" || type === "integer");
  const column = columns[valueAt];
  if (startAt < 0 || !column || rows.length < 2 || rows.length > mostBars) return undefined;
  const points = rows.map((row) => ({
    day: String(row[startAt] ?? "").slice(0, 10),
    value: Number(row[valueAt] ?? 0),
  }));
  const most = Math.max(...points.map(({ value }) => value));
  if (!(most > 0)) return undefined;
  return {
    svg: svgOf(points, `at most ${most}${column.unit ? ` ${column.unit}` : ""}`, most, color),
    alt: wordsOf(title, column, points, most),
  };
}

interface Point {
  day: string;
  value: number;
}

function svgOf(points: readonly Point[], scale: string, most: number, color: string): string {
  const { width, height, left, right, top, bottom } = size;
  const step = (width - left - right) / points.length;
  const ground = height - bottom;
  const bars = points.map(({ value }, index) => {
    const tall = Math.max(0, (value / most) * (ground - top));
    const x = left + index * step + step * 0.1;
    return `<rect x="${x.toFixed(2)}" y="${(ground - tall).toFixed(2)}" width="${(step * 0.8).toFixed(2)}" height="${tall.toFixed(2)}" fill="${color}"/>`;
  });
  const label = (x: number, anchor: string, text: string, y = height - 8) =>
    `<text x="${x}" y="${y}" font-family="Noto Sans" font-size="11" fill="#374151" text-anchor="${anchor}">${text}</text>`;
  const days = [label(left, "start", points[0]?.day ?? ""), label(width - right, "end", points.at(-1)?.day ?? "")];
  const peak = label(left, "start", escaped(scale), top - 10);
  const limit = `<line x1="${left}" y1="${top}" x2="${width - right}" y2="${top}" stroke="#d1d5db" stroke-width="1" stroke-dasharray="3 3"/>`;
  const line = `<line x1="${left}" y1="${ground}" x2="${width - right}" y2="${ground}" stroke="#9ca3af" stroke-width="1"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">${limit}${bars.join("")}${line}${peak}${days.join("")}</svg>`;
}

const escaped = (text: string) => text.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);

function wordsOf(title: string, column: ReportColumn, points: readonly Point[], most: number): string {
  const unit = column.unit ? ` ${column.unit}` : "";
  const peak = points.find(({ value }) => value === most);
  return `${title}: ${column.title} from ${points[0]?.day} to ${points.at(-1)?.day}, at most ${most}${unit} on ${peak?.day}.`;
}
