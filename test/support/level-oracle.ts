/**
 * What a level must come to, computed the slow and obvious way from closed intervals: instant by instant, window by
 * window. Shares nothing with the server's slots, edges or SQL.
 */

export interface OracleInterval {
  organization: string;
  session: string;
  user: string;
  startMs: number;
  endMs: number;
}

export interface OracleWindow {
  startMs: number;
  integralMs: number;
  peak: number;
  peakAtMs: number | undefined;
  sessionsPeak: number;
  sessionsStarted: number;
  users: number;
}

export function oracleWindows(
  intervals: readonly OracleInterval[],
  windows: readonly { startMs: number; endMs: number }[],
): OracleWindow[] {
  return windows.map(({ startMs, endMs }) => {
    const present = intervals.filter((one) => one.startMs < endMs && one.endMs > startMs && one.endMs > one.startMs);
    // A half-open interval covers t when start <= t < end; the number changes only at starts and ends.
    const instants = [startMs, ...present.map((one) => Math.max(one.startMs, startMs))].sort((a, b) => a - b);
    let peak = 0;
    let peakAtMs: number | undefined;
    let sessionsPeak = 0;
    for (const t of instants) {
      const covering = present.filter((one) => one.startMs <= t && t < one.endMs);
      if (covering.length > peak) [peak, peakAtMs] = [covering.length, t];
      sessionsPeak = Math.max(sessionsPeak, new Set(covering.map((one) => `${one.organization} ${one.session}`)).size);
    }
    const firstStarts = new Map<string, number>();
    for (const one of intervals) {
      const key = `${one.organization} ${one.session}`;
      firstStarts.set(key, Math.min(firstStarts.get(key) ?? Number.POSITIVE_INFINITY, one.startMs));
    }
    return {
      startMs,
      integralMs: present.reduce((sum, one) => sum + Math.min(one.endMs, endMs) - Math.max(one.startMs, startMs), 0),
      peak,
      peakAtMs,
      sessionsPeak,
      sessionsStarted: [...firstStarts.values()].filter((t) => t >= startMs && t < endMs).length,
      users: new Set(present.map((one) => one.user)).size,
    };
  });
}
