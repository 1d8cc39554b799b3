/**
 * The only import of Chart.js, loaded when the first chart is. Draws windows of time: bars for sums, lines for peaks,
 * a second axis where units differ. The canvas is hidden from screen readers; the figure around it says the same in words.
 */
import {
  BarController,
  BarElement,
  CategoryScale,
  Chart,
  type ChartDataset,
  Filler,
  LinearScale,
  LineController,
  LineElement,
  PointElement,
  Tooltip,
} from "chart.js";
import { formatCompact } from "../words/format.ts";

Chart.register(
  BarController,
  BarElement,
  CategoryScale,
  Filler,
  LinearScale,
  LineController,
  LineElement,
  PointElement,
  Tooltip,
);

interface ChartSeries {
  title: string;
  unit: string;
  /** 1 to 8, a colour token. */
  color: number;
  kind: "bar" | "line";
  values: readonly (number | null)[];
  /** What the tooltip says of each point: the exact figure with its unit. */
  texts: readonly string[];
  /** The same of the range that it is compared with, with the window's name; both empty without a comparison. */
  compared: readonly (number | null)[];
  comparedTexts: readonly string[];
}

export interface ChartContent {
  /** One a window, short, for the axis. */
  labels: readonly string[];
  /** One a window, in full, for the tooltip. */
  titles: readonly string[];
  /** Whether the window is still running: it is drawn faded. */
  running: readonly boolean[];
  series: readonly ChartSeries[];
  /** A line across: what the figures are measured against. */
  limit: { value: number; unit: string; text: string } | undefined;
  /** One a window: what happened in it that is marked; empty: nothing. */
  marks: readonly string[];
}

/** What one dataset says of a window, and in which colour. */
interface Told {
  color: string;
  isCompared: boolean;
  textOf: (window: number) => string;
}

export interface DrawnChart {
  /** Draws other content, or the same in the colours of the theme as it is now. */
  draw(content: ChartContent): void;
  destroy(): void;
}

export function drawUsageChart(canvas: HTMLCanvasElement): DrawnChart {
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const chart = new Chart<"bar" | "line", (number | null)[], string>(canvas, {
    type: "bar",
    data: { labels: [], datasets: [] },
    options: {
      responsive: true,
      maintainAspectRatio: false,
      animation: isStill ? false : { duration: 150 },
      interaction: { mode: "index", intersect: false },
      layout: { padding: { top: 8 } },
    },
  });
  return {
    draw(content) {
      applyContent(chart, content);
      chart.update();
    },
    destroy: () => chart.destroy(),
  };
}

function applyContent(chart: Chart<"bar" | "line", (number | null)[], string>, content: ChartContent): void {
  const style = getComputedStyle(document.documentElement);
  const token = (name: string) => style.getPropertyValue(name).trim();
  const { limit, marks } = content;
  const hasMarks = marks.some((mark) => mark !== "");
  const units = [...new Set([...content.series, ...(limit ? [limit] : [])].map(({ unit }) => unit))];
  const family = style.fontFamily;
  chart.data.labels = [...content.labels];
  chart.data.datasets = content.series.flatMap((series) => [
    datasetOf(series, content, units, token),
    ...(series.compared.length > 0 ? [comparedDatasetOf(series, units, token)] : []),
  ]);
  if (limit) chart.data.datasets.push(limitDatasetOf(limit, content, units, token));
  if (hasMarks) chart.data.datasets.push(marksDatasetOf(content, units, token));
  /** One a dataset. */
  const drawn: Told[] = [
    ...content.series.flatMap((series) => toldOf(series, token)),
    ...(limit ? [{ color: token("--bad"), isCompared: true, textOf: () => limit.text }] : []),
    ...(hasMarks
      ? [{ color: token("--bad"), isCompared: false, textOf: (window: number) => marks[window] ?? "" }]
      : []),
  ];
  const tick = { color: token("--ink-faint"), font: { family, size: 11 } };
  chart.options.scales = {
    x: {
      grid: { display: false },
      border: { color: token("--line-strong") },
      ticks: { ...tick, maxRotation: 0, autoSkipPadding: 18 },
    },
    ...Object.fromEntries(
      units.map((unit, place) => [
        axisOf(unit, units),
        {
          position: place === 0 ? "left" : "right",
          beginAtZero: true,
          // Without figures above zero the axis would run from 0 to 1 in tenths of a participant.
          suggestedMax: 4,
          grid: { display: place === 0, color: token("--line") },
          border: { display: false },
          title: { display: units.length > 1, text: unit, color: token("--ink-faint"), font: { family, size: 11 } },
          ticks: {
            ...tick,
            precision: unit === "count" ? 0 : undefined,
            maxTicksLimit: 6,
            callback: (value: string | number) => formatCompact(Number(value)),
          },
        },
      ]),
    ),
  };
  chart.options.plugins = {
    tooltip: {
      backgroundColor: token("--raised"),
      borderColor: token("--line-strong"),
      borderWidth: 1,
      titleColor: token("--ink"),
      bodyColor: token("--ink-soft"),
      titleFont: { family, size: 12, weight: 600 },
      bodyFont: { family, size: 12 },
      padding: 10,
      cornerRadius: 8,
      boxPadding: 4,
      boxWidth: 8,
      boxHeight: 8,
      callbacks: {
        title: ([first]) => {
          if (!first) return "";
          const title = content.titles[first.dataIndex] ?? "";
          return content.running[first.dataIndex] ? `${title} · so far` : title;
        },
        label: ({ datasetIndex, dataIndex }) => {
          return drawn[datasetIndex]?.textOf(dataIndex) ?? "";
        },
        labelColor: ({ datasetIndex }) => {
          const one = drawn[datasetIndex];
          const color = one?.color ?? token("--series-1");
          return { borderColor: color, backgroundColor: one?.isCompared ? token("--raised") : color, borderRadius: 2 };
        },
      },
    },
  };
}

function toldOf(series: ChartSeries, token: (name: string) => string): Told[] {
  const color = token(`--series-${series.color}`);
  const own = { color, isCompared: false, textOf: (at: number) => `${series.title}  ${series.texts[at] ?? ""}` };
  const before = {
    color,
    isCompared: true,
    textOf: (at: number) => `before: ${series.comparedTexts[at] || "nothing"}`,
  };
  return series.compared.length > 0 ? [own, before] : [own];
}

function limitDatasetOf(
  { value, unit, text }: NonNullable<ChartContent["limit"]>,
  { labels }: ChartContent,
  units: readonly string[],
  token: (name: string) => string,
): ChartDataset<"bar" | "line", (number | null)[]> {
  return {
    ...{ type: "line", label: text, data: labels.map(() => value), yAxisID: axisOf(unit, units) },
    ...{ borderColor: token("--bad"), backgroundColor: token("--bad"), borderWidth: 1.5, borderDash: [6, 4] },
    ...{ pointRadius: 0, pointHitRadius: 0, order: -2 },
  };
}

/** A pointer down onto the figure of each window in which something is marked. */
function marksDatasetOf(
  { marks, series: [first] }: ChartContent,
  units: readonly string[],
  token: (name: string) => string,
): ChartDataset<"bar" | "line", (number | null)[]> {
  return {
    ...{ type: "line", label: "Marked", yAxisID: axisOf(first?.unit ?? "", units), showLine: false },
    data: marks.map((mark, window) => (mark === "" ? null : (first?.values[window] ?? 0))),
    ...{ borderColor: token("--surface"), backgroundColor: token("--bad"), borderWidth: 1.5 },
    ...{ pointStyle: "triangle", pointRotation: 180, pointRadius: 7, pointHoverRadius: 9, order: -3, clip: false },
  };
}

function datasetOf(
  series: ChartSeries,
  { running }: ChartContent,
  units: readonly string[],
  token: (name: string) => string,
): ChartDataset<"bar" | "line", (number | null)[]> {
  const color = token(`--series-${series.color}`);
  const faded = `color-mix(in srgb, ${color} 38%, transparent)`;
  const shared = { label: series.title, data: [...series.values], yAxisID: axisOf(series.unit, units) };
  if (series.kind === "bar")
    return {
      ...shared,
      type: "bar",
      backgroundColor: series.values.map((_, place) => (running[place] ? faded : color)),
      hoverBackgroundColor: color,
      borderRadius: 3,
      borderSkipped: "bottom",
      maxBarThickness: 44,
      categoryPercentage: 0.82,
      barPercentage: 0.92,
      order: 1,
    };
  return {
    ...shared,
    type: "line",
    borderColor: color,
    backgroundColor: color,
    borderWidth: 2,
    pointRadius: ({ chart }) => (chart.width > series.values.length * 22 ? 2.5 : 0),
    pointHoverRadius: 4,
    pointHitRadius: 12,
    tension: 0,
    spanGaps: false,
    segment: { borderDash: ({ p1DataIndex }) => (running[p1DataIndex] ? [4, 4] : undefined) },
    order: 0,
  };
}

/** A thin dashed line over bars and lines alike: it says where things stood, and is never taken for the present. */
function comparedDatasetOf(
  series: ChartSeries,
  units: readonly string[],
  token: (name: string) => string,
): ChartDataset<"bar" | "line", (number | null)[]> {
  const color = `color-mix(in srgb, ${token(`--series-${series.color}`)} 45%, ${token("--ink")})`;
  return {
    type: "line",
    label: `${series.title}, before`,
    data: [...series.compared],
    yAxisID: axisOf(series.unit, units),
    borderColor: color,
    backgroundColor: color,
    borderWidth: 1.5,
    borderDash: [3, 3],
    pointRadius: 0,
    pointHoverRadius: 3,
    pointHitRadius: 0,
    tension: 0,
    spanGaps: false,
    order: -1,
  };
}

const axisOf = (unit: string, units: readonly string[]) => `y${units.indexOf(unit)}`;
