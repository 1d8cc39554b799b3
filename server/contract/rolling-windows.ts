/** The windows of threshold rules that go with the watermark, and how many of them a preview evaluates. */
import { minuteMs } from "./durations.ts";

/** How long each is, ms. */
export const rollingMs = { "1m": minuteMs, "5m": 5 * minuteMs, "15m": 15 * minuteMs, "1h": 60 * minuteMs } as const;

/** How many windows of one node a preview evaluates: the hours of a hundred days. */
export const maxReadings = 2_400;
