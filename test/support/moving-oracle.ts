/**
 * Facts of organizations that move, cut at each move, so that the plain oracle measures them: what of an interval lies in a placement belongs
 * to the parents of that placement. Shares nothing with the server's parts, edges or SQL.
 */
import type { OracleEvent, OracleFacts, OracleSpan } from "./usage-oracle.ts";

export interface OraclePlacement {
  sinceMs: number;
  partner: string;
  reseller: string;
}

const opposite: Readonly<Record<string, string>> = {
  "recording.stored": "recording.deleted",
  "recording.deleted": "recording.stored",
  "sip.installed": "sip.removed",
  "sip.removed": "sip.installed",
};

/**
 * `placementsOf`: in order of time, the first since 1970. For a level by value what was gathered goes along with the organization: it is
 * taken away at the end of a placement and brought in where the next begins.
 */
export function cutAtMoves(
  { spans, events }: OracleFacts,
  placementsOf: (organization: string) => readonly OraclePlacement[],
  isLevelByValue: boolean,
): OracleFacts {
  const ends = (placements: readonly OraclePlacement[]) =>
    placements.map((placement, index) => ({
      ...placement,
      untilMs: placements[index + 1]?.sinceMs ?? Number.POSITIVE_INFINITY,
    }));
  const began = new Map<string, number>();
  for (const one of spans)
    if (one.level === "participants") {
      const key = JSON.stringify([one.organization, one.session]);
      began.set(key, Math.min(began.get(key) ?? Number.POSITIVE_INFINITY, one.startMs));
    }
  const cutSpan = (one: OracleSpan): OracleSpan[] =>
    ends(placementsOf(one.organization)).flatMap(({ sinceMs, untilMs, partner, reseller }) => {
      const startMs = Math.max(one.startMs, sinceMs);
      const endMs = Math.min(one.endMs, untilMs);
      const isWithin =
        startMs < endMs || (one.startMs === one.endMs && one.startMs >= sinceMs && one.startMs < untilMs);
      const beganMs = began.get(JSON.stringify([one.organization, one.session])) ?? one.startMs;
      const sessionBeganMs = beganMs >= sinceMs && beganMs < untilMs ? beganMs : Number.POSITIVE_INFINITY;
      return isWithin ? [{ ...one, startMs, endMs, partner, reseller, sessionBeganMs }] : [];
    });
  const placeEvent = (one: OracleEvent): OracleEvent[] =>
    ends(placementsOf(one.organization)).flatMap(({ sinceMs, untilMs, partner, reseller }) => {
      const placed = { ...one, partner, reseller };
      if (!isLevelByValue) return one.timeMs >= sinceMs && one.timeMs < untilMs ? [placed] : [];
      if (one.timeMs >= untilMs) return [];
      const gone = { ...placed, timeMs: untilMs, type: opposite[one.type] ?? "" };
      return [
        { ...placed, timeMs: Math.max(one.timeMs, sinceMs) },
        ...(untilMs < Number.POSITIVE_INFINITY ? [gone] : []),
      ];
    });
  return { spans: spans.flatMap(cutSpan), events: events.flatMap(placeEvent) };
}
