/**
 * Draws windows of time: bars for sums, lines for peaks,
 * further axes where units differ. The canvas is hidden from screen readers and takes no events: the figure around it says
 * the same in words, and says what is pointed at.
 */
import type { Figure } from "@contract/usage.ts";
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
import { drawnWindows, placeOfWindow, windowsPerColumn } from "./drawn-windows.ts";
import { readTokens, type Tokens } from "./tokens.ts";

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
}

/** Axes of one width keep the times of charts above each other in line. In CSS pixels. */
const sharedAxisWidth = 48;

export function drawUsageChart(canvas: HTMLCanvasElement): DrawnChart {
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
      // Twelve charts of figures that come four times a second would never come to rest, and take twice as long to draw.
      animation: false,
      events: [],
    },
  });
  const windowCount = () => parts.content?.windows.length ?? 0;
  const widthOf = () => (chart.chartArea.right - chart.chartArea.left) / Math.max(1, windowCount());
  return {
    draw(content, layout) {
      parts.content = content;
      applyContent(chart, content, layout);
      chart.update();
    },
    point(pointed) {
      parts.pointed = pointed;
      chart.draw();
    },
    windowAt(x) {
      return Math.max(0, Math.min(windowCount() - 1, Math.floor((x - chart.chartArea.left) / widthOf())));
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
  if (!content) return undefined;
  // As `applyContent` lays them out.
  const keys = content.series.flatMap(({ key, compared }) => (compared.length > 0 ? [key, key] : [key]));
  const drawnAt = placeOfWindow(window, windowsPerColumn(content.windows.length));
  let nearest: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const [place, key] of keys.entries()) {
    const figure = chart.getDatasetMeta(place).data[drawnAt] as DrawnFigure | undefined;
    if (figure === undefined || (chart.data.datasets[place]?.data[drawnAt] ?? null) === null) continue;
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
  const { token, family } = readTokens();
  const units = unitsOf(content);
  const plottedOf = plotting(content);
  const labelled = content.series[0]?.values ?? content.windows.map(() => null);
  const labelledWindows = plottedOf(labelled, "bar").windows;
  const days = daysOf(content, labelledWindows);
  chart.data.labels = labelledWindows.map((window, place) => days.get(place) ?? content.labelOf(window));
  chart.data.datasets = content.series.flatMap((series) => {
    const color = token(`--series-${series.look.color}`);
    const stepsBack = emphasized !== undefined && emphasized !== series.key;
    const worn = stepsBack ? `color-mix(in srgb, ${color} 22%, ${token("--surface")})` : color;
    const paint = { color: worn, yAxisID: axisOf(series.unit, units), token };
    const dataset = datasetOf(series, plottedOf(series.values, series.kind), content, paint);
    if (series.compared.length === 0) return [dataset];
    const compared = series.compared.map((point) => numberOf(point?.value ?? null));
    return [dataset, comparedDatasetOf(series, plottedOf(compared, series.kind), paint)];
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
      ...(days.size >= leastDays && {
        afterBuildTicks: (scale: { ticks: { value: number }[] }) => {
          scale.ticks = [...days.keys()].map((value) => ({ value }));
        },
      }),
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

/** From as many days on, an axis of hours or minutes says where each begins: times of different days would look alike. */
const leastDays = 3;

/** What the days are called that begin in these windows, by their places; of windows that are no parts of days none. */
function daysOf({ dayOf, labelOf }: ChartContent, windows: readonly number[]): ReadonlyMap<number, string> {
  const days = new Map<number, string>();
  const [first] = windows;
  if (!dayOf || first === undefined) return days;
  // The first window says the day that it is of where it begins it.
  let before = labelOf(first) === dayOf(first) ? "" : dayOf(first);
  for (const [place, window] of windows.entries()) {
    const day = dayOf(window);
    if (day !== before) days.set(place, day);
    before = day;
  }
  return days;
}

/** Without figures above zero an axis would run from 0 to 1 in tenths of a participant. */
const leastAxis = 4;
/** A limit further above all figures would press them flat; it is shown at the upper edge instead. */
const reachableTimes = 3;

/** Up to where the axis of `unit` has to reach. */
function highestOf({ series, limits, band }: ChartContent, unit: string): number {
  const ahead = band?.unit === unit ? band.high : [];
  const figures = series
    .filter((one) => one.unit === unit)
    .flatMap(({ values, compared }) => [...values, ...compared.map((point) => numberOf(point?.value ?? null))]);
  const highest = Math.max(highestIn(figures), highestIn(ahead));
  const reached = limits.filter((limit) => limit.unit === unit && limit.value <= highest * reachableTimes);
  return Math.max(leastAxis, highestIn(ahead), highestIn(reached.map(({ value }) => value * 1.05)));
}

const numberOf = (figure: Figure) => (figure === null ? null : Number(figure));

/** Not below zero. A month has more minutes than a call may have arguments. */
const highestIn = (figures: readonly (number | null)[]) =>
  figures.reduce<number>((highest, figure) => Math.max(highest, figure ?? 0), 0);

/** The figures that are drawn of a series, and of which windows they are. */
interface Plotted {
  windows: readonly number[];
  data: (number | null)[];
}

/** Parts that stand on each other are drawn of one window each, so that what they reach together is right. */
function plotting({ series, windows, isStacked }: ChartContent) {
  const perColumn = windowsPerColumn(windows.length);
  const sums = () => windows.map((_, window) => series.reduce((sum, { values }) => sum + (values[window] ?? 0), 0));
  const shared = isStacked ? drawnWindows(sums(), perColumn, "highest") : undefined;
  return (values: readonly (number | null)[], kind: ChartSeries["kind"]): Plotted => {
    const drawn = shared ?? drawnWindows(values, perColumn, kind === "bar" ? "highest" : "extremes");
    return { windows: drawn, data: drawn.map((window) => values[window] ?? null) };
  };
}

interface Paint extends Pick<Tokens, "token"> {
  color: string;
  yAxisID: string;
}

function datasetOf(
  { title, kind, look }: ChartSeries,
  { windows, data }: Plotted,
  { notes, isStacked }: ChartContent,
  { color, yAxisID, token }: Paint,
): Dataset {
  const faded = `color-mix(in srgb, ${color} 45%, transparent)`;
  const shared = { label: title, data, yAxisID };
  if (kind === "bar") {
    const whole = hatchingOf(color, look.cue, token("--surface"));
    // Without room between them or for corners: what is left of a pixel would be pale.
    const isDense = data.length > mostWithPoints;
    return {
      ...shared,
      type: "bar",
      // Options of their own make bars ten times as dear to lay out.
      backgroundColor: windows.some((window) => notes[window])
        ? windows.map((window) => (notes[window] ? faded : whole))
        : whole,
      ...(isStacked && { borderColor: token("--surface"), borderWidth: { top: 1 }, stack: "parts" }),
      borderRadius: isStacked || isDense ? 0 : 3,
      borderSkipped: "bottom",
      maxBarThickness: 44,
      categoryPercentage: isDense ? 1 : 0.82,
      barPercentage: isDense ? 1 : 0.92,
      order: 1,
    };
  }
  return {
    ...shared,
    type: "line",
    borderColor: color,
    backgroundColor: color,
    borderWidth: 2,
    borderDash: [...(seriesDashes[look.cue] ?? [])],
    pointStyle: pointStyles[look.cue],
    pointRadius: pointRadiusOf(data),
    tension: 0,
    spanGaps: false,
    order: 0,
  };
}

/** Wide enough for points, in CSS pixels a window. */
const pointsFrom = 22;
/** No screen is as wide as points of more windows. */
const mostWithPoints = 400;

/** Asked of each point, but where none has any: that takes a second for thousands. */
function pointRadiusOf(
  data: readonly (number | null)[],
): NonNullable<Extract<Dataset, { type?: "line" }>["pointRadius"]> {
  // A window between two without data would have no line that leads to it.
  const isLonely = (at: number) =>
    (data[at] ?? null) !== null && (data[at - 1] ?? null) === null && (data[at + 1] ?? null) === null;
  if (data.length > mostWithPoints && !data.some((_, at) => isLonely(at))) return 0;
  return ({ chart, dataIndex: at }: { chart: { width: number }; dataIndex: number }) =>
    chart.width > data.length * pointsFrom || isLonely(at) ? 3 : 0;
}

/** Hollow where the present is filled: the outline of a bar, or a thin line from one hollow point to the next. */
function comparedDatasetOf(
  { title, kind }: ChartSeries,
  { data }: Plotted,
  { color: ownColor, yAxisID, token }: Paint,
): Dataset {
  const color = `color-mix(in srgb, ${ownColor} 70%, ${token("--ink")})`;
  const shared = { label: title, data, yAxisID, borderColor: color };
  if (kind === "bar")
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
    pointRadius: data.length > mostWithPoints ? 0 : ({ chart }) => (chart.width > data.length * 12 ? 3 : 0),
    tension: 0,
    spanGaps: false,
    order: -1,
  };
}
