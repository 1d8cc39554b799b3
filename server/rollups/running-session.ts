/**
 * A session that is held in memory while it runs: its members as the table `intervals` has them, what each of them comes to, and
 * the edges that were last written. Events fold into it; only the members that they speak of are resolved again.
 *
 * Only a session that is in one part is held; one in several (session-parts.ts) is not.
 */
import { defaultAliveWithinMs } from "../catalog/levels.ts";
import type { SessionDifference } from "./compare-sessions.ts";
import { detachString } from "./detach-string.ts";
import type { LevelEvent } from "./level-events.ts";
import type { NodePath } from "./minute-changes.ts";
import {
  closingLevel,
  closingsOf,
  mayBeClosed,
  type ResolvedMember,
  resolveMember,
  type Span,
} from "./resolve-session.ts";
import { type ChangedMinute, RunningEdges } from "./running-edges.ts";
import { maxInBlock, RunningSpans } from "./running-spans.ts";
import {
  foldEvent,
  foldPath,
  isOutdated,
  type KnownMember,
  memberKey,
  memberKeyOf,
  memberOfEvent,
  type SessionMembers,
  type SessionPath,
  signsOf,
  signsOfTexts,
} from "./session-members.ts";
import { endlessMs } from "./session-parts.ts";
import { sessionHead } from "./session-rows.ts";

interface HeldMember {
  known: KnownMember;
  resolved: ResolvedMember;
}

/** As much memory as a member of one named interval takes. */
const signsOfInterval = 64;

const unresolved: ResolvedMember = { spans: [], isOrphan: false, inverted: 0 };

export class RunningSession {
  /** The largest of what its events named. */
  readonly named: SessionPath;
  /** Where its edges were written; undefined: none were yet. */
  derivedAt: NodePath | undefined;
  /** The days that its last row of `sessions` named. */
  days: readonly number[] = [];
  /** What `open_sessions` has of it: 0 for no row, undefined where that is not known. */
  listedUntilMs: number | undefined;
  readonly #members = new Map<string, HeldMember>();
  readonly #edges = new RunningEdges();
  #dirty = new Set<HeldMember>();
  #closedAt: readonly number[] = [];
  /** Since members were resolved the last time. */
  #newClosings: number[] = [];
  #isOutdated = false;
  /** Over all members, as `signsOf` counts. */
  #signs = 0;
  /** Over all members, as `signsOfTexts` counts. */
  #signsOfTexts = 0;
  readonly #spans = new RunningSpans();
  #orphans = 0;
  #inverted = 0;
  #openSpans = 0;
  #firstMs = Number.POSITIVE_INFINITY;
  #lastEndMs = 0;
  /** No open interval times out before it. */
  #expiresMs = Number.POSITIVE_INFINITY;

  constructor({ organization, session, room, partner, reseller }: SessionPath) {
    this.named = { organization, session, room, partner, reseller };
  }

  /** A session that nothing is stored of but what events fold into it from now on. */
  static begun({ organization, session }: Pick<SessionPath, "organization" | "session">): RunningSession {
    const [ownOrganization, ownSession] = [detachString(organization), detachString(session)];
    const path = { organization: ownOrganization, session: ownSession, room: "", partner: "", reseller: "" };
    const begun = new RunningSession(path);
    begun.listedUntilMs = 0;
    return begun;
  }

  /** What storage has of a session. */
  static of(found: SessionMembers): RunningSession {
    const session = new RunningSession(found);
    for (const known of found.members) {
      const member = { known, resolved: unresolved };
      session.#members.set(memberKey(known), member);
      session.#dirty.add(member);
      session.#signs += signsOf(known);
      session.#signsOfTexts += signsOfTexts(known);
    }
    session.#closedAt = closingsOf(found.members);
    return session;
  }

  get members(): number {
    return this.#members.size;
  }

  /** How much memory it takes: that of so many members of one interval each. */
  get weight(): number {
    // A large one remembers how it was written: its texts once more.
    const texts = this.#signsOfTexts * (this.#members.size > maxInBlock ? 2 : 1);
    return this.#members.size + Math.floor((this.#signs + texts) / signsOfInterval);
  }

  /** Whether storage has signs of life that count and that are not here: then it has to be read from there. */
  get isOutdated(): boolean {
    return this.#isOutdated;
  }

  /** Whether events can still be expected: something is open, or ends later than `nowMs`. */
  isRunning(nowMs: number): boolean {
    return this.#openSpans > 0 || this.#lastEndMs > nowMs;
  }

  /** From the first to the last instant at which something of it is, as far as is known; undefined: nothing is. */
  within(nowMs: number): { fromMs: number; toMs: number } | undefined {
    if (this.#spans.size === 0) return undefined;
    return { fromMs: this.#firstMs, toMs: Math.max(this.#firstMs, this.#lastEndMs, nowMs) };
  }

  /** What the event says. It must be of this session. */
  fold(event: LevelEvent): void {
    foldPath(this.named, event);
    const key = memberKeyOf(event);
    let member = this.#members.get(key);
    const textsBefore = member ? signsOfTexts(member.known) : 0;
    if (!member) {
      member = { known: memberOfEvent(event), resolved: unresolved };
      // A joined text keeps what it was joined of.
      this.#members.set(detachString(key), member);
    }
    this.#signs += foldEvent(member.known, event);
    this.#signsOfTexts += signsOfTexts(member.known) - textsBefore;
    this.#isOutdated ||= isOutdated(member.known);
    if (member.known.level !== closingLevel) this.#dirty.add(member);
    else {
      this.#closedAt = member.known.endTimes;
      this.#newClosings.push(event.timeMs);
    }
  }

  /** Resolves what events spoke of since the last time, and what has timed out by `nowMs`. */
  resolve(nowMs: number): void {
    for (const _ of this.resolveSteps(nowMs));
  }

  /** The same, a step for each member that is resolved again. */
  *resolveSteps(nowMs: number): Generator<undefined, void> {
    if (nowMs > this.#expiresMs) this.#findExpired(nowMs);
    if (this.#newClosings.length > 0) this.#findClosed();
    for (const member of this.#dirty) {
      if (member.known.level === closingLevel) continue;
      this.#resolveMember(member, nowMs);
      yield;
    }
    this.#dirty = new Set();
  }

  #resolveMember(member: HeldMember, nowMs: number): void {
    const { spans: allBefore, isOrphan: wasOrphan, inverted: invertedBefore } = member.resolved;
    member.resolved = resolveMember(member.known, this.#closedAt, nowMs, defaultAliveWithinMs);
    const { spans: allAfter, isOrphan, inverted } = member.resolved;
    this.#orphans += Number(isOrphan) - Number(wasOrphan);
    this.#inverted += inverted - invertedBefore;
    const [before, after] = withoutCommon(allBefore, allAfter);
    if (!haveSameEdges(before, after)) {
      for (const span of before) this.#edges.addSpan(span, -1);
      for (const span of after) this.#edges.addSpan(span, 1);
    }
    this.#spans.replace(before, after);
    this.#openSpans += openOf(after) - openOf(before);
    for (const span of after) this.#widen(span);
  }

  /** Edges that changed since it was last called. */
  takeChanges(): ChangedMinute[] {
    return this.#edges.takeChanges();
  }

  /** Its row of `sessions`, where it stands in one part on this path. What it costs grows with what changed since the last one. */
  row({ partner, reseller }: Pick<NodePath, "partner" | "reseller">, version: number) {
    const summary = this.#spans.summary();
    const whole = { part: 0, parts: 0, sinceMs: 0, untilMs: endlessMs, partner, reseller, peak: this.#edges.peak() };
    const found = { whole: summary, own: summary, orphans: this.#orphans, inverted: this.#inverted };
    return {
      head: sessionHead(this.named, found, whole, this.days, version),
      lists: { ...this.#spans.lists(), ...this.#edges.lists(this.#spans.isLarge) },
      agentSpans: this.#spans.agentSpans(),
      summary,
    };
  }

  /** Whether storage says the same of its members; undefined: it does. */
  differenceTo(stored: SessionMembers): SessionDifference | undefined {
    const { organization, session } = this.named;
    const expected = canonical(stored.members);
    const found = canonical([...this.#knownMembers()]);
    if (expected === found) return undefined;
    return { organization, session, expected: `stored: ${expected}`, found: `held in memory: ${found}` };
  }

  *#knownMembers(): Generator<KnownMember> {
    for (const { known } of this.#members.values()) yield known;
  }

  #findClosed(): void {
    const closings = this.#newClosings.sort((a, b) => a - b);
    this.#newClosings = [];
    for (const member of this.#members.values())
      if (mayBeClosed(member.known, member.resolved.spans, closings, defaultAliveWithinMs)) this.#dirty.add(member);
  }

  #findExpired(nowMs: number): void {
    this.#expiresMs = Number.POSITIVE_INFINITY;
    for (const member of this.#members.values())
      for (const { deadlineMs } of member.resolved.spans) {
        if (deadlineMs === undefined) continue;
        if (nowMs > deadlineMs) this.#dirty.add(member);
        else this.#expiresMs = Math.min(this.#expiresMs, deadlineMs);
      }
  }

  #widen({ startMs, endMs, deadlineMs }: Span): void {
    this.#firstMs = Math.min(this.#firstMs, startMs);
    this.#lastEndMs = Math.max(this.#lastEndMs, endMs ?? startMs);
    if (deadlineMs !== undefined) this.#expiresMs = Math.min(this.#expiresMs, deadlineMs);
  }
}

/** What two lists of a member's intervals do not both begin with, nor end with. */
function withoutCommon(before: readonly Span[], after: readonly Span[]): [readonly Span[], readonly Span[]] {
  const shorter = Math.min(before.length, after.length);
  let first = 0;
  while (first < shorter && isSame(before[first] as Span, after[first] as Span)) first++;
  let last = 0;
  while (last < shorter - first && isSame(before.at(-1 - last) as Span, after.at(-1 - last) as Span)) last++;
  return [before.slice(first, before.length - last), after.slice(first, after.length - last)];
}

/** All are of one member, and so of one level and name. */
const isSame = (a: Span, b: Span) =>
  a.startMs === b.startMs &&
  a.endMs === b.endMs &&
  a.timedOut === b.timedOut &&
  a.deadlineMs === b.deadlineMs &&
  a.user === b.user &&
  a.agent === b.agent &&
  a.dims === b.dims;

const openOf = (spans: readonly Span[]) => spans.reduce((open, { endMs }) => open + Number(endMs === undefined), 0);

const haveSameEdges = (before: readonly Span[], after: readonly Span[]) =>
  before.length === after.length &&
  before.every(({ startMs, endMs }, index) => startMs === after[index]?.startMs && endMs === after[index]?.endMs);

/** The same text for the same members, in whatever order they and their sets are. */
function canonical(members: readonly KnownMember[]): string {
  const ascending = (times: readonly number[]) => [...times].sort((a, b) => a - b);
  const texts = members.map((member) => {
    const { startTimes, aliveTimes, endTimes, dimsAt } = member;
    const sets = {
      startTimes: ascending(startTimes),
      aliveTimes: ascending(aliveTimes),
      endTimes: ascending(endTimes),
      dimsAt: dimsAt.map((sign) => JSON.stringify(sign)).sort(),
    };
    return JSON.stringify(
      Object.fromEntries(Object.entries({ ...member, ...sets }).sort(([a], [b]) => (a < b ? -1 : 1))),
    );
  });
  return texts.sort().join("\n");
}
