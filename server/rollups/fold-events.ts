/** Sorts the events of some batches by how their sessions are derived, and folds them into the sessions that memory holds. */
import type { KnownSessions } from "./known-sessions.ts";
import type { LevelEvent } from "./level-events.ts";
import { RunningSession } from "./running-session.ts";
import type { RunningSessions } from "./running-sessions.ts";
import { sessionKey } from "./session-intervals.ts";

export function foldInto(held: RunningSessions, known: KnownSessions) {
  /** Whose sessions are derived by their marks in storage. */
  const organizations = new Set<string>();
  /** Sessions to be read from storage, which has these events already. */
  const uncached = new Map<string, { organization: string; session: string }>();
  /** Sessions in memory that these events folded into. */
  const dirty = new Map<string, RunningSession>();
  function take(event: LevelEvent): void {
    const { organization, session } = event;
    if (session === "") {
      if (event.interval === "") return;
      // What is held of it is used no more, and goes when it is derived or room is needed.
      known.addUnassigned(organization);
    }
    if (known.mayHaveUnassigned(organization)) return void organizations.add(organization);
    const key = sessionKey(event);
    if (uncached.has(key)) return;
    const found = dirty.get(key) ?? held.get(key);
    const running = found ?? (known.meet(organization, session) ? RunningSession.begun(event) : undefined);
    // How long such an event's interval is, storage computes.
    const isHeld = running !== undefined && event.action !== "span";
    if (isHeld) running.fold(event);
    if (isHeld && !running.isOutdated) return void dirty.set(key, running);
    held.evict(key);
    dirty.delete(key);
    uncached.set(key, { organization, session });
  }
  /** What turned out to have unassigned intervals on the way is derived by its marks alone. */
  function end() {
    for (const sessions of [uncached, dirty])
      for (const key of sessions.keys()) if (organizations.has(key.slice(0, key.indexOf("\0")))) sessions.delete(key);
    return { organizations: [...organizations], uncached, dirty };
  }
  return { take, end };
}
