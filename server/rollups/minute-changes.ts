/** What a derivation changes in the edges of a session, by minute and level. Times are ms since 1970, UTC, unless they are minutes. */
import { minuteMs } from "../contract/durations.ts";
import type { Edge } from "./resolve-session.ts";

export interface NodePath {
  organization: string;
  partner: string;
  reseller: string;
}

/** Edges as parallel arrays, ordered by time, at most one per instant. */
export interface EdgeColumns {
  edge_ms: number[];
  edge_delta: number[];
  edge_starts: number[];
}

/** The edges that one session has in one minute of one level. */
export interface MinuteEdges extends EdgeColumns {
  /** Seconds since 1970, a multiple of 60. */
  minute: number;
  level: string;
}

/** What became of a session's edges in one minute: the figures above `pathBefore` lose `removed`, those above `pathAfter` gain `added`. */
export interface MinuteChange {
  minute: number;
  level: string;
  pathBefore: NodePath;
  removed: EdgeColumns | undefined;
  pathAfter: NodePath;
  /** May have negative values: what is taken away where the session stays. */
  added: EdgeColumns | undefined;
  /** All edges that it has there now. */
  edges: EdgeColumns;
}

export const withoutEdges: EdgeColumns = { edge_ms: [], edge_delta: [], edge_starts: [] };

/** What changed against the edges written before: all of it where the session, or its part, now stands elsewhere. */
export function changedMinutes(
  before: (NodePath & { edges: readonly Edge[] }) | undefined,
  path: NodePath,
  edges: readonly Edge[],
): MinuteChange[] {
  const minutesAfter = edgesByMinute(edges);
  const minutesBefore = edgesByMinute(before?.edges ?? []);
  const paths = { pathBefore: pathOf(before ?? path), pathAfter: pathOf(path) };
  const isElsewhere = hasMoved(paths);
  const changed: MinuteChange[] = [];
  for (const [key, after] of minutesAfter) {
    const { minute, level } = after;
    const earlier = minutesBefore.get(key);
    if (isElsewhere || !earlier || !isSame(earlier, after))
      changed.push({ minute, level, ...paths, removed: earlier, added: after, edges: after });
  }
  for (const [key, earlier] of minutesBefore) {
    const { minute, level } = earlier;
    // Where edges only go, it is above their former path that slots change.
    const { pathBefore } = paths;
    const gone = { minute, level, pathBefore, pathAfter: pathBefore, removed: earlier };
    if (!minutesAfter.has(key)) changed.push({ ...gone, added: undefined, edges: withoutEdges });
  }
  return changed;
}

/** By `minuteKey`. */
export function edgesByMinute(edges: readonly Edge[]): Map<string, MinuteEdges> {
  const minutes = new Map<string, MinuteEdges>();
  for (const { level, atMs, delta, starts } of edges) {
    const minute = Math.floor(atMs / minuteMs) * (minuteMs / 1000);
    const key = minuteKey(minute, level);
    const row = minutes.get(key) ?? { minute, level, edge_ms: [], edge_delta: [], edge_starts: [] };
    minutes.set(key, row);
    row.edge_ms.push(atMs);
    row.edge_delta.push(delta);
    row.edge_starts.push(starts);
  }
  return minutes;
}

export const minuteKey = (minute: number, level: string) => `${minute} ${level}`;

/** What now stands elsewhere changes the slots above its former path too. */
export function formerNodes(changes: readonly Pick<MinuteChange, "pathBefore" | "pathAfter">[]): {
  former_kinds: string[];
  former_nodes: string[];
} {
  const moved = changes.filter(hasMoved).map(({ pathBefore }) => pathBefore);
  const resellers = [...new Set(moved.map(({ reseller }) => reseller))].filter((id) => id !== "");
  const partners = [...new Set(moved.map(({ partner }) => partner))].filter((id) => id !== "");
  return {
    former_kinds: [...resellers.map(() => "reseller"), ...partners.map(() => "partner")],
    former_nodes: [...resellers, ...partners],
  };
}

export function pathOf({ organization, partner, reseller }: NodePath): NodePath {
  return { organization, partner, reseller };
}

const hasMoved = ({ pathBefore, pathAfter }: Pick<MinuteChange, "pathBefore" | "pathAfter">) =>
  pathBefore.partner !== pathAfter.partner || pathBefore.reseller !== pathAfter.reseller;

const isSame = (a: MinuteEdges, b: MinuteEdges) =>
  a.edge_ms.length === b.edge_ms.length &&
  a.edge_ms.every(
    (atMs, index) =>
      atMs === b.edge_ms[index] &&
      a.edge_delta[index] === b.edge_delta[index] &&
      a.edge_starts[index] === b.edge_starts[index],
  );
