/**
 * A session that is held in memory while it runs: its intervals as the table `intervals` has them, what each of them comes to, and
 * the edges that were last written. Events fold into it; only the intervals that they speak of are resolved again.
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
  type ResolvedInterval,
  resolveInterval,
  type Span,
  strayTimes,
} from "./resolve-session.ts";
import { type ChangedMinute, RunningEdges } from "./running-edges.ts";
import { maxInBlock, RunningSpans } from "./running-spans.ts";
import {
  foldEvent,
  foldPath,
  intervalKey,
  intervalKeyOf,
  intervalOfEvent,
  isOutdated,
  type KnownInterval,
  type SessionIntervals,
  type SessionPath,
  signsOf,
  signsOfTexts,
} from "./session-intervals.ts";
import { endlessMs } from "./session-parts.ts";
import { sessionHead } from "./session-rows.ts";

interface HeldInterval {
  known: KnownInterval;
  resolved: ResolvedInterval;
}

/** As much memory as one named interval takes. */
const signsOfInterval = 64;

const unresolved: ResolvedInterval = { spans: [], isOrphan: false, inverted: 0 };

export class RunningSession {
  /** The largest of what its events named. */
  readonly named: SessionPath;
  /** Where its edges were written; undefined: none were yet. */
  derivedAt: NodePath | undefined;
  /** The days that its last row of `sessions` named. */
  days: readonly number[] = [];
  /** What `open_sessions` has of it: 0 for no row, undefined where that is not known. */
  listedUntilMs: number | undefined;
  readonly #intervals = new Map<string, HeldInterval>();
  readonly #edges = new RunningEdges();
  #dirty = new Set<HeldInterval>();
  #closedAt: readonly number[] = [];
  /** Since intervals were resolved the last time. */
  #newClosings: number[] = [];
  #isOutdated = false;
  /** Over all intervals, as `signsOf` counts. */
  #signs = 0;
  /** Over all intervals, as `signsOfTexts` counts. */
  #signsOfTexts = 0;
  readonly #spans = new RunningSpans();
  #orphans = 0;
  #inverted = 0;
  #openSpans = 0;
  #firstMs = Number.POSITIVE_INFINITY;
  #lastEndMs = 0;
  /** Within which orphans and inverted intervals were sent, or were once thought to be. */
  #faultsFromMs = Number.POSITIVE_INFINITY;
  #faultsToMs = 0;
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
  static of(found: SessionIntervals): RunningSession {
    const session = new RunningSession(found);
    for (const known of found.intervals) {
      const interval = { known, resolved: unresolved };
      session.#intervals.set(intervalKey(known), interval);
      session.#dirty.add(interval);
      session.#signs += signsOf(known);
      session.#signsOfTexts += signsOfTexts(known);
    }
    session.#closedAt = closingsOf(found.intervals);
    return session;
  }

  get intervals(): number {
    return this.#intervals.size;
  }

  /** How much memory it takes: that of this many named intervals. */
  get weight(): number {
    // A large one remembers how it was written: its texts once more.
    const texts = this.#signsOfTexts * (this.#intervals.size > maxInBlock ? 2 : 1);
    return this.#intervals.size + Math.floor((this.#signs + texts) / signsOfInterval);
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
    const fromMs = Math.min(this.#firstMs, this.#faultsFromMs);
    if (fromMs === Number.POSITIVE_INFINITY) return undefined;
    const lastMs = this.#spans.size === 0 ? 0 : Math.max(this.#lastEndMs, nowMs);
    return { fromMs, toMs: Math.max(fromMs, lastMs, this.#faultsToMs) };
  }

  /** What the event says. It must be of this session. Answers whether it is the first of its interval that is held here. */
  fold(event: LevelEvent): boolean {
    foldPath(this.named, event);
    const key = intervalKeyOf(event);
    let interval = this.#intervals.get(key);
    const isFirst = interval === undefined;
    const textsBefore = interval ? signsOfTexts(interval.known) : 0;
    if (!interval) {
      interval = { known: intervalOfEvent(event), resolved: unresolved };
      // A joined text keeps what it was joined of.
      this.#intervals.set(detachString(key), interval);
    }
    this.#signs += foldEvent(interval.known, event);
    this.#signsOfTexts += signsOfTexts(interval.known) - textsBefore;
    this.#isOutdated ||= isOutdated(interval.known);
    if (interval.known.level !== closingLevel) this.#dirty.add(interval);
    else {
      this.#closedAt = interval.known.endTimes;
      this.#newClosings.push(event.timeMs);
    }
    return isFirst;
  }

  /** Resolves what events spoke of since the last time, and what has timed out by `nowMs`. */
  resolve(nowMs: number): void {
    for (const _ of this.resolveSteps(nowMs));
  }

  /** The same, a step for each interval that is resolved again. */
  *resolveSteps(nowMs: number): Generator<undefined, void> {
    if (nowMs > this.#expiresMs) this.#findExpired(nowMs);
    if (this.#newClosings.length > 0) this.#findClosed();
    for (const interval of this.#dirty) {
      if (interval.known.level === closingLevel) continue;
      this.#resolve(interval, nowMs);
      yield;
    }
    this.#dirty = new Set();
  }

  #resolve(interval: HeldInterval, nowMs: number): void {
    const { spans: allBefore, isOrphan: wasOrphan, inverted: invertedBefore } = interval.resolved;
    interval.resolved = resolveInterval(interval.known, this.#closedAt, nowMs, defaultAliveWithinMs);
    const { spans: allAfter, isOrphan, inverted } = interval.resolved;
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
    for (const atMs of isOrphan ? strayTimes(interval.known) : inverted > 0 ? [interval.known.seenMs] : []) {
      this.#faultsFromMs = Math.min(this.#faultsFromMs, atMs);
      this.#faultsToMs = Math.max(this.#faultsToMs, atMs);
    }
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

  /** How its stored intervals differ from those held here; undefined where they are the same. */
  differenceTo(stored: SessionIntervals): SessionDifference | undefined {
    const { organization, session } = this.named;
    const expected = canonical(stored.intervals);
    const found = canonical([...this.#known()]);
    if (expected === found) return undefined;
    return { organization, session, expected: `stored: ${expected}`, found: `held in memory: ${found}` };
  }

  *#known(): Generator<KnownInterval> {
    for (const { known } of this.#intervals.values()) yield known;
  }

  #findClosed(): void {
    const closings = this.#newClosings.sort((a, b) => a - b);
    this.#newClosings = [];
    for (const interval of this.#intervals.values())
      if (mayBeClosed(interval.known, interval.resolved.spans, closings, defaultAliveWithinMs))
        this.#dirty.add(interval);
  }

  #findExpired(nowMs: number): void {
    this.#expiresMs = Number.POSITIVE_INFINITY;
    for (const interval of this.#intervals.values())
      for (const { deadlineMs } of interval.resolved.spans) {
        if (deadlineMs === undefined) continue;
        if (nowMs > deadlineMs) this.#dirty.add(interval);
        else this.#expiresMs = Math.min(this.#expiresMs, deadlineMs);
      }
  }

  #widen({ startMs, endMs, deadlineMs }: Span): void {
    this.#firstMs = Math.min(this.#firstMs, startMs);
    this.#lastEndMs = Math.max(this.#lastEndMs, endMs ?? startMs);
    if (deadlineMs !== undefined) this.#expiresMs = Math.min(this.#expiresMs, deadlineMs);
  }
}

/** What two lists of spans of one record do not both begin with, nor end with. */
function withoutCommon(before: readonly Span[], after: readonly Span[]): [readonly Span[], readonly Span[]] {
  const shorter = Math.min(before.length, after.length);
  let first = 0;
  while (first < shorter && isSame(before[first] as Span, after[first] as Span)) first++;
  let last = 0;
  while (last < shorter - first && isSame(before.at(-1 - last) as Span, after.at(-1 - last) as Span)) last++;
  return [before.slice(first, before.length - last), after.slice(first, after.length - last)];
}

/** All are of one record, and so of one level and name. */
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

/** The same text for the same intervals, in whatever order they and their sets are. */
function canonical(intervals: readonly KnownInterval[]): string {
  const ascending = (times: readonly number[]) => [...times].sort((a, b) => a - b);
  const texts = intervals.map((interval) => {
    const { startTimes, aliveTimes, endTimes, aliveWithinAt, dimsAt } = interval;
    const sets = {
      startTimes: ascending(startTimes),
      aliveTimes: ascending(aliveTimes),
      endTimes: ascending(endTimes),
      aliveWithinAt: aliveWithinAt.map((sign) => JSON.stringify(sign)).sort(),
      dimsAt: dimsAt.map((sign) => JSON.stringify(sign)).sort(),
    };
    return JSON.stringify(
      Object.fromEntries(Object.entries({ ...interval, ...sets }).sort(([a], [b]) => (a < b ? -1 : 1))),
    );
  });
  return texts.sort().join("\n");
}
