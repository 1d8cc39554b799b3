/** What stands on a chart besides its series: windows that are not whole, limits, projections, marks, and the crosshair. */
import type { CanvasChart } from "./canvas-chart.ts";
import type { ChartContent, ChartMark, Pointed } from "./chart-content.ts";
import { readTokens } from "./tokens.ts";

export interface DrawnParts {
  content: ChartContent | undefined;
  pointed: Pointed;
}

/** By the cue of a look. */
export const seriesDashes: readonly (readonly number[])[] = [[], [7, 3], [2, 2], [8, 3, 2, 3], [12, 4]];
export const pointStyles = ["circle", "rect", "triangle", "rectRot", "crossRot"] as const;

/** The fill of a bar: its colour, with lines of the surface's in it by the cue. */
export function hatchingOf(color: string, cue: number, surface: string): string | CanvasPattern {
  if (cue === 0) return color;
  const tile = document.createElement("canvas");
  tile.width = 8;
  tile.height = 8;
  const context = tile.getContext("2d");
  if (!context) return color;
  context.fillStyle = color;
  context.fillRect(0, 0, 8, 8);
  context.globalAlpha = 0.4;
  strokeTile(context, cue, surface);
  return context.createPattern(tile, "repeat") ?? color;
}

/** Lines that go on in the next tile: upwards, downwards, across, down. */
function strokeTile(context: CanvasRenderingContext2D, cue: number, color: string): void {
  const lines = [
    [],
    [
      [0, 8, 8, 0],
      [-2, 2, 2, -2],
      [6, 10, 10, 6],
    ],
    [
      [0, 0, 8, 8],
      [-2, 6, 2, 10],
      [6, -2, 10, 2],
    ],
    [[0, 4, 8, 4]],
    [[4, 0, 4, 8]],
  ][cue];
  context.strokeStyle = color;
  context.lineWidth = 1.5;
  context.beginPath();
  for (const [x1 = 0, y1 = 0, x2 = 0, y2 = 0] of lines ?? []) {
    context.moveTo(x1, y1);
    context.lineTo(x2, y2);
  }
  context.stroke();
}

function windowPlaces({ chartArea }: CanvasChart, { windows }: ChartContent) {
  const width = (chartArea.right - chartArea.left) / Math.max(1, windows.length);
  return (window: number) => ({ left: chartArea.left + window * width, width });
}

/** Under the series: windows that are not whole are hatched, what is selected or pointed at is shaded. */
export function drawBehind(chart: CanvasChart, { content, pointed }: DrawnParts): void {
  if (!content) return;
  const { ctx, chartArea } = chart;
  const { token } = readTokens();
  const placeOf = windowPlaces(chart, content);
  const height = chartArea.bottom - chartArea.top;
  ctx.save();
  for (const [window, note] of content.notes.entries()) {
    if (note === "") continue;
    const { left, width } = placeOf(window);
    ctx.fillStyle = hatchedGround(ctx, token("--line-strong"));
    ctx.fillRect(left, chartArea.top, width, height);
  }
  if (pointed.window >= 0) {
    const first = pointed.from < 0 ? pointed.window : Math.min(pointed.from, pointed.window);
    const last = pointed.from < 0 ? pointed.window : Math.max(pointed.from, pointed.window);
    ctx.fillStyle = token(pointed.from < 0 ? "--ink" : "--accent");
    ctx.globalAlpha = pointed.from < 0 ? 0.06 : 0.16;
    ctx.fillRect(placeOf(first).left, chartArea.top, placeOf(first).width * (last - first + 1), height);
  }
  ctx.restore();
}

function hatchedGround(ctx: CanvasRenderingContext2D, color: string): CanvasPattern | string {
  const tile = document.createElement("canvas");
  tile.width = 8;
  tile.height = 8;
  const context = tile.getContext("2d");
  if (!context) return "transparent";
  context.globalAlpha = 0.5;
  strokeTile(context, 1, color);
  return ctx.createPattern(tile, "repeat") ?? "transparent";
}

/** Over the series: limits, the projection, marks, and the line of the crosshair. */
export function drawOver(chart: CanvasChart, { content, pointed }: DrawnParts): void {
  if (!content) return;
  chart.ctx.save();
  drawBand(chart, content);
  drawLimits(chart, content);
  drawMarks(chart, content);
  drawCrosshair(chart, content, pointed);
  chart.ctx.restore();
}

/** One axis each, in this order. */
export const unitsOf = ({ series, limits }: ChartContent) => [
  ...new Set([...series, ...limits].map(({ unit }) => unit)),
];

export const axisOf = (unit: string, units: readonly string[]) => `y${units.indexOf(unit)}`;

const scaleOf = (chart: CanvasChart, content: ChartContent, unit: string) =>
  chart.scales[axisOf(unit, unitsOf(content))];

function drawLimits(chart: CanvasChart, content: ChartContent): void {
  const { ctx, chartArea } = chart;
  const { token, family } = readTokens();
  for (const { value, unit, text } of content.limits) {
    const scale = scaleOf(chart, content, unit);
    if (!scale) continue;
    const isBeyond = value > scale.max;
    const y = isBeyond ? chartArea.top : scale.getPixelForValue(value);
    ctx.strokeStyle = token("--bad");
    ctx.lineWidth = 1.5;
    ctx.setLineDash([6, 4]);
    if (!isBeyond) {
      ctx.beginPath();
      ctx.moveTo(chartArea.left, y);
      ctx.lineTo(chartArea.right, y);
      ctx.stroke();
    }
    ctx.setLineDash([]);
    ctx.font = `600 11px ${family}`;
    ctx.textAlign = "right";
    const label = isBeyond ? `↑ ${text}` : text;
    const below = y - 16 < chartArea.top;
    const width = ctx.measureText(label).width;
    ctx.fillStyle = token("--surface");
    ctx.globalAlpha = 0.85;
    ctx.fillRect(chartArea.right - width - 8, below ? y + 3 : y - 17, width + 8, 15);
    ctx.globalAlpha = 1;
    ctx.fillStyle = token("--bad");
    ctx.fillText(label, chartArea.right - 4, below ? y + 14 : y - 6);
  }
}

/** From the last figure that is known, widening to the end. */
function drawBand(chart: CanvasChart, content: ChartContent): void {
  const { band, series, windows } = content;
  const scale = band && scaleOf(chart, content, band.unit);
  const own = series.find(({ unit }) => unit === band?.unit);
  if (!band || !scale || !own) return;
  const { ctx } = chart;
  const { token } = readTokens();
  const placeOf = windowPlaces(chart, content);
  const middle = (window: number) => placeOf(window).left + placeOf(window).width / 2;
  const known = own.values.findLastIndex((value) => value !== null);
  const places = windows.map((_, window) => window).filter((window) => (band.high[window] ?? null) !== null);
  const start = known < 0 ? [] : [[middle(known), scale.getPixelForValue(own.values[known] ?? 0)] as const];
  const edge = (of: readonly (number | null)[]) =>
    places.map((window) => [middle(window), scale.getPixelForValue(of[window] ?? 0)] as const);
  const outline = [...start, ...edge(band.high), ...edge(band.low).reverse()];
  ctx.beginPath();
  for (const [place, [x, y]] of outline.entries()) place === 0 ? ctx.moveTo(x, y) : ctx.lineTo(x, y);
  ctx.closePath();
  ctx.fillStyle = token(`--series-${own.look.color}`);
  ctx.globalAlpha = 0.2;
  ctx.fill();
  ctx.globalAlpha = 0.8;
  ctx.lineWidth = 1;
  ctx.setLineDash([4, 3]);
  ctx.strokeStyle = token(`--series-${own.look.color}`);
  ctx.stroke();
  ctx.setLineDash([]);
  ctx.globalAlpha = 1;
}

const markColors: Record<NonNullable<ChartMark["kind"]>, string> = {
  alert: "--bad",
  plan: "--accent",
  correction: "--warn",
  late: "--warn",
  note: "--ink-soft",
};

/** A line down and a head above the plot, told apart by shape as well as by colour. */
function drawMarks(chart: CanvasChart, content: ChartContent): void {
  const { ctx, chartArea } = chart;
  const { token } = readTokens();
  const placeOf = windowPlaces(chart, content);
  for (const [window, marks] of content.marks.entries()) {
    const kind = marks[0]?.kind ?? "alert";
    if (marks.length === 0) continue;
    const x = placeOf(window).left + placeOf(window).width / 2;
    const y = chartArea.top - 9;
    ctx.strokeStyle = token(markColors[kind]);
    ctx.fillStyle = token(markColors[kind]);
    ctx.lineWidth = 1;
    ctx.setLineDash([2, 3]);
    ctx.beginPath();
    ctx.moveTo(x, y + 6);
    ctx.lineTo(x, chartArea.bottom);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.beginPath();
    if (kind === "alert") {
      ctx.moveTo(x, y + 6);
      ctx.lineTo(x - 6, y - 5);
      ctx.lineTo(x + 6, y - 5);
    } else if (kind === "plan") {
      ctx.moveTo(x, y - 6);
      ctx.lineTo(x + 6, y);
      ctx.lineTo(x, y + 6);
      ctx.lineTo(x - 6, y);
    } else if (kind === "note") ctx.rect(x - 5, y - 5, 10, 10);
    else ctx.arc(x, y, 5, 0, 2 * Math.PI);
    ctx.closePath();
    if (kind === "late") ctx.stroke();
    else ctx.fill();
  }
}

function drawCrosshair(chart: CanvasChart, content: ChartContent, { window, isPinned }: Pointed): void {
  if (window < 0) return;
  const { ctx, chartArea } = chart;
  const { token } = readTokens();
  const { left, width } = windowPlaces(chart, content)(window);
  const x = left + width / 2;
  ctx.strokeStyle = token(isPinned ? "--accent" : "--ink-faint");
  ctx.lineWidth = isPinned ? 2 : 1;
  ctx.beginPath();
  ctx.moveTo(x, chartArea.top);
  ctx.lineTo(x, chartArea.bottom);
  ctx.stroke();
  for (const { values, kind, unit, look } of content.series) {
    const value = values[window] ?? null;
    const scale = scaleOf(chart, content, unit);
    if (kind === "bar" || value === null || !scale) continue;
    ctx.beginPath();
    ctx.arc(x, scale.getPixelForValue(value), 4.5, 0, 2 * Math.PI);
    ctx.fillStyle = token(`--series-${look.color}`);
    ctx.strokeStyle = token("--surface");
    ctx.lineWidth = 2;
    ctx.fill();
    ctx.stroke();
  }
}
