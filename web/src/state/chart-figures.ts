import { StoredSwitch } from "./stored-switch.svelte.ts";

/** Whether legends are tables, with the last, average, highest and lowest figure of each series. */
export const chartFigures = new StoredSwitch("tidemark-chart-figures", false);
