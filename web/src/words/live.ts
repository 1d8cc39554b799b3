/** What is said of live rooms. */
import type { LiveLevels, LiveRoom } from "@contract/live.ts";

/** How many there are, and where that is more than stand there, which ones do. */
export function roomsShown({ levels, rooms }: { levels: LiveLevels | null; rooms: readonly LiveRoom[] }): string {
  const all = Math.max(levels?.live_sessions ?? 0, rooms.length);
  if (all <= rooms.length) return all === 1 ? "1 room" : `${count.format(all)} rooms`;
  return `The ${count.format(rooms.length)} longest-running of ${count.format(all)}`;
}

const count = new Intl.NumberFormat("en");
