/**
 * The levels of every node at this moment, in memory: the sum of the changes of level edges that lie behind, which is what
 * clickhouse/queries/level_opening.sql sums in storage. Changes that lie ahead wait for their instant. Nothing is decided
 * here: when an interval ends is said by the derivation, whose changes are added up. All times are ms since 1970, UTC.
 */
import TinyQueue from "tinyqueue";
import type { LiveLevels as LevelsOfNode, LiveRoom } from "../contract/live.ts";
import { nodeAddress, type ParsedNode, parseNode } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { AgentSpan, DerivedChange } from "../rollups/derived-change.ts";
import { AgentsInSessions } from "./agents-in-sessions.ts";
import { longestRunning, type Running } from "./longest-running.ts";

/** In the order in which values are kept. */
export const heldLevels = ["participants", "sessions", "recordings"] as const;
type Values = [participants: number, sessions: number, recordings: number];

export interface NodeReading {
  levels: LevelsOfNode;
  /** The longest-running rooms with somebody in them, at most `usualRooms`. */
  rooms: LiveRoom[];
}

/**
 * How many session parts, intervals of agents, changes ahead and deadlines are kept, some 560 bytes each. Beyond this, organizations are
 * evicted and read from storage.
 */
export const maxHeld = 150_000;
/** Looking through this many sessions for the longest-running takes a millisecond: it is done once a second at most. */
const manySessions = 2_000;
const manyRoomsForMs = 1_000;
/** More than this are not looked through. */
const fewDeadlines = 1_000;

interface Node {
  address: NodeAddress;
  values: Values;
  /** How many parts raise it. */
  raisedBy: number;
  /** The parts that its rooms are: of an organization the whole sessions; the root's are all sessions. */
  parts: Set<HeldPart>;
  /** Kept for nodes with many sessions: the rooms as they were a moment ago. */
  rooms: { atMs: number; found: LiveRoom[] } | undefined;
}

interface Session {
  organization: string;
  session: string;
  parts: Map<number, HeldPart>;
  /** 0: no interval of it is open. */
  deadlineMs: number;
  /** The time of its entry in the queue of deadlines; 0: it has none. */
  queuedMs: number;
}

interface HeldPart {
  session: Session;
  part: number;
  partner: string;
  reseller: string;
  room: string;
  startedMs: number;
  values: Values;
  /** How many changes of it lie ahead. */
  ahead: number;
  nodes: Node[];
}

interface Deadline {
  atMs: number;
  session: Session;
}

interface Ahead {
  atMs: number;
  part: HeldPart;
  level: number;
  delta: number;
}

/** What is not kept: these organizations, whose figures are a part of those above them. */
export interface LeftOut {
  organizations: Iterable<string>;
  /** Partners and resellers. */
  above: Iterable<NodeAddress>;
}

export class LiveLevels {
  readonly #sessions = new Map<string, Session>();
  readonly #nodes = new Map<NodeAddress, Node>();
  #ahead = new TinyQueue<Ahead>([], (a, b) => a.atMs - b.atMs);
  #deadlines = new TinyQueue<Deadline>([], (a, b) => a.atMs - b.atMs);
  #parts = 0;
  readonly #agents = new AgentsInSessions<Session>();
  /** The sessions of which something that lay ahead came to pass, and since when, until it is asked whose it was. */
  #passed = new Map<Session, number>();
  #changed = new Set<NodeAddress>();
  readonly #leftOut: Set<string>;
  /** The nodes above those left out: of them only a part is known. */
  readonly #partlyKnown: Set<NodeAddress>;
  #clockMs: number;

  /** Empty; `changes` give what is stored, all of it against nothing. */
  constructor(changes: readonly DerivedChange[], nowMs: number, leftOut: LeftOut = { organizations: [], above: [] }) {
    this.#clockMs = nowMs;
    this.#leftOut = new Set(leftOut.organizations);
    this.#partlyKnown = new Set(leftOut.above);
    this.apply(changes, nowMs);
    this.takeChanged();
  }

  /** What is kept, as `maxHeld` bounds it. */
  get held(): number {
    return this.#parts + this.#agents.size + this.#ahead.length + this.#deadlines.length;
  }

  get isComplete(): boolean {
    return this.#leftOut.size === 0;
  }

  /** What each organization takes of `held`. */
  heldByOrganization(): Map<string, number> {
    const held = new Map<string, number>();
    const add = (organization: string, more: number) => held.set(organization, (held.get(organization) ?? 0) + more);
    for (const session of this.#sessions.values())
      add(session.organization, session.parts.size + this.#agents.countIn(session) + (session.queuedMs === 0 ? 0 : 1));
    for (const { part } of this.#ahead.data) add(part.session.organization, 1);
    return held;
  }

  /** Keeps nothing of these organizations any more: neither they nor the nodes above them are answered from now on. */
  leaveOut(organizations: ReadonlySet<string>): void {
    for (const organization of organizations) this.#leftOut.add(organization);
    const stay = this.#ahead.data.filter(({ part }) => !organizations.has(part.session.organization));
    this.#ahead = new TinyQueue(stay, (a, b) => a.atMs - b.atMs);
    for (const session of this.#sessions.values()) {
      if (!organizations.has(session.organization)) continue;
      for (const { partner, reseller } of session.parts.values()) this.#knowPartly(partner, reseller);
      this.#evict(session);
    }
    this.#dropDeadlines();
  }

  apply(changes: readonly DerivedChange[], nowMs: number): void {
    this.advance(nowMs);
    const touched = new Set<Session>();
    for (const change of changes) {
      if (this.#leftOut.has(change.organization)) {
        this.#knowPartly(change.partner, change.reseller);
        continue;
      }
      const part = this.#partOf(change);
      part.startedMs = change.startedMs;
      if (change.part === 0) this.#takeAgentSpans(part.session, change.agentSpans);
      touched.add(part.session);
      for (const { level: name, atMs, delta } of change.edges) {
        const level = heldLevels.indexOf(name as (typeof heldLevels)[number]);
        if (level < 0) continue;
        if (atMs <= this.#clockMs) this.#raise(part, level, delta);
        else {
          this.#ahead.push({ atMs, part, level, delta });
          part.ahead++;
        }
      }
    }
    for (const session of touched) this.#settle(session);
  }

  /** Brings in what lay ahead until `nowMs`; time never goes back. A session is looked through once, however much of it came to pass. */
  advance(nowMs: number): void {
    const sinceMs = this.#clockMs;
    this.#clockMs = Math.max(this.#clockMs, nowMs);
    const touched = new Set<Session>();
    for (let next = this.#ahead.peek(); next && next.atMs <= this.#clockMs; next = this.#ahead.peek()) {
      this.#ahead.pop();
      const { part, level, delta } = next;
      part.ahead--;
      this.#raise(part, level, delta);
      touched.add(part.session);
    }
    for (const session of touched) {
      if (!this.#passed.has(session)) this.#passed.set(session, sinceMs);
      this.#settle(session);
    }
  }

  /** Whether an interval has timed out since it was last asked: then its session is to be derived anew. */
  takeTimedOut(nowMs: number): boolean {
    let hasTimedOut = false;
    for (let next = this.#deadlines.peek(); next && next.atMs < nowMs; next = this.#deadlines.peek()) {
      this.#deadlines.pop();
      const { session } = next;
      session.queuedMs = 0;
      if (session.deadlineMs !== 0 && session.deadlineMs < nowMs) hasTimedOut = true;
      else this.#queueDeadline(session);
    }
    return hasTimedOut;
  }

  /** When something changes by itself next; undefined: nothing will. */
  nextMs(): number | undefined {
    const ahead = this.#ahead.peek()?.atMs ?? Number.POSITIVE_INFINITY;
    const deadline = (this.#deadlines.peek()?.atMs ?? Number.POSITIVE_INFINITY) + 1;
    const next = Math.min(ahead, deadline);
    return Number.isFinite(next) ? next : undefined;
  }

  /** The nodes of which a level has changed since they were last taken. */
  takeChanged(): ReadonlySet<NodeAddress> {
    const changed = this.#changed;
    for (const [session, sinceMs] of this.#passed)
      for (const agent of this.#agents.passed(session, sinceMs, this.#clockMs)) changed.add(agent);
    this.#changed = new Set();
    this.#passed = new Map();
    return changed;
  }

  /** undefined: a part of it is left out. */
  read(address: NodeAddress, nowMs: number): NodeReading | undefined {
    this.advance(nowMs);
    const parsed = parseNode(address);
    if (this.#isLeftOut(parsed, address)) return undefined;
    if (parsed.kind === "agent") return this.#readAgent(parsed.organization, parsed.agent);
    const node = this.#nodes.get(address);
    if (!node) return { levels: levelsOf([0, 0, 0]), rooms: [] };
    return { levels: levelsOf(node.values), rooms: this.#roomsOf(node) };
  }

  #isLeftOut(parsed: ParsedNode, address: NodeAddress): boolean {
    if (this.#leftOut.size === 0) return false;
    if (parsed.kind === "agent") return this.#leftOut.has(parsed.organization);
    if (parsed.kind === "organization") return this.#leftOut.has(parsed.id);
    return parsed.kind === "all" || this.#partlyKnown.has(address);
  }

  #knowPartly(partner: string, reseller: string): void {
    if (partner !== "") this.#partlyKnown.add(nodeAddress("partner", partner));
    if (reseller !== "") this.#partlyKnown.add(nodeAddress("reseller", reseller));
  }

  #roomsOf(node: Node): LiveRoom[] {
    const isRoot = node.address === "all";
    const isLarge = (isRoot ? this.#sessions.size : node.parts.size) > manySessions;
    if (isLarge && node.rooms && this.#clockMs - node.rooms.atMs < manyRoomsForMs) return node.rooms.found;
    const found = longestRunning(runningIn(isRoot ? wholesOf(this.#sessions.values()) : node.parts));
    node.rooms = isLarge ? { atMs: this.#clockMs, found } : undefined;
    return found;
  }

  #readAgent(organization: string, agent: string): NodeReading {
    const values: Values = [0, 0, 0];
    const present: Running[] = [];
    for (const [session, spans] of this.#agents.running(organization, agent, this.#clockMs)) {
      const participants = spans.filter(({ level }) => level === "participants").length;
      values[0] += participants;
      values[1] += participants > 0 ? 1 : 0;
      values[2] += spans.filter(({ level }) => level === "recordings").length;
      const { startedMs = 0, room = "" } = session.parts.get(0) ?? {};
      present.push({ session, room, startedMs, participants });
    }
    return { levels: levelsOf(values), rooms: longestRunning(present) };
  }

  #takeAgentSpans(session: Session, spans: readonly AgentSpan[]): void {
    const held = spans.filter(({ level }) => (heldLevels as readonly string[]).includes(level));
    for (const agent of this.#agents.take(session, held, this.#clockMs)) this.#changed.add(agent);
  }

  #partOf(change: DerivedChange): HeldPart {
    const { organization, session: id, part: number, partner, reseller, room } = change;
    const key = `${organization}\0${id}`;
    let session = this.#sessions.get(key);
    if (!session) {
      session = { organization, session: id, parts: new Map(), deadlineMs: 0, queuedMs: 0 };
      this.#sessions.set(key, session);
    }
    session.deadlineMs = change.deadlineMs;
    let part = session.parts.get(number);
    if (!part) {
      part = { session, part: number, partner, reseller, room, startedMs: 0, values: [0, 0, 0], ahead: 0, nodes: [] };
      session.parts.set(number, part);
      this.#parts++;
      this.#enter(part);
    } else if (part.partner !== partner || part.reseller !== reseller) {
      this.#leave(part);
      Object.assign(part, { partner, reseller });
      this.#enter(part);
    }
    part.room = room;
    return part;
  }

  #enter(part: HeldPart): void {
    const { session, partner, reseller } = part;
    const nodes = [this.#nodeOf(nodeAddress("organization", session.organization)), this.#nodeOf("all")];
    if (reseller !== "") nodes.push(this.#nodeOf(nodeAddress("reseller", reseller)));
    if (partner !== "") nodes.push(this.#nodeOf(nodeAddress("partner", partner)));
    part.nodes = nodes;
    for (const [index, node] of nodes.entries()) {
      node.raisedBy++;
      if (index > 1 || (index === 0 && part.part === 0)) node.parts.add(part);
      part.values.forEach((value, level) => {
        this.#raiseNode(node, level, value);
      });
    }
  }

  #leave(part: HeldPart): void {
    for (const node of part.nodes) {
      node.parts.delete(part);
      part.values.forEach((value, level) => {
        this.#raiseNode(node, level, -value);
      });
      if (--node.raisedBy === 0) this.#nodes.delete(node.address);
    }
    part.nodes = [];
  }

  #nodeOf(address: NodeAddress): Node {
    let node = this.#nodes.get(address);
    if (!node) {
      node = { address, values: [0, 0, 0], raisedBy: 0, parts: new Set(), rooms: undefined };
      this.#nodes.set(address, node);
    }
    return node;
  }

  #raise(part: HeldPart, level: number, delta: number): void {
    part.values[level] = (part.values[level] as number) + delta;
    for (const node of part.nodes) this.#raiseNode(node, level, delta);
  }

  #raiseNode(node: Node, level: number, delta: number): void {
    if (delta === 0) return;
    node.values[level] = (node.values[level] as number) + delta;
    this.#changed.add(node.address);
  }

  /** Lets go of a session of which nothing runs or lies ahead. */
  #settle(session: Session): void {
    const parts = [...session.parts.values()];
    if (parts.some((part) => part.ahead > 0 || part.values.some((value) => value !== 0))) {
      this.#queueDeadline(session);
      return;
    }
    this.#evict(session);
    if (this.#deadlines.length > 2 * this.#sessions.size + fewDeadlines) this.#dropDeadlines();
  }

  #evict(session: Session): void {
    for (const part of session.parts.values()) this.#leave(part);
    this.#parts -= session.parts.size;
    this.#takeAgentSpans(session, []);
    this.#passed.delete(session);
    session.deadlineMs = 0;
    this.#sessions.delete(`${session.organization}\0${session.session}`);
  }

  /** Those of sessions that are let go: a session mostly ends long before it would time out. */
  #dropDeadlines(): void {
    const deadlines: Deadline[] = [];
    for (const session of this.#sessions.values()) {
      session.queuedMs = session.deadlineMs;
      if (session.deadlineMs !== 0) deadlines.push({ atMs: session.deadlineMs, session });
    }
    this.#deadlines = new TinyQueue(deadlines, (a, b) => a.atMs - b.atMs);
  }

  /** One entry for a session, which is looked at again when it is due: most deadlines move on before. */
  #queueDeadline(session: Session): void {
    const { deadlineMs, queuedMs } = session;
    if (deadlineMs === 0 || (queuedMs !== 0 && queuedMs <= deadlineMs)) return;
    session.queuedMs = deadlineMs;
    this.#deadlines.push({ atMs: deadlineMs, session });
  }
}

/** Sessions as parts without a path: their number 0, with what all of their parts have. */
function* wholesOf(sessions: Iterable<Session>): Iterable<HeldPart> {
  for (const { parts } of sessions) {
    const whole = parts.get(0);
    if (whole) yield whole;
  }
}

function participantsOf({ part, session, values }: HeldPart): number {
  if (part > 0 || session.parts.size === 1) return values[0];
  let participants = 0;
  for (const { values } of session.parts.values()) participants += values[0];
  return participants;
}

function* runningIn(parts: Iterable<HeldPart>): Iterable<Running> {
  for (const part of parts)
    yield { session: part.session, room: part.room, startedMs: part.startedMs, participants: participantsOf(part) };
}

function levelsOf([live_participants, live_sessions, active_recordings]: Values): LevelsOfNode {
  return { live_participants, live_sessions, active_recordings };
}
