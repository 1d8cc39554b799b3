/**
 * From the changes of a level per window to its minutes, peak and value at the end of each window. A level is carried
 * from window to window, so windows without a change have minutes and a peak as well.
 */
import type { Window } from "./windows.ts";

/** What storage knows of a window with edges (clickhouse/queries/level_windows.sql). */
export interface LevelChanges {
  windowMs: number;
  /** The first minute or instant with an edge. */
  firstMs: number;
  net: number;
  lagMs: number;
  peak: number;
  peakAtMs: number;
  starts: number;
}

export interface LevelWindow {
  startMs: number;
  endMs: number;
  /** Time integral in ms. */
  integralMs: number;
  peak: number;
  /** The first instant of the peak; undefined when it is 0. */
  peakAtMs: number | undefined;
  /** The level when the window ends. */
  closing: number;
  starts: number;
}

/** `windows` follow each other without gaps; `opening` is the level just before the first one starts. */
export function carryLevel(
  opening: number,
  windows: readonly Pick<Window, "startMs" | "endMs">[],
  changes: readonly LevelChanges[],
): LevelWindow[] {
  const changesByStart = new Map(changes.map((change) => [change.windowMs, change]));
  let level = opening;
  return windows.map(({ startMs, endMs }) => {
    const change = changesByStart.get(startMs);
    const lengthMs = endMs - startMs;
    const net = change?.net ?? 0;
    // An interval that ends at the window's first instant is not in it, so its opening level is reached only without an edge there.
    const isFromEdges = change !== undefined && (change.peak > 0 || change.firstMs === startMs);
    const peak = level + (isFromEdges ? change.peak : 0);
    const window: LevelWindow = {
      startMs,
      endMs,
      integralMs: (level + net) * lengthMs - (change?.lagMs ?? 0),
      peak,
      peakAtMs: peak === 0 ? undefined : isFromEdges ? change.peakAtMs : startMs,
      closing: level + net,
      starts: change?.starts ?? 0,
    };
    level += net;
    return window;
  });
}
