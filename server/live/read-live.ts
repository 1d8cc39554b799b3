/** The live view of a node at one instant, as GET /v1/live answers it and the gateway sends it. */
import { z } from "zod";
import type { SlotLevel } from "../catalog/levels.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import type { LiveAnswer } from "../contract/live.ts";
import { usualRooms } from "../contract/live-rooms.ts";
import { levelsAt } from "../metrics/measure-level.ts";
import { nodeFilter, nodeParams } from "../metrics/node-filter.ts";

const liveRooms = defineQuery(
  "live_rooms",
  nodeParams.extend({ at_ms: z.number(), most: z.number() }),
  z.object({
    organization: z.string(),
    room: z.string(),
    session: z.string(),
    participants: numberColumn,
    started_ms: numberColumn,
  }),
);

const liveLevels = {
  live_participants: "participants",
  live_sessions: "sessions",
  active_recordings: "recordings",
} as const;

/** `nowMs`: ms since 1970, UTC; edges that lie ahead of it do not count yet. `rooms`: how many at most. */
export async function readLive(
  clickhouse: ClickHouse,
  node: string,
  watermark: Date,
  nowMs: number,
  rooms = usualRooms,
): Promise<LiveAnswer> {
  const levels: SlotLevel[] = Object.values(liveLevels);
  const [values, running] = await Promise.all([
    levelsAt(clickhouse, node, levels, nowMs + 1),
    liveRooms(clickhouse, { ...nodeFilter(node), at_ms: nowMs, most: rooms }),
  ]);
  const level = (name: SlotLevel) => values.get(name) ?? 0;
  return {
    node,
    at: new Date(nowMs).toISOString(),
    watermark: watermark.toISOString(),
    levels: {
      live_participants: level(liveLevels.live_participants),
      live_sessions: level(liveLevels.live_sessions),
      active_recordings: level(liveLevels.active_recordings),
    },
    rooms: running.map(({ started_ms, ...room }) => ({ ...room, started_at: new Date(started_ms).toISOString() })),
  };
}
