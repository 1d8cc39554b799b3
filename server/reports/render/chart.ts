/** A section as a picture of lines, for paper: an SVG, and what it shows in words. Pure. */
import type { ReportSection } from "../../contract/reports.ts";
import { chartWords, type Panel, type Panels, panelsOf } from "../build/chart-panels.ts";

export interface Chart {
  svg: string;
  /** For readers who cannot see it. */
  alt: string;
}

/** In the points of the page: one panel alone is taller than each of several. */
const size = { width: 720, left: 46, right: 10, head: 24, axis: 22, alone: 150, each: 60 };
/** The first colour of the dashboard's charts in its light theme. */
const usualColor = "#0d8a80";
const ink = { soft: "#374151", line: "#e5e7eb", ground: "#9ca3af" };

/** A panel for each figure of a section whose rows are windows; undefined where there is nothing to draw. */
export function chartOf(section: ReportSection, color = usualColor): Chart | undefined {
  const drawn = panelsOf(section);
  return drawn && { svg: svgOf(drawn, color), alt: chartWords(section.title, drawn) };
}

function svgOf(drawn: Panels, color: string): string {
  const tall = drawn.panels.length > 1 ? size.each : size.alone;
  const step = size.head + tall;
  const height = drawn.panels.length * step + size.axis;
  const panels = drawn.panels.map((panel, place) =>
    panelSvg(panel, drawn, { top: place * step + size.head, tall, color }),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${height}" width="${size.width}" height="${height}">${panels.join("")}${datesSvg(drawn.starts, height)}</svg>`;
}

interface PanelBox {
  top: number;
  tall: number;
  color: string;
}

function panelSvg(panel: Panel, { partial }: Panels, { top, tall, color }: PanelBox): string {
  const { title, values, compared, kind } = panel;
  const ticks = ticksUpTo(Math.max(...[...values, ...compared].map((value) => value ?? 0)), tall > 100 ? 4 : 3);
  const highest = ticks.at(-1) ?? 1;
  const ground = top + tall;
  const y = (value: number) => ground - (Math.max(0, value) / highest) * tall;
  const lines = ticks.map((tick) => {
    const [at, stroke] = [round(y(tick)), tick === 0 ? ink.ground : ink.line];
    return `<line x1="${size.left}" y1="${at}" x2="${size.width - size.right}" y2="${at}" stroke="${stroke}"/>${label(size.left - 6, y(tick) + 3.5, "end", compact.format(tick))}`;
  });
  const key =
    compared.length > 0
      ? label(
          size.width - size.right,
          top - 9,
          "end",
          kind === "bar" ? "outlined: compared period" : "dashed: compared period",
        )
      : "";
  const name = label(0, top - 9, "start", title);
  const scale = { y, ground, color };
  const own = kind === "bar" ? barsSvg(values, partial, scale) : lineSvg(values, scale, 'stroke-width="2"');
  return `${lines.join("")}${own}${comparedSvg(panel, scale)}${name}${key}`;
}

interface Scale {
  y: (value: number) => number;
  ground: number;
  color: string;
}

const stepOf = (windows: number) => (size.width - size.left - size.right) / windows;
const middleOf = (window: number, windows: number) => size.left + (window + 0.5) * stepOf(windows);
const round = (coordinate: number) => Number(coordinate.toFixed(2));

function barSvg(value: number, window: number, windows: number, { y, ground }: Scale, look: string): string {
  const wide = Math.min(stepOf(windows) * 0.76, 44);
  const [x, top] = [middleOf(window, windows) - wide / 2, y(value)];
  return `<rect x="${round(x)}" y="${round(top)}" width="${round(wide)}" height="${round(ground - top)}" ${look}/>`;
}

/** A window that is not whole is fainter. */
function barsSvg(values: Panel["values"], partial: readonly boolean[], scale: Scale): string {
  return values
    .map((value, window) => {
      const look = `fill="${scale.color}"${partial[window] ? ' fill-opacity="0.45"' : ""}`;
      return value === null || value === 0 ? "" : barSvg(value, window, values.length, scale, look);
    })
    .join("");
}

/** From window to window, broken where nothing is known; a window alone is a dot. */
function lineSvg(values: Panel["values"], { y, color }: Scale, look: string): string {
  const runs: [number, number][][] = [[]];
  for (const [window, value] of values.entries())
    if (value === null) runs.push([]);
    else runs.at(-1)?.push([round(middleOf(window, values.length)), round(y(value))]);
  return runs
    .map((points) => {
      const [only, ...more] = points;
      if (!only) return "";
      if (more.length === 0) return `<circle cx="${only[0]}" cy="${only[1]}" r="2.5" fill="${color}"/>`;
      return `<polyline points="${points.map((point) => point.join(",")).join(" ")}" fill="none" stroke="${color}" ${look}/>`;
    })
    .join("");
}

/** Hollow where the present is filled, as on the dashboard. */
function comparedSvg({ kind, compared }: Panel, scale: Scale): string {
  if (compared.length === 0) return "";
  if (kind === "line") return lineSvg(compared, { ...scale, color: ink.soft }, 'stroke-dasharray="3 3"');
  const look = `fill="none" stroke="${ink.soft}" stroke-width="0.75"`;
  return compared
    .map((value, window) => (value === null || value === 0 ? "" : barSvg(value, window, compared.length, scale, look)))
    .join("");
}

const maxDates = 7;
const monthNames = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Below the last panel, of as many windows as have room. */
function datesSvg(starts: readonly string[], height: number): string {
  const every = Math.ceil(starts.length / maxDates);
  return starts
    .flatMap((start, window) => {
      if (window % every !== 0) return [];
      return label(middleOf(window, starts.length), height - 6, "middle", dateText(start, starts));
    })
    .join("");
}

/** Such as `Mar 2026` where all windows are months, `1 Mar`, or `1 Mar 09:00` where some begin within a day. */
function dateText(start: string, all: readonly string[]): string {
  const [year, month, day] = start.slice(0, 10).split("-");
  const name = monthNames[Number(month) - 1] ?? "";
  if (all.slice(1).every((one) => one.slice(8, 10) === "01")) return `${name} ${year}`;
  const isWithinDays = all.some((one) => one.slice(11, 16) !== "00:00");
  return `${Number(day)} ${name}${isWithinDays ? ` ${start.slice(11, 16)}` : ""}`;
}

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });

/** From 0 by round steps to the first that is not below `most`. */
function ticksUpTo(most: number, steps: number): number[] {
  const rough = most / steps;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5].find((times) => times * unit >= rough) ?? 10) * unit;
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, place) =>
    Number((place * step).toPrecision(12)),
  );
}

function label(x: number, y: number, anchor: "start" | "middle" | "end", text: string): string {
  return `<text x="${round(x)}" y="${round(y)}" font-family="Noto Sans" font-size="10" fill="${ink.soft}" text-anchor="${anchor}">${escaped(text)}</text>`;
}

/** What XML cannot hold would cost the whole document. */
const escaped = (text: string) =>
  text
    .toWellFormed()
    .replace(/[^\t\n\x20-\uFFFD]/g, "\uFFFD")
    .replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
