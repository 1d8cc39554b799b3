/**
 * Draws windows of time: bars for sums, lines for peaks,
 * further axes where units differ. The canvas is hidden from screen readers and takes no events: the figure around it says
 * the same in words, and says what is pointed at.
 */
import { formatCompact } from "../words/format.ts";
import { type CanvasChart, Chart, type Dataset } from "./canvas-chart.ts";
import type { ChartContent, ChartSeries, Pointed } from "./chart-content.ts";
import {
  axisOf,
  type DrawnParts,
  drawBehind,
  drawOver,
  hatchingOf,
  pointStyles,
  seriesDashes,
  unitsOf,
} from "./chart-drawing.ts";

export interface DrawnChart {
  /** Draws other content, or the same in the colours of the theme as it is now. */
  draw(content: ChartContent, layout: PanelLayout): void;
  point(pointed: Pointed): void;
  /** The window at `x`, in CSS pixels from the canvas's left edge; the nearest where there is none. */
  windowAt(x: number): number;
  /** The key of the series whose figure of the window stands nearest to this point, in CSS pixels; undefined where none has one. */
  seriesAt(window: number, point: { x: number; y: number }): string | undefined;
  /** The left edge, middle and right edge of a window, in CSS pixels. */
  placeOf(window: number): { left: number; middle: number; right: number };
  destroy(): void;
}

export interface PanelLayout {
  /** Charts above each other share one axis of time, which stands below the last. */
  isLast: boolean;
  isAlone: boolean;
  /** The series that is looked at, by its key: the others step back. */
  emphasized?: string | undefined;
  /** Drawn at once: what is printed cannot wait. */
  isStill?: boolean;
}

/** Axes of one width keep the times of charts above each other in line. In CSS pixels. */
const sharedAxisWidth = 48;

export function drawUsageChart(canvas: HTMLCanvasElement): DrawnChart {
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const parts: DrawnParts = { content: undefined, pointed: { window: -1, isPinned: false, from: -1 } };
  const chart: CanvasChart = new Chart(canvas, {
    type: "bar",
    data: { labels: [], datasets: [] },
    plugins: [
      {
        id: "happenings",
        beforeDatasetsDraw: (drawn) => drawBehind(drawn as CanvasChart, parts),
        afterDatasetsDraw: (drawn) => drawOver(drawn as CanvasChart, parts),
      },
    ],
    options: {
      responsive: true,
      maintainAspectRatio: false,
      animation: isStill ? false : { duration: 150 },
      events: [],
    },
  });
  const widthOf = () => (chart.chartArea.right - chart.chartArea.left) / Math.max(1, chart.data.labels?.length ?? 0);
  return {
    draw(content, layout) {
      parts.content = content;
      applyContent(chart, content, layout);
      chart.update(layout.isStill ? "none" : undefined);
    },
    point(pointed) {
      parts.pointed = pointed;
      chart.draw();
    },
    windowAt(x) {
      const last = (chart.data.labels?.length ?? 0) - 1;
      return Math.max(0, Math.min(last, Math.floor((x - chart.chartArea.left) / widthOf())));
    },
    seriesAt: (window, point) => nearestSeries(chart, parts.content, window, point),
    placeOf(window) {
      const left = chart.chartArea.left + window * widthOf();
      return { left, middle: left + widthOf() / 2, right: left + widthOf() };
    },
    destroy: () => chart.destroy(),
  };
}

/** Bars are rectangles, and points of lines are met at any place of their window's width. */
function nearestSeries(
  chart: CanvasChart,
  content: ChartContent | undefined,
  window: number,
  { x, y }: { x: number; y: number },
): string | undefined {
  // As `applyContent` lays them out.
  const keys = (content?.series ?? []).flatMap(({ key, compared }) => (compared.length > 0 ? [key, key] : [key]));
  let nearest: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const [place, key] of keys.entries()) {
    const figure = chart.getDatasetMeta(place).data[window] as DrawnFigure | undefined;
    if (figure === undefined || (chart.data.datasets[place]?.data[window] ?? null) === null) continue;
    const { x: middle, y: top, base = top, width } = figure;
    const aside = width === undefined ? 0 : Math.max(0, Math.abs(x - middle) - width / 2);
    const away = Math.hypot(aside, Math.max(0, Math.min(base, top) - y, y - Math.max(base, top)));
    if (away >= least) continue;
    least = away;
    nearest = key;
  }
  return nearest;
}

/** In CSS pixels; a point of a line has neither base nor width. */
interface DrawnFigure {
  x: number;
  y: number;
  base?: number;
  width?: number;
}

function applyContent(chart: CanvasChart, content: ChartContent, { isLast, isAlone, emphasized }: PanelLayout): void {
  const style = getComputedStyle(document.documentElement);
  const token = (name: string) => style.getPropertyValue(name).trim();
  const units = unitsOf(content);
  const family = style.fontFamily;
  chart.data.labels = [...content.labels];
  chart.data.datasets = content.series.flatMap((series) => {
    const color = token(`--series-${series.look.color}`);
    const stepsBack = emphasized !== undefined && emphasized !== series.key;
    const worn = stepsBack ? `color-mix(in srgb, ${color} 22%, ${token("--surface")})` : color;
    const dataset = datasetOf(series, content, units, worn, token);
    return series.compared.length > 0 ? [dataset, comparedDatasetOf(series, units, worn, token)] : [dataset];
  });
  const tick = { color: token("--ink-faint"), font: { family, size: 11 } };
  const hasMarks = content.marks.some((marks) => marks.length > 0);
  chart.options.layout = { padding: { top: hasMarks ? 20 : 8 } };
  chart.options.scales = {
    x: {
      offset: true,
      stacked: content.isStacked,
      grid: { display: false },
      border: { color: token("--line-strong") },
      ticks: { ...tick, display: isLast, maxRotation: 0, autoSkipPadding: 18, align: isAlone ? "center" : "inner" },
    },
    ...Object.fromEntries(
      units.map((unit, place) => [
        axisOf(unit, units),
        {
          position: place === 0 ? "left" : "right",
          stacked: content.isStacked,
          beginAtZero: true,
          suggestedMax: highestOf(content, unit),
          ...(!isAlone && {
            afterFit: (scale: { width: number }) => {
              scale.width = sharedAxisWidth;
            },
          }),
          grid: { display: place === 0, color: token("--line") },
          border: { display: false },
          title: {
            display: units.length > 1 && unit !== "count",
            text: unit,
            color: token("--ink-faint"),
            font: { family, size: 11 },
          },
          ticks: {
            ...tick,
            precision: unit === "count" ? 0 : undefined,
            maxTicksLimit: isAlone ? 6 : 3,
            callback: (value: string | number) => formatCompact(Number(value)),
          },
        },
      ]),
    ),
  };
}

/** Without figures above zero an axis would run from 0 to 1 in tenths of a participant. */
const leastAxis = 4;
/** A limit further above all figures would press them flat; it is shown at the upper edge instead. */
const reachableTimes = 3;

/** Up to where the axis of `unit` has to reach. */
function highestOf({ series, limits, band }: ChartContent, unit: string): number {
  const figures = series
    .filter((one) => one.unit === unit)
    .flatMap(({ values, compared }) => [...values, ...compared.map((point) => Number(point?.value ?? 0))]);
  const ahead = band?.unit === unit ? band.high : [];
  const highest = Math.max(0, ...[...figures, ...ahead].map((value) => value ?? 0));
  const reached = limits.filter((limit) => limit.unit === unit && limit.value <= highest * reachableTimes);
  return Math.max(leastAxis, ...ahead.map((value) => value ?? 0), ...reached.map(({ value }) => value * 1.05));
}

function datasetOf(
  series: ChartSeries,
  { notes, isStacked }: ChartContent,
  units: readonly string[],
  color: string,
  token: (name: string) => string,
): Dataset {
  const faded = `color-mix(in srgb, ${color} 45%, transparent)`;
  const shared = { label: series.title, data: [...series.values], yAxisID: axisOf(series.unit, units) };
  if (series.kind === "bar") {
    const whole = hatchingOf(color, series.look.cue, token("--surface"));
    return {
      ...shared,
      type: "bar",
      backgroundColor: series.values.map((_, place) => (notes[place] ? faded : whole)),
      ...(isStacked && { borderColor: token("--surface"), borderWidth: { top: 1 }, stack: "parts" }),
      borderRadius: isStacked ? 0 : 3,
      borderSkipped: "bottom",
      maxBarThickness: 44,
      categoryPercentage: 0.82,
      barPercentage: 0.92,
      order: 1,
    };
  }
  return {
    ...shared,
    type: "line",
    borderColor: color,
    backgroundColor: color,
    borderWidth: 2,
    borderDash: [...(seriesDashes[series.look.cue] ?? [])],
    pointStyle: pointStyles[series.look.cue],
    // A window between two without data would have no line that leads to it.
    pointRadius: ({ chart, dataIndex: at }) =>
      chart.width > series.values.length * 22 || isLonely(series.values, at) ? 3 : 0,
    tension: 0,
    spanGaps: false,
    order: 0,
  };
}

const isLonely = (values: readonly (number | null)[], at: number) =>
  (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null;

/** Hollow where the present is filled: the outline of a bar, or a thin line from one hollow point to the next. */
function comparedDatasetOf(
  series: ChartSeries,
  units: readonly string[],
  ownColor: string,
  token: (name: string) => string,
): Dataset {
  const color = `color-mix(in srgb, ${ownColor} 70%, ${token("--ink")})`;
  const shared = {
    label: series.title,
    data: series.compared.map((point) => (point === null || point.value === null ? null : Number(point.value))),
    yAxisID: axisOf(series.unit, units),
    borderColor: color,
  };
  if (series.kind === "bar")
    return {
      ...shared,
      type: "bar",
      backgroundColor: "transparent",
      borderWidth: 1.25,
      borderRadius: 3,
      borderSkipped: "bottom",
      maxBarThickness: 44,
      categoryPercentage: 0.82,
      barPercentage: 0.92,
      order: 2,
    };
  return {
    ...shared,
    type: "line",
    backgroundColor: token("--surface"),
    borderWidth: 1.25,
    borderDash: [3, 3],
    pointStyle: "circle",
    pointBackgroundColor: token("--surface"),
    pointBorderColor: color,
    pointBorderWidth: 1.25,
    pointRadius: ({ chart }) => (chart.width > series.values.length * 12 ? 3 : 0),
    tension: 0,
    spanGaps: false,
    order: -1,
  };
}
