/** What is said of live rooms. */
import type { LiveLevels, LiveRoom } from "@contract/live.ts";
import { liveTexts as t } from "../texts/en/live.ts";

/** How many there are, and where that is more than stand there, which ones do; nothing before any figures have come. */
export function roomsShown({ levels, rooms }: { levels: LiveLevels | null; rooms: readonly LiveRoom[] }): string {
  if (levels === null) return "";
  const all = Math.max(levels.live_sessions, rooms.length);
  return all <= rooms.length ? t.rooms(all) : t.longestRunningRooms(rooms.length, all);
}
