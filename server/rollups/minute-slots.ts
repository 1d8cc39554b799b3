/**
 * Slots of the minutes that are still changing, computed from memory. While thousands of events a second arrive, each
 * derivation changes a few edges of a minute that has very many: reading them all again would cost more with every batch.
 *
 * What is kept per (minute, level, node) is the net change at each instant. It is a copy of `level_edges`, loaded from
 * there when a minute is first needed, and right only as long as nothing but one materializer writes that table: whoever
 * cannot tell whether a write arrived must call `forget`.
 */
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineInsert, defineQuery } from "../clickhouse/define-query.ts";
import { escapeColumn } from "../ingest/accept/event-row.ts";
import type { EdgeColumns, MinuteChange, NodePath } from "./minute-changes.ts";

/** Instants kept, of 16 bytes each; the minutes used longest ago are let go beyond it. */
const maxInstants = 1_500_000;

/** Addresses as (kind, node) of `level_slots`. */
type NodeKey = `${"organization" | "reseller" | "partner" | "all"}\t${string}`;

const loadedRow = z.object({
  minute: z.number(),
  level: z.string(),
  organization: z.string(),
  partner: z.string(),
  reseller: z.string(),
  at_ms: z.array(z.number()),
  change: z.array(z.number()),
  begun: z.number(),
});
const minuteChanges = defineQuery(
  "minute_changes",
  z.object({ minutes: z.array(z.number()), levels: z.array(z.string()) }),
  loadedRow,
);
const insertLevelSlots = defineInsert("insert_level_slots", z.object({ epoch: z.number() }));

/** One node's level in one minute. */
interface Steps {
  /** Ascending, without repeats. */
  atMs: number[];
  change: number[];
  starts: number;
  /** Not merged into the arrays yet. */
  pending: Map<number, number>;
}

type MinuteLevel = Map<NodeKey, Steps>;

export interface MinuteSlots {
  /**
   * Writes the slots of the nodes above `changes`, whose edges must be in `level_edges` by now, under `version` and `epoch`.
   * When it rejects, `forget` must be called.
   */
  write(changes: readonly Omit<MinuteChange, "edges">[], version: number, epoch: number): Promise<void>;
  /** Lets go what is held of minutes before `minute` (seconds since 1970): they are quiet. */
  forgetBefore(minute: number): void;
  forget(): void;
}

export function createMinuteSlots(clickhouse: ClickHouse): MinuteSlots {
  /** In order of their last use, by `keyOf`. */
  const held = new Map<string, MinuteLevel>();

  async function load(missing: ReadonlyMap<string, { minute: number; level: string }>): Promise<void> {
    const wanted = [...missing.values()];
    const rows = await minuteChanges(clickhouse, {
      minutes: [...new Set(wanted.map(({ minute }) => minute))],
      levels: [...new Set(wanted.map(({ level }) => level))],
    });
    for (const key of missing.keys()) held.set(key, new Map());
    for (const { minute, level, at_ms, change, begun, ...path } of rows) {
      const key = keyOf(minute, level);
      if (!missing.has(key)) continue;
      for (const node of nodesOf(path)) {
        const steps = stepsOf(held.get(key) as MinuteLevel, node);
        steps.starts += begun;
        at_ms.forEach((atMs, index) => {
          addTo(steps.pending, atMs, change[index] as number);
        });
      }
    }
  }

  function evict(): void {
    let instants = 0;
    for (const minute of held.values()) for (const steps of minute.values()) instants += steps.atMs.length;
    for (const [key, minute] of held) {
      if (instants <= maxInstants) return;
      for (const steps of minute.values()) instants -= steps.atMs.length;
      held.delete(key);
    }
  }

  return {
    async write(changes, version, epoch) {
      const touched = new Map<string, { minute: number; level: string; nodes: Set<NodeKey> }>();
      for (const { minute, level, pathBefore, pathAfter } of changes) {
        const key = keyOf(minute, level);
        const pair = touched.get(key) ?? { minute, level, nodes: new Set() };
        touched.set(key, pair);
        for (const node of nodesOf(pathAfter)) pair.nodes.add(node);
        if (pathBefore !== pathAfter) for (const node of nodesOf(pathBefore)) pair.nodes.add(node);
      }
      const missing = new Map([...touched].filter(([key]) => !held.has(key)));
      if (missing.size > 0) await load(missing);
      for (const { minute, level, pathBefore, removed, pathAfter, added } of changes) {
        const key = keyOf(minute, level);
        // What was loaded just now has the changes in it.
        if (missing.has(key)) continue;
        const minuteLevel = held.get(key) as MinuteLevel;
        if (removed) addEdges(minuteLevel, pathBefore, removed, -1);
        if (added) addEdges(minuteLevel, pathAfter, added, 1);
      }
      const rows: string[] = [];
      for (const [key, { minute, level, nodes }] of touched) {
        const minuteLevel = held.get(key) as MinuteLevel;
        held.delete(key);
        held.set(key, minuteLevel);
        for (const node of nodes) rows.push(renderSlot(node, level, minute, version, stepsOf(minuteLevel, node)));
      }
      await insertLevelSlots(clickhouse, [Buffer.from(rows.join(""))], { epoch });
      evict();
    },
    forgetBefore(minute) {
      for (const key of held.keys()) if (Number(key.slice(0, key.indexOf(" "))) < minute) held.delete(key);
    },
    forget: () => held.clear(),
  };
}

const keyOf = (minute: number, level: string) => `${minute} ${level}`;

function nodesOf({ organization, partner, reseller }: NodePath): NodeKey[] {
  const nodes: NodeKey[] = [`organization\t${organization}`, "all\t"];
  if (reseller !== "") nodes.push(`reseller\t${reseller}`);
  if (partner !== "") nodes.push(`partner\t${partner}`);
  return nodes;
}

function stepsOf(minuteLevel: MinuteLevel, node: NodeKey): Steps {
  let steps = minuteLevel.get(node);
  if (!steps) {
    steps = { atMs: [], change: [], starts: 0, pending: new Map() };
    minuteLevel.set(node, steps);
  }
  return steps;
}

function addEdges(minuteLevel: MinuteLevel, path: NodePath, edges: EdgeColumns, sign: 1 | -1): void {
  for (const node of nodesOf(path)) {
    const steps = stepsOf(minuteLevel, node);
    for (let index = 0; index < edges.edge_ms.length; index++) {
      addTo(steps.pending, edges.edge_ms[index] as number, sign * (edges.edge_delta[index] as number));
      steps.starts += sign * (edges.edge_starts[index] as number);
    }
  }
}

function addTo(sums: Map<number, number>, atMs: number, change: number): void {
  sums.set(atMs, (sums.get(atMs) ?? 0) + change);
}

/** Brings the pending changes into the ordered arrays. Instants whose changes cancel out are kept out: they move nothing. */
function mergePending(steps: Steps): void {
  if (steps.pending.size === 0) return;
  const added = [...steps.pending].sort(([a], [b]) => a - b);
  const { atMs, change } = steps;
  const mergedAtMs: number[] = [];
  const mergedChange: number[] = [];
  let next = 0;
  for (let index = 0; index < atMs.length || next < added.length; ) {
    const old = atMs[index] ?? Number.POSITIVE_INFINITY;
    const [at, addition] = added[next] ?? [Number.POSITIVE_INFINITY, 0];
    const sum = (old <= at ? (change[index] as number) : 0) + (at <= old ? addition : 0);
    if (sum !== 0) {
      mergedAtMs.push(Math.min(old, at));
      mergedChange.push(sum);
    }
    if (old <= at) index++;
    if (at <= old) next++;
  }
  Object.assign(steps, { atMs: mergedAtMs, change: mergedChange });
  steps.pending = new Map();
}

/** The same figures as clickhouse/queries/derive_slots.sql computes, as a line of TabSeparated. */
function renderSlot(node: NodeKey, level: string, minute: number, version: number, steps: Steps): string {
  mergePending(steps);
  const { atMs, change, starts } = steps;
  const opensMs = minute * 1000;
  let net = 0;
  let weighted = 0;
  // The level against the slot's opening, from the minute's first instant on: what ends exactly then is not in it.
  let peak = atMs[0] === opensMs ? (change[0] as number) : 0;
  let peakAtMs = opensMs;
  for (let index = 0; index < atMs.length; index++) {
    const at = atMs[index] as number;
    const step = change[index] as number;
    net += step;
    weighted += step * (at - opensMs);
    if (net > peak) {
      peak = net;
      peakAtMs = at;
    }
  }
  const separator = node.indexOf("\t");
  const address = `${node.slice(0, separator)}\t${escapeColumn(node.slice(separator + 1))}`;
  return `${address}\t${escapeColumn(level)}\t${minute}\t${version}\t${net}\t${weighted}\t${peak}\t${peakAtMs}\t${starts}\n`;
}
