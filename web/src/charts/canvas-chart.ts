/** The only import of Chart.js, loaded when the first chart is: of it, what charts of windows need. */
import {
  BarController,
  BarElement,
  CategoryScale,
  Chart,
  type ChartDataset,
  LinearScale,
  LineController,
  LineElement,
  PointElement,
} from "chart.js";

Chart.register(BarController, BarElement, CategoryScale, LinearScale, LineController, LineElement, PointElement);

export { Chart };

export type CanvasChart = Chart<"bar" | "line", (number | null)[], string>;
export type Dataset = ChartDataset<"bar" | "line", (number | null)[]>;
