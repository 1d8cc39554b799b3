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
  /** As columns of `level_slots`. */
  address: string;
  /** Instants since the minute's opening, in ms: ascending, without repeats. Small numbers are kept without an object of their own. */
  offsets: number[];
  change: number[];
  starts: number;
  /** Not merged into the arrays yet. */
  pending: Map<number, number>;
}

/** A level in one minute, by nodes. */
interface MinuteLevel {
  minute: number;
  level: string;
  all: Steps;
  organization: Map<string, Steps>;
  reseller: Map<string, Steps>;
  partner: Map<string, Steps>;
}

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

  /** Answers those that were not held: what is loaded has all that `level_edges` has. */
  async function hold(changes: readonly Pick<MinuteChange, "minute" | "level">[]): Promise<ReadonlySet<MinuteLevel>> {
    const missing = new Map<string, MinuteLevel>();
    for (const { minute, level } of changes) {
      const key = keyOf(minute, level);
      if (!held.has(key) && !missing.has(key)) missing.set(key, emptyMinute(minute, level));
    }
    if (missing.size === 0) return new Set();
    const wanted = [...missing.values()];
    const rows = await minuteChanges(clickhouse, {
      minutes: [...new Set(wanted.map(({ minute }) => minute))],
      levels: [...new Set(wanted.map(({ level }) => level))],
    });
    for (const { minute, level, at_ms, change, begun, ...path } of rows) {
      const minuteLevel = missing.get(keyOf(minute, level));
      if (!minuteLevel) continue;
      const changed = { edge_ms: at_ms, edge_delta: change, edge_starts: [] };
      for (const steps of stepsAbove(minuteLevel, path)) {
        steps.starts += begun;
        addEdges(steps, minuteLevel, changed, 1);
      }
    }
    for (const [key, minuteLevel] of missing) held.set(key, minuteLevel);
    return new Set(wanted);
  }

  function evict(): void {
    let instants = 0;
    for (const minute of held.values()) instants += instantsOf(minute);
    for (const [key, minute] of held) {
      if (instants <= maxInstants) return;
      instants -= instantsOf(minute);
      held.delete(key);
    }
  }

  return {
    async write(changes, version, epoch) {
      const loaded = await hold(changes);
      const touched = new Map<MinuteLevel, Set<Steps>>();
      for (const { minute, level, pathBefore, removed, pathAfter, added } of changes) {
        const minuteLevel = held.get(keyOf(minute, level)) as MinuteLevel;
        const nodes = touched.get(minuteLevel) ?? new Set();
        touched.set(minuteLevel, nodes);
        const after = stepsAbove(minuteLevel, pathAfter);
        const before = pathBefore === pathAfter ? after : stepsAbove(minuteLevel, pathBefore);
        for (const steps of after) nodes.add(steps);
        for (const steps of before) nodes.add(steps);
        if (loaded.has(minuteLevel)) continue;
        if (removed) for (const steps of before) addEdges(steps, minuteLevel, removed, -1);
        if (added) for (const steps of after) addEdges(steps, minuteLevel, added, 1);
      }
      const rows: string[] = [];
      for (const [minuteLevel, nodes] of touched) {
        const key = keyOf(minuteLevel.minute, minuteLevel.level);
        held.delete(key);
        held.set(key, minuteLevel);
        for (const steps of nodes) rows.push(renderSlot(minuteLevel, version, steps));
      }
      await insertLevelSlots(clickhouse, [Buffer.from(rows.join(""))], { epoch });
      evict();
    },
    forgetBefore(minute) {
      for (const [key, minuteLevel] of held) if (minuteLevel.minute < minute) held.delete(key);
    },
    forget: () => held.clear(),
  };
}

const keyOf = (minute: number, level: string) => `${minute} ${level}`;

const emptyMinute = (minute: number, level: string): MinuteLevel => ({
  minute,
  level,
  all: emptySteps("all", ""),
  organization: new Map(),
  reseller: new Map(),
  partner: new Map(),
});

const emptySteps = (kind: string, node: string): Steps => ({
  address: `${kind}\t${escapeColumn(node)}`,
  offsets: [],
  change: [],
  starts: 0,
  pending: new Map(),
});

function instantsOf({ all, organization, reseller, partner }: MinuteLevel): number {
  let instants = all.offsets.length;
  for (const nodes of [organization, reseller, partner])
    for (const { offsets } of nodes.values()) instants += offsets.length;
  return instants;
}

function stepsAbove(minuteLevel: MinuteLevel, { organization, partner, reseller }: NodePath): Steps[] {
  const steps = [stepsOf(minuteLevel, "organization", organization), minuteLevel.all];
  if (reseller !== "") steps.push(stepsOf(minuteLevel, "reseller", reseller));
  if (partner !== "") steps.push(stepsOf(minuteLevel, "partner", partner));
  return steps;
}

function stepsOf(minuteLevel: MinuteLevel, kind: "organization" | "reseller" | "partner", node: string): Steps {
  const nodes = minuteLevel[kind];
  let steps = nodes.get(node);
  if (!steps) {
    steps = emptySteps(kind, node);
    nodes.set(node, steps);
  }
  return steps;
}

function addEdges(steps: Steps, { minute }: MinuteLevel, edges: EdgeColumns, sign: 1 | -1): void {
  const { edge_ms, edge_delta, edge_starts } = edges;
  const { pending } = steps;
  const opensMs = minute * 1000;
  for (let index = 0; index < edge_ms.length; index++) {
    const offset = (edge_ms[index] as number) - opensMs;
    pending.set(offset, (pending.get(offset) ?? 0) + sign * (edge_delta[index] as number));
  }
  for (const starts of edge_starts) steps.starts += sign * starts;
}

/** Brings the pending changes into the ordered arrays. Instants whose changes cancel out are kept out: they move nothing. */
function mergePending(steps: Steps): void {
  const { offsets, change, pending } = steps;
  if (pending.size === 0) return;
  const added = Int32Array.from(pending.keys()).sort();
  const mergedOffsets: number[] = [];
  const mergedChange: number[] = [];
  let next = 0;
  for (let index = 0; index < offsets.length || next < added.length; ) {
    const old = offsets[index] ?? Number.POSITIVE_INFINITY;
    const at = added[next] ?? Number.POSITIVE_INFINITY;
    const sum = (old <= at ? (change[index] as number) : 0) + (at <= old ? (pending.get(at) as number) : 0);
    if (sum !== 0) {
      mergedOffsets.push(Math.min(old, at));
      mergedChange.push(sum);
    }
    if (old <= at) index++;
    if (at <= old) next++;
  }
  steps.offsets = mergedOffsets;
  steps.change = mergedChange;
  pending.clear();
}

/** The same figures as clickhouse/queries/derive_slots.sql computes, as a line of TabSeparated. */
function renderSlot({ minute, level }: MinuteLevel, version: number, steps: Steps): string {
  mergePending(steps);
  const { address, offsets, change, starts } = steps;
  let net = 0;
  let weighted = 0;
  // The level against the slot's opening, from the minute's first instant on: what ends exactly then is not in it.
  let peak = offsets[0] === 0 ? (change[0] as number) : 0;
  let peakOffset = 0;
  for (let index = 0; index < offsets.length; index++) {
    const offset = offsets[index] as number;
    const step = change[index] as number;
    net += step;
    weighted += step * offset;
    if (net > peak) {
      peak = net;
      peakOffset = offset;
    }
  }
  const peakAtMs = minute * 1000 + peakOffset;
  return `${address}\t${escapeColumn(level)}\t${minute}\t${version}\t${net}\t${weighted}\t${peak}\t${peakAtMs}\t${starts}\n`;
}
