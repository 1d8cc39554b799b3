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
  const units = [...new Set(content.series.map(({ unit }) => unit))];
  const family = style.fontFamily;
  chart.data.labels = [...content.labels];
  chart.data.datasets = content.series.flatMap((series) => [
    datasetOf(series, content, units, token),
    ...(series.compared.length > 0 ? [comparedDatasetOf(series, units, token)] : []),
  ]);
  /** Of each dataset, and whether it is what that series is compared with. */
  const drawn = content.series.flatMap((series) => [
    { series, isCompared: false },
    ...(series.compared.length > 0 ? [{ series, isCompared: true }] : []),
  ]);
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
          const one = drawn[datasetIndex];
          if (!one) return "";
          if (one.isCompared) return `before: ${one.series.comparedTexts[dataIndex] || "nothing"}`;
          return `${one.series.title}  ${one.series.texts[dataIndex] ?? ""}`;
        },
        labelColor: ({ datasetIndex }) => {
          const one = drawn[datasetIndex];
          const color = token(`--series-${one?.series.color ?? 1}`);
          return { borderColor: color, backgroundColor: one?.isCompared ? token("--raised") : color, borderRadius: 2 };
        },
      },
    },
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
