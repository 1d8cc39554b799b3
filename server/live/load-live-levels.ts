/** The live levels as storage has them, to begin with. */
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineColumnsQuery } from "../clickhouse/define-query.ts";
import type { DerivedChange } from "../rollups/derived-change.ts";
import { heldLevels, LiveLevels } from "./live-levels.ts";

const liveSessions = defineColumnsQuery("live_sessions", z.object({ at_ms: z.number(), levels: z.array(z.string()) }), {
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

/** Right as long as nothing is derived meanwhile. `nowMs`: ms since 1970, UTC. */
export async function loadLiveLevels(clickhouse: ClickHouse, nowMs: number): Promise<LiveLevels> {
  const { rows, columns } = await liveSessions(clickhouse, { at_ms: nowMs, levels: [...heldLevels] });
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
  return new LiveLevels(changes, nowMs);
}
