/**
 * What agents have in the sessions that are kept, found by session and by agent: a look at one agent costs what it has, however
 * much others of its organization have. All times are ms since 1970, UTC.
 */
import { agentAddress } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { AgentSpan } from "../rollups/derived-change.ts";

export class AgentsInSessions<Session extends { organization: string }> {
  readonly #spans = new Map<Session, Map<string, AgentSpan[]>>();
  readonly #sessions = new Map<NodeAddress, Set<Session>>();
  #size = 0;

  /** How many intervals are kept. */
  get size(): number {
    return this.#size;
  }

  /** How many of them are in the session. */
  countIn(session: Session): number {
    let count = 0;
    for (const spans of this.#spans.get(session)?.values() ?? []) count += spans.length;
    return count;
  }

  /** `spans` are all that agents have in the session now; of them those are kept that have not ended. Returns whose are otherwise than before. */
  take(session: Session, spans: readonly AgentSpan[], nowMs: number): NodeAddress[] {
    const earlier = this.#spans.get(session);
    if (!earlier && spans.length === 0) return [];
    const later = new Map<string, AgentSpan[]>();
    for (const span of spans) {
      if (hasEnded(span, nowMs)) continue;
      const ofAgent = later.get(span.agent);
      if (ofAgent) ofAgent.push(span);
      else later.set(span.agent, [span]);
      this.#size++;
    }
    const changed: NodeAddress[] = [];
    for (const [agent, before] of earlier ?? []) {
      this.#size -= before.length;
      const after = later.get(agent);
      if (after && areSame(before, after)) continue;
      const address = agentAddress(session.organization, agent);
      changed.push(address);
      if (!after) this.#leave(address, session);
    }
    for (const agent of later.keys()) {
      if (earlier?.has(agent)) continue;
      const address = agentAddress(session.organization, agent);
      changed.push(address);
      this.#enter(address, session);
    }
    if (later.size > 0) this.#spans.set(session, later);
    else this.#spans.delete(session);
    return changed;
  }

  /** Whose intervals in the session began or ended after `sinceMs`, until `nowMs`. */
  *passed(session: Session, sinceMs: number, nowMs: number): Iterable<NodeAddress> {
    const isPassed = (atMs: number) => atMs > sinceMs && atMs <= nowMs;
    for (const [agent, spans] of this.#spans.get(session) ?? [])
      if (spans.some(({ startMs, endMs }) => isPassed(startMs) || isPassed(endMs)))
        yield agentAddress(session.organization, agent);
  }

  /** The sessions in which the agent has something, each with what runs of it. */
  *running(organization: string, agent: string, nowMs: number): Iterable<[Session, AgentSpan[]]> {
    for (const session of this.#sessions.get(agentAddress(organization, agent)) ?? []) {
      const spans = this.#spans.get(session)?.get(agent) ?? [];
      yield [session, spans.filter((span) => span.startMs <= nowMs && !hasEnded(span, nowMs))];
    }
  }

  #enter(address: NodeAddress, session: Session): void {
    const sessions = this.#sessions.get(address);
    if (sessions) sessions.add(session);
    else this.#sessions.set(address, new Set([session]));
  }

  #leave(address: NodeAddress, session: Session): void {
    const sessions = this.#sessions.get(address);
    sessions?.delete(session);
    if (sessions?.size === 0) this.#sessions.delete(address);
  }
}

const hasEnded = ({ endMs }: AgentSpan, nowMs: number) => endMs !== 0 && endMs <= nowMs;

function areSame(before: readonly AgentSpan[], after: readonly AgentSpan[]): boolean {
  return (
    before.length === after.length &&
    before.every(({ level, startMs, endMs }, index) => {
      const other = after[index] as AgentSpan;
      return level === other.level && startMs === other.startMs && endMs === other.endMs;
    })
  );
}
