/** The windows of a question, for tests that ask for them by place. */
import type { WindowKind } from "../../server/contract/usage.ts";
import { type Window, windowsOf } from "../../server/metrics/windows.ts";

export const windowsBetween = (fromMs: number, toMs: number, window: WindowKind, tz: string, anchor = 1): Window[] =>
  windowsOf({ fromMs, toMs, window, tz, anchor });
