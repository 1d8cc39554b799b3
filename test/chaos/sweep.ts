/** What a level comes to, by walking all edges in order of time. Shares nothing with the server. */

export interface Span {
  startMs: number;
  /** Exclusive. */
  endMs: number;
}

export interface SweptWindow {
  startMs: number;
  integralMs: number;
  peak: number;
}

/** Peak and integral of closed spans in consecutive windows of `windowMs` from `fromMs` to `toMs`. */
export function sweep(spans: readonly Span[], fromMs: number, toMs: number, windowMs: number): SweptWindow[] {
  const edges = spans
    .filter(({ startMs, endMs }) => endMs > startMs)
    .flatMap(({ startMs, endMs }) => [
      { atMs: startMs, delta: 1 },
      { atMs: endMs, delta: -1 },
    ])
    // An end at an instant frees before a start at it.
    .sort((a, b) => a.atMs - b.atMs || a.delta - b.delta);
  const windows: SweptWindow[] = [];
  let level = 0;
  let next = 0;
  const passEdgesBefore = (untilMs: number, pass: (atMs: number) => void) => {
    for (let edge = edges[next]; edge && edge.atMs < untilMs; edge = edges[++next]) {
      level += edge.delta;
      pass(edge.atMs);
    }
  };
  passEdgesBefore(fromMs, () => undefined);
  for (let startMs = fromMs; startMs < toMs; startMs += windowMs) {
    const endMs = startMs + windowMs;
    // What ends at the window's first instant is not in it.
    for (let edge = edges[next]; edge && edge.atMs === startMs && edge.delta < 0; edge = edges[++next]) level--;
    let peak = level;
    let sinceMs = startMs;
    let height = level;
    let integralMs = 0;
    passEdgesBefore(endMs, (atMs) => {
      integralMs += height * (atMs - sinceMs);
      [sinceMs, height] = [atMs, level];
      peak = Math.max(peak, level);
    });
    integralMs += height * (endMs - sinceMs);
    windows.push({ startMs, integralMs, peak });
  }
  return windows;
}
