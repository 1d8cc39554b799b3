/**
 * The edges of one session by minute, changed in place: what one more start or end costs depends on the minutes that it changes
 * and not on how many intervals the session has. They are the edges that `edgeSteps` computes from all of its intervals.
 */

import { compareText } from "../contract/compare-text.ts";
import { minuteMs } from "../contract/durations.ts";
import { firstAt } from "./first-at.ts";
import type { EdgeColumns } from "./minute-changes.ts";
import type { Span } from "./resolve-session.ts";
import { type EdgeLists, emptyEdges, joinLists, renderLists } from "./session-rows.ts";

/** A minute of a level in which edges changed. */
export interface ChangedMinute {
  level: string;
  /** Seconds since 1970, a multiple of 60. */
  minute: number;
  /** All edges that it has now. */
  edges: EdgeColumns;
  /** What is more than before; negative where it is less. */
  difference: EdgeColumns;
}

interface HeldMinute extends EdgeColumns {
  minute: number;
  net: number;
  /** The lowest running sum since the minute's opening, which counts as 0. */
  lowest: number;
  /** The highest of them, and the first edge that reaches it. */
  highest: number;
  highestIndex: number;
  /** How its edges are written, where that is remembered. */
  lists: EdgeLists | undefined;
  /** The level at which the minute opens. */
  opening: number;
  isFirst: boolean;
}

/** A net change of a level, and how many start there. */
interface Step {
  level: string;
  atMs: number;
  delta: number;
  starts: number;
}

const participants = "participants";
const sessions = "sessions";
const noEdges = (): EdgeColumns => ({ edge_ms: [], edge_delta: [], edge_starts: [] });

export class RunningEdges {
  readonly #levels = new Map<string, HeldMinute[]>();
  #pending: Step[] = [];

  /** `sign` 1 adds the interval, -1 takes away one that was added. */
  addSpan({ level, startMs, endMs }: Pick<Span, "level" | "startMs" | "endMs">, sign: 1 | -1): void {
    this.#pending.push({ level, atMs: startMs, delta: endMs === startMs ? 0 : sign, starts: sign });
    if (endMs !== undefined && endMs !== startMs) this.#pending.push({ level, atMs: endMs, delta: -sign, starts: 0 });
  }

  /** What changed since it was last called. */
  takeChanges(): ChangedMinute[] {
    const changes: ChangedMinute[] = [];
    const steps = this.#pending.sort((a, b) => compareText(a.level, b.level) || a.atMs - b.atMs);
    this.#pending = [];
    for (let from = 0; from < steps.length; ) {
      const { level } = steps[from] as Step;
      const list = getOrAdd(this.#levels, level, (): HeldMinute[] => []);
      const changed = new Set<number>();
      for (let to = from; steps[from]?.level === level; from = to) {
        const minute = Math.floor((steps[from] as Step).atMs / minuteMs) * (minuteMs / 1000);
        const endsMs = minute * 1000 + minuteMs;
        while (to < steps.length && (steps[to] as Step).level === level && (steps[to] as Step).atMs < endsMs) to++;
        const difference = columnsOf(steps, from, to);
        if (difference.edge_ms.length === 0) continue;
        const edges = applyTo(list, minute, difference);
        changed.add(minute);
        changes.push({ level, minute, edges, difference });
      }
      if (level === participants && changed.size > 0) this.#changeSessions(list, changed, changes);
    }
    return changes;
  }

  /**
   * All of them, as columns of a row of sessions: ordered by level, then time; those of `sessions` behind those of the participants.
   * `isKept`: whether how minutes are written is remembered until they change.
   */
  lists(isKept: boolean): EdgeLists {
    const ordered = this.#inOrder();
    if (!isKept) return renderMinutes(ordered);
    const lists: EdgeLists[] = [];
    for (const [level, minutes] of ordered)
      for (const held of minutes) {
        held.lists ??= renderMinutes([[level, [held]]]);
        lists.push(held.lists);
      }
    return joinLists(emptyEdges, lists);
  }

  #inOrder(): [level: string, minutes: HeldMinute[]][] {
    const ordered: [string, HeldMinute[]][] = [];
    for (const level of [...this.#levels.keys()].sort()) {
      if (level === sessions) continue;
      ordered.push([level, this.#levels.get(level) ?? []]);
      if (level === participants) ordered.push([sessions, this.#levels.get(sessions) ?? []]);
    }
    return ordered;
  }

  /** The participants' highest level, as `peakOf` has it. */
  peak(): { value: number; atMs: number } {
    const peak = { value: 0, atMs: 0 };
    for (const { opening, highest, highestIndex, edge_ms } of this.#levels.get(participants) ?? [])
      if (opening + highest > peak.value)
        Object.assign(peak, { value: opening + highest, atMs: edge_ms[highestIndex] as number });
    return peak;
  }

  /**
   * A session turns active and idle where its participants' level leaves and reaches 0. A minute that opened and opens so high that
   * the level reaches 0 nowhere in it has no such edge, so later minutes are only looked at where that is not sure.
   */
  #changeSessions(presence: HeldMinute[], changed: ReadonlySet<number>, changes: ChangedMinute[]): void {
    const active = getOrAdd(this.#levels, sessions, (): HeldMinute[] => []);
    let [firstChanged, lastChanged] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const minute of changed) {
      firstChanged = Math.min(firstChanged, minute);
      lastChanged = Math.max(lastChanged, minute);
    }
    const recompute = (minute: number, after: EdgeColumns) => {
      const { index, isFound } = placeIn(active, minute);
      const before = isFound ? (active[index] as HeldMinute) : noEdges();
      const difference = differenceOf(before, after);
      if (difference.edge_ms.length === 0) return;
      changes.push({ level: sessions, minute, edges: applyTo(active, minute, difference), difference });
    };
    for (const minute of changed) if (!placeIn(presence, minute).isFound) recompute(minute, noEdges());
    let index = placeIn(presence, firstChanged).index;
    const before = presence[index - 1];
    let opening = before ? before.opening + before.net : 0;
    for (; index < presence.length; index++) {
      const held = presence[index] as HeldMinute;
      const isFirst = index === 0;
      const mayReachZero = Math.min(opening, held.opening) + held.lowest <= 0;
      if (held.minute > lastChanged && opening === held.opening && isFirst === held.isFirst) return;
      if (changed.has(held.minute) || isFirst !== held.isFirst || mayReachZero) {
        recompute(held.minute, activeEdges(held, opening, isFirst));
      }
      Object.assign(held, { opening, isFirst });
      opening += held.net;
    }
  }
}

/** A session starts once, with its first participant. */
function activeEdges({ edge_ms, edge_delta }: EdgeColumns, opening: number, isFirst: boolean): EdgeColumns {
  const edges = noEdges();
  let present = opening;
  for (let index = 0; index < edge_ms.length; index++) {
    const before = present;
    present += edge_delta[index] as number;
    const change = Number(present > 0) - Number(before > 0);
    const starts = isFirst && index === 0 ? 1 : 0;
    if (change !== 0 || starts !== 0) push(edges, edge_ms[index] as number, change, starts);
  }
  return edges;
}

/** Where a minute is in the list, or belongs. */
function placeIn(list: readonly HeldMinute[], minute: number): { index: number; isFound: boolean } {
  const index = firstAt(list, (held) => held.minute >= minute);
  return { index, isFound: list[index]?.minute === minute };
}

/** Answers the edges of the minute afterwards; one that has none left is taken out of the list. */
function applyTo(list: HeldMinute[], minute: number, difference: EdgeColumns): EdgeColumns {
  const { index, isFound } = placeIn(list, minute);
  const edges = isFound ? merged(list[index] as HeldMinute, difference) : difference;
  if (edges.edge_ms.length === 0) {
    if (isFound) list.splice(index, 1);
    return edges;
  }
  const sums = sumsOf(edges);
  if (isFound) Object.assign(list[index] as HeldMinute, edges, sums, { lists: undefined });
  else {
    // Not known to any later minute yet: what it opens with is found with the others.
    const before = list[index - 1];
    const opening = before ? before.opening + before.net : 0;
    list.splice(index, 0, { minute, ...edges, ...sums, lists: undefined, opening, isFirst: false });
  }
  return edges;
}

/** Takes at least one edge. */
function sumsOf({ edge_delta }: EdgeColumns) {
  let net = edge_delta[0] as number;
  let lowest = Math.min(0, net);
  let [highest, highestIndex] = [net, 0];
  for (let index = 1; index < edge_delta.length; index++) {
    net += edge_delta[index] as number;
    lowest = Math.min(lowest, net);
    if (net > highest) [highest, highestIndex] = [net, index];
  }
  return { net, lowest, highest, highestIndex };
}

function renderMinutes(levels: readonly (readonly [string, readonly EdgeColumns[]])[]): EdgeLists {
  const columns = { edge_level: [] as string[], ...noEdges() };
  for (const [level, minutes] of levels)
    for (const { edge_ms, edge_delta, edge_starts } of minutes)
      edge_ms.forEach((atMs, index) => {
        columns.edge_level.push(level);
        push(columns, atMs, edge_delta[index] as number, edge_starts[index] as number);
      });
  return renderLists(columns);
}

function getOrAdd<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

function merged(a: EdgeColumns, b: EdgeColumns): EdgeColumns {
  const edges = noEdges();
  let [left, right] = [0, 0];
  while (left < a.edge_ms.length || right < b.edge_ms.length) {
    const leftMs = a.edge_ms[left] ?? Number.POSITIVE_INFINITY;
    const rightMs = b.edge_ms[right] ?? Number.POSITIVE_INFINITY;
    let [delta, starts] = [0, 0];
    if (leftMs <= rightMs) {
      delta += a.edge_delta[left] as number;
      starts += a.edge_starts[left++] as number;
    }
    if (rightMs <= leftMs) {
      delta += b.edge_delta[right] as number;
      starts += b.edge_starts[right++] as number;
    }
    if (delta !== 0 || starts !== 0) push(edges, Math.min(leftMs, rightMs), delta, starts);
  }
  return edges;
}

function differenceOf(before: EdgeColumns, after: EdgeColumns): EdgeColumns {
  const negative = (values: readonly number[]) => values.map((value) => -value);
  const { edge_ms, edge_delta, edge_starts } = before;
  return merged({ edge_ms, edge_delta: negative(edge_delta), edge_starts: negative(edge_starts) }, after);
}

/** Those of one minute of a level, in order of time. */
function columnsOf(steps: readonly Step[], from: number, to: number): EdgeColumns {
  const edges = noEdges();
  for (let index = from; index < to; ) {
    const { atMs } = steps[index] as Step;
    let [delta, starts] = [0, 0];
    for (; index < to && (steps[index] as Step).atMs === atMs; index++) {
      delta += (steps[index] as Step).delta;
      starts += (steps[index] as Step).starts;
    }
    if (delta !== 0 || starts !== 0) push(edges, atMs, delta, starts);
  }
  return edges;
}

function push({ edge_ms, edge_delta, edge_starts }: EdgeColumns, atMs: number, delta: number, starts: number): void {
  edge_ms.push(atMs);
  edge_delta.push(delta);
  edge_starts.push(starts);
}
