/**
 * What a derivation changed, for whoever keeps levels in memory: the net change of each part's edges against what was reported or
 * stored before. Changes are additive, so they may be summed in any order; all times are ms since 1970, UTC.
 */
import type { EdgeColumns, MinuteChange } from "./minute-changes.ts";
import type { Span } from "./resolve-session.ts";
import type { SessionHead } from "./session-rows.ts";

/** How much a level of a session changes from an instant on, more than was known of before. */
export interface EdgeChange {
  level: string;
  atMs: number;
  delta: number;
}

/** What an agent has in a session; `endMs` 0: it is open. */
export interface AgentSpan {
  agent: string;
  level: string;
  startMs: number;
  endMs: number;
}

/** One part of a session (see session-parts.ts): where it stands now, and what is otherwise than it was. */
export interface DerivedChange {
  organization: string;
  partner: string;
  reseller: string;
  session: string;
  room: string;
  part: number;
  /** The first participant's start within the part; 0: nobody was ever in it. */
  startedMs: number;
  edges: readonly EdgeChange[];
  /** Part 0 carries all that agents have in the session, not the changes; empty where none of it is an agent's. */
  agentSpans: readonly AgentSpan[];
  /** When the session's next open interval times out; 0: none is open. */
  deadlineMs: number;
}

export interface DerivationListener {
  /** Storage has these changes in a moment; where they cannot be written, `onInvalidated` follows. */
  onSessionsDerived(changes: readonly DerivedChange[]): void;
  /** What was reported may not be written, and what is written not reported: what is kept must be read from storage again. */
  onInvalidated(): void;
}

/** `agentSpans`: of the whole session. */
export function derivedChange(
  row: SessionHead,
  edges: readonly EdgeChange[],
  agentSpans: readonly AgentSpan[],
): DerivedChange {
  const { organization, partner, reseller, session, room, part } = row;
  const { started_ms: startedMs, deadline_ms: deadlineMs } = row;
  const own = part === 0 ? agentSpans : [];
  return { organization, partner, reseller, session, room, part, startedMs, edges, agentSpans: own, deadlineMs };
}

export const agentSpansOf = (spans: readonly Pick<Span, "agent" | "level" | "startMs" | "endMs">[]): AgentSpan[] =>
  spans.flatMap(({ agent, level, startMs, endMs = 0 }) => (agent === "" ? [] : [{ agent, level, startMs, endMs }]));

/** The net of what changed in minutes. */
export function edgeChanges(minutes: readonly MinuteChange[]): EdgeChange[] {
  const changes: EdgeChange[] = [];
  for (const { level, removed, added } of minutes) {
    // What memory holds says only what is more or less than before.
    if (added && !removed) {
      const { edge_ms, edge_delta } = added;
      for (let index = 0; index < edge_ms.length; index++) {
        const delta = edge_delta[index] as number;
        if (delta !== 0) changes.push({ level, atMs: edge_ms[index] as number, delta });
      }
      continue;
    }
    const net = new Map<number, number>();
    if (removed) addTo(net, removed, -1);
    if (added) addTo(net, added, 1);
    for (const [atMs, delta] of net) if (delta !== 0) changes.push({ level, atMs, delta });
  }
  return changes;
}

function addTo(net: Map<number, number>, { edge_ms, edge_delta }: EdgeColumns, sign: 1 | -1): void {
  for (let index = 0; index < edge_ms.length; index++) {
    const atMs = edge_ms[index] as number;
    net.set(atMs, (net.get(atMs) ?? 0) + sign * (edge_delta[index] as number));
  }
}
