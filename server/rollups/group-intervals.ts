/**
 * What is known of sessions from rows of the table `intervals`. An interval is one, whichever of its events name a session, and whichever
 * session they name: it counts in its home, the session whose own events have it begin first; of several the first by name.
 */
import { compareSilences } from "./interval-signs.ts";
import {
  foldDims,
  foldPath,
  intervalKey,
  isNamedInterval,
  type KnownInterval,
  larger,
  type SessionIntervals,
  type SessionPath,
  sessionKey,
} from "./session-intervals.ts";

/** Larger than every ms since 1970 that an event can have: stands in `started_ms` where no start was seen. */
const noStartMs = 8e15;

export const intervalColumns = {
  organization: "text",
  session: "text",
  level: "text",
  interval: "text",
  member: "text",
  started_ms: "number",
  ended_ms: "number",
  seen_ms: "number",
  alive_within_at_ms: "number",
  alive_within_ms: "number",
  alive_within_at: "timedNumbers",
  shortest_ms: "number",
  start_times: "numbers",
  alive_times: "numbers",
  alives_thinned: "number",
  end_times: "numbers",
  user: "text",
  room: "text",
  agent: "text",
  partner: "text",
  reseller: "text",
  dims: "text",
  dims_at_ms: "number",
  dims_at: "timedTexts",
} as const;

export interface IntervalsFound {
  rows: number;
  columns: {
    [Name in keyof typeof intervalColumns]: {
      text: string;
      number: number;
      numbers: number[];
      timedTexts: [number, string][];
      timedNumbers: [number, number][];
    }[(typeof intervalColumns)[Name]][];
  };
}

/** What is known of some sessions. */
export interface FoundIntervals {
  /** What events of these sessions said. */
  assigned: IntervalsFound;
  /** What events without a session said, under the session that others assign the interval to. */
  unassigned?: IntervalsFound | undefined;
  /** Of intervals of these sessions that events of several sessions name: what all of those said, under the interval's home. */
  split?: IntervalsFound | undefined;
}

/**
 * By `sessionKey`. What other events say of an interval is merged into it. A step for each row: one session may have them all, and its
 * intervals are looked up by `intervalKey`, never one by one.
 */
export function* groupIntervals({
  assigned,
  unassigned,
  split,
}: FoundIntervals): Generator<undefined, Map<string, SessionIntervals>> {
  const sessions = new Map<string, SessionIntervals>();
  for (const [path, record] of intervalsOf(assigned)) {
    const session = addSession(sessions, path);
    session.intervals.push(record);
    session.rooms?.push(path.room);
    yield;
  }
  if (split) yield* bringHome(sessions, split);
  if (unassigned) yield* addUnassigned(sessions, unassigned);
  return sessions;
}

/** Leaves each of the intervals to its home alone, with all that is known of it. */
function* bringHome(
  sessions: ReadonlyMap<string, SessionIntervals>,
  split: IntervalsFound,
): Generator<undefined, void> {
  const homes = new Map<string, { session: string; joined: KnownInterval }>();
  const organizations = new Set<string>();
  for (const [{ organization, session }, joined] of intervalsOf(split)) {
    homes.set(`${organization}\0${intervalKey(joined)}`, { session, joined });
    organizations.add(organization);
    yield;
  }
  for (const found of sessions.values()) {
    if (!organizations.has(found.organization)) continue;
    const { intervals, rooms } = found;
    found.intervals = [];
    // What other sessions say of the room is theirs.
    found.rooms = [];
    for (const [place, record] of intervals.entries()) {
      const home = isNamedInterval(record) && homes.get(`${found.organization}\0${intervalKey(record)}`);
      if (!home || home.session === found.session) {
        found.intervals.push(home ? home.joined : record);
        found.rooms.push(rooms?.[place] ?? "");
      }
      yield;
    }
  }
}

function* addUnassigned(
  sessions: Map<string, SessionIntervals>,
  unassigned: IntervalsFound,
): Generator<undefined, void> {
  /** Of sessions with unassigned intervals, where each of their intervals is. */
  const places = new Map<SessionIntervals, Map<string, number>>();
  for (const [path, record] of intervalsOf(unassigned)) {
    const session = addSession(sessions, path);
    let placesOfSession = places.get(session);
    if (!placesOfSession) {
      placesOfSession = new Map();
      places.set(session, placesOfSession);
      for (const [place, known] of session.intervals.entries()) {
        placesOfSession.set(intervalKey(known), place);
        yield;
      }
    }
    mergeInto(session, placesOfSession, record, path.room);
    yield;
  }
}

function mergeInto(
  { intervals, rooms = [] }: SessionIntervals,
  places: Map<string, number>,
  record: KnownInterval,
  room: string,
): void {
  const key = intervalKey(record);
  const place = places.get(key);
  if (place === undefined) {
    places.set(key, intervals.push(record) - 1);
    rooms.push(room);
  } else {
    intervals[place] = mergeRecords(intervals[place] as KnownInterval, record);
    rooms[place] = larger(rooms[place] ?? "", room);
  }
}

function addSession(sessions: Map<string, SessionIntervals>, path: SessionPath): SessionIntervals {
  const key = sessionKey(path);
  const session = sessions.get(key);
  if (session) {
    foldPath(session, path);
    return session;
  }
  const added = { ...path, intervals: [], rooms: [] };
  sessions.set(key, added);
  return added;
}

function* intervalsOf({ rows, columns }: IntervalsFound): Generator<[SessionPath, KnownInterval]> {
  const at = <Value>(column: readonly Value[], row: number) => column[row] as Value;
  for (let row = 0; row < rows; row++) {
    const startedMs = at(columns.started_ms, row);
    const aliveWithinMs = at(columns.alive_within_ms, row) || undefined;
    const isThinned = at(columns.alives_thinned, row) === 1;
    yield [
      {
        organization: at(columns.organization, row),
        session: at(columns.session, row),
        room: at(columns.room, row),
        partner: at(columns.partner, row),
        reseller: at(columns.reseller, row),
      },
      {
        level: at(columns.level, row),
        interval: at(columns.interval, row),
        pairedUser: at(columns.member, row),
        startedMs: startedMs > noStartMs ? undefined : startedMs,
        endedMs: at(columns.ended_ms, row) || undefined,
        seenMs: at(columns.seen_ms, row),
        aliveWithinAtMs: at(columns.alive_within_at_ms, row),
        aliveWithinMs,
        aliveWithinAt: at(columns.alive_within_at, row).sort(compareSilences),
        shortestMs: at(columns.shortest_ms, row),
        thinnedWithinMs: isThinned ? at(columns.shortest_ms, row) : undefined,
        startTimes: ascending(at(columns.start_times, row)),
        aliveTimes: ascending(at(columns.alive_times, row)),
        endTimes: ascending(at(columns.end_times, row)),
        user: at(columns.user, row),
        agent: at(columns.agent, row),
        dims: at(columns.dims, row),
        dimsAtMs: at(columns.dims_at_ms, row),
        dimsAt: at(columns.dims_at, row).sort(([a], [b]) => a - b),
      },
    ];
  }
}

const ascending = (times: number[]) => (times.length < 2 ? times : times.sort((a, b) => a - b));

/** Merges two rows about the same interval, which has a name. */
function mergeRecords(a: KnownInterval, b: KnownInterval): KnownInterval {
  // Of those of one instant the longer, as everywhere.
  const byTime = a.aliveWithinAtMs - b.aliveWithinAtMs || (a.aliveWithinMs ?? 0) - (b.aliveWithinMs ?? 0);
  const [newer, older] = byTime >= 0 ? [a, b] : [b, a];
  const merged = {
    ...a,
    startedMs: ofKnown(a.startedMs, b.startedMs, Math.min),
    endedMs: ofKnown(a.endedMs, b.endedMs, Math.max),
    seenMs: Math.max(a.seenMs, b.seenMs),
    aliveWithinAtMs: newer.aliveWithinAtMs,
    aliveWithinMs: newer.aliveWithinMs ?? older.aliveWithinMs,
    user: larger(a.user, b.user),
    agent: larger(a.agent, b.agent),
  };
  foldDims(merged, b.dimsAtMs, b.dims);
  return merged;
}

/** The one that is known, or what `choose` makes of both. */
function ofKnown(a: number | undefined, b: number | undefined, choose: (a: number, b: number) => number) {
  return a === undefined || b === undefined ? (a ?? b) : choose(a, b);
}
