/** The live levels as storage has them, to begin with. */
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineColumnsQuery, defineQuery } from "../clickhouse/define-query.ts";
import type { DerivedChange } from "../rollups/derived-change.ts";
import { heldLevels, LiveLevels } from "./live-levels.ts";

const askedSchema = z.object({ at_ms: z.number(), levels: z.array(z.string()), most: z.number() });
const liveSessionsHeld = defineQuery("live_sessions_held", askedSchema, z.object({ held: z.coerce.number() }));
const liveSessions = defineColumnsQuery("live_sessions", askedSchema, {
  organization: "text",
  session: "text",
  part: "number",
  partner: "text",
  reseller: "text",
  room: "text",
  started_ms: "number",
  deadline_ms: "number",
  behind: "numbers",
  ahead_level: "texts",
  ahead_ms: "numbers",
  ahead_delta: "numbers",
  agent: "texts",
  agent_level: "texts",
  agent_start_ms: "numbers",
  agent_end_ms: "numbers",
});

/**
 * Right as long as nothing is derived meanwhile; undefined: it would be more than `most` (see `LiveLevels.held`), of which nothing is
 * fetched. `nowMs`: ms since 1970, UTC.
 */
export async function loadLiveLevels(
  clickhouse: ClickHouse,
  nowMs: number,
  most: number,
): Promise<LiveLevels | undefined> {
  // One more than may be: so it shows that there are more.
  const asked = { at_ms: nowMs, levels: [...heldLevels], most: most + 1 };
  const [counted] = await liveSessionsHeld(clickhouse, asked);
  if (counted && counted.held > most) return undefined;
  const { rows, columns } = await liveSessions(clickhouse, asked);
  if (rows > most) return undefined;
  const changes = Array.from({ length: rows }, (_, row): DerivedChange => {
    const at = <Value>(column: readonly Value[]) => column[row] as Value;
    const behind = at(columns.behind).flatMap((delta, index) =>
      delta === 0 ? [] : [{ level: heldLevels[index] as string, atMs: nowMs, delta }],
    );
    const ahead = at(columns.ahead_ms).map((atMs, index) => ({
      level: at(columns.ahead_level)[index] as string,
      atMs,
      delta: at(columns.ahead_delta)[index] as number,
    }));
    const agentSpans = at(columns.agent).map((agent, index) => ({
      agent,
      level: at(columns.agent_level)[index] as string,
      startMs: at(columns.agent_start_ms)[index] as number,
      endMs: at(columns.agent_end_ms)[index] as number,
    }));
    return {
      organization: at(columns.organization),
      session: at(columns.session),
      part: at(columns.part),
      partner: at(columns.partner),
      reseller: at(columns.reseller),
      room: at(columns.room),
      startedMs: at(columns.started_ms),
      edges: [...behind, ...ahead],
      agentSpans,
      deadlineMs: at(columns.deadline_ms),
    };
  });
  const levels = new LiveLevels(changes, nowMs);
  return levels.held > most ? undefined : levels;
}
