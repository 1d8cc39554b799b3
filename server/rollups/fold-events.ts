/** Sorts the events of some batches by session, and folds them into the sessions that memory holds. */
import type { Pace } from "../fairness/pace.ts";
import type { IntervalName, KnownSessions } from "./known-sessions.ts";
import type { LevelLines, SessionName } from "./level-events.ts";
import type { NodePath } from "./minute-changes.ts";
import { RunningSession } from "./running-session.ts";
import type { RunningSessions } from "./running-sessions.ts";
import { isNamedInterval, sessionKey } from "./session-intervals.ts";

/** A look at the clock costs as much as a line does. */
const linesPerLook = 32;

/** The events of one session, by their places among the lines. */
export interface SessionEvents {
  organization: string;
  session: string;
  places: number[];
  /** As memory had it when they were sorted. */
  held: RunningSession | undefined;
}

export interface SortedEvents {
  /** Whose sessions are derived by their marks in storage. */
  organizations: string[];
  /** Those of all others, by `sessionKey`. */
  sessions: Map<string, SessionEvents>;
}

/**
 * Session by session, so that memory has what one of them says at a time: all of them at once, thousands, would outlive the
 * young generation and be copied and looked through for as long as the batches are derived.
 */
export async function sortBySession(
  lines: LevelLines,
  memory: RunningSessions,
  known: KnownSessions,
  pace: Pace,
): Promise<SortedEvents> {
  const sessions = new Map<string, SessionEvents>();
  const byName = new Map<SessionName, SessionEvents>();
  let looked = 0;
  for (const { name, namesInterval, place } of lines.lines()) {
    const { organization, session } = name;
    if (session === "") {
      if (!namesInterval) continue;
      known.addScattered(organization);
    }
    const found = byName.get(name);
    if (found) found.places.push(place);
    else {
      const key = sessionKey(name);
      const events = sessions.get(key) ?? { organization, session, places: [], held: memory.get(key) };
      events.places.push(place);
      sessions.set(key, events);
      byName.set(name, events);
    }
    const resting = ++looked % linesPerLook === 0 ? pace.rest() : undefined;
    if (resting) await resting;
  }
  const organizations = new Set<string>();
  for (const { organization } of sessions.values())
    if (known.mayHaveScattered(organization)) organizations.add(organization);
  // What is held of those is used no more, and goes when it is derived or room is needed.
  for (const [key, { organization }] of sessions) if (organizations.has(organization)) sessions.delete(key);
  return { organizations: [...organizations], sessions };
}

export interface FoldedSession {
  session: RunningSession;
  /** Of its intervals those that other sessions may have events of as well, as far as is known here: storage is to be asked. */
  doubtful: IntervalName[];
}

/** What memory alone cannot tell of some sessions. */
export interface Unsure {
  /** To be read from storage, by `sessionKey`. */
  uncached: Map<string, SessionName>;
  /** Events of other sessions may name intervals of theirs. */
  doubted: (FoldedSession & { path: NodePath })[];
}

/** The session with its events folded into it; undefined: it is to be read from storage, which has these events already. */
export async function foldInto(
  { organization, session, places, held }: SessionEvents,
  lines: LevelLines,
  known: KnownSessions,
  pace: Pace,
): Promise<FoldedSession | undefined> {
  const isNew = held === undefined && known.meet(organization, session);
  const running = isNew ? RunningSession.begun({ organization, session }) : held;
  if (running === undefined) return undefined;
  const doubtful: IntervalName[] = [];
  let folded = 0;
  for (const place of places) {
    const event = lines.eventAt(place);
    // How long such an event's interval is, storage computes.
    if (event.action === "span") return undefined;
    const isFirst = running.fold(event);
    if (running.isOutdated) return undefined;
    // Whether others have events of an interval that is held was found out with its first one.
    if (isFirst && isNamedInterval(event) && !known.meetInterval(event)) doubtful.push(event);
    const resting = ++folded % linesPerLook === 0 ? pace.rest() : undefined;
    if (resting) await resting;
  }
  return { session: running, doubtful };
}
