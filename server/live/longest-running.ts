/** The rooms that a live view shows: of those with somebody in them the longest-running, in the order in which storage gives them. */
import type { LiveRoom } from "../contract/live.ts";
import { usualRooms } from "../contract/live-rooms.ts";

export interface Running {
  session: { organization: string; session: string };
  room: string;
  /** ms since 1970, UTC. */
  startedMs: number;
  participants: number;
}

export function longestRunning(all: Iterable<Running>): LiveRoom[] {
  const found: Running[] = [];
  for (const running of all) {
    if (running.participants <= 0) continue;
    const last = found.length === usualRooms ? found.at(-1) : undefined;
    if (last && !isBefore(running, last)) continue;
    let [low, high] = [0, found.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBefore(running, found[middle] as Running)) high = middle;
      else low = middle + 1;
    }
    found.splice(low, 0, running);
    if (last) found.pop();
  }
  return found.map(({ session: { organization, session }, room, startedMs, participants }) => ({
    organization,
    room,
    session,
    participants,
    started_at: new Date(startedMs).toISOString(),
  }));
}

/** As live_rooms.sql orders them; texts by their bytes, as ClickHouse does. */
function isBefore(a: Running, b: Running): boolean {
  if (a.startedMs !== b.startedMs) return a.startedMs < b.startedMs;
  const [one, other] = [a.session, b.session];
  const order = Buffer.from(one.organization).compare(Buffer.from(other.organization));
  return (order || Buffer.from(one.session).compare(Buffer.from(other.session))) < 0;
}
