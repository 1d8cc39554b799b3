/** The live levels as storage has them, to begin with. */
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineColumnsQuery, defineQuery } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { nodeAddress } from "../contract/node-address.ts";
import type { DerivedChange } from "../rollups/derived-change.ts";
import { beyondShare } from "./fair-share.ts";
import { heldLevels, LiveLevels } from "./live-levels.ts";

const askedSchema = z.object({ at_ms: z.number(), levels: z.array(z.string()), most: z.number() });
const liveSessionsHeld = defineQuery(
  "live_sessions_held",
  askedSchema,
  z.object({
    organization: z.string(),
    held: numberColumn,
    partners: z.array(z.string()),
    resellers: z.array(z.string()),
  }),
);
const withoutSchema = askedSchema.extend({ after: z.string(), until: z.string(), without: z.array(z.string()) });
const liveSessions = defineColumnsQuery("live_sessions", withoutSchema, {
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

/** Names in one statement: a server takes parameters only up to some length. */
const maxBytesLeftOut = 65_536;

/**
 * Right as long as nothing is derived meanwhile. Organizations that are beyond their tenant's share of `most` (see `LiveLevels.held`)
 * are left out, and nothing of them is fetched; undefined: more organizations than `most` have something. `nowMs`: ms since 1970, UTC.
 */
export async function loadLiveLevels(
  clickhouse: ClickHouse,
  nowMs: number,
  most: number,
  tenantOf: (organization: string) => string,
): Promise<LiveLevels | undefined> {
  // One more than may be: so it shows that there are more.
  const asked = { at_ms: nowMs, levels: [...heldLevels], most: most + 1 };
  const counted = await liveSessionsHeld(clickhouse, asked);
  if (counted.length > most) return undefined;
  const without = beyondShare(
    counted.map(({ organization, held }) => ({ organization, held, tenant: tenantOf(organization) })),
    most,
  );
  const changes: DerivedChange[] = [];
  for (const piece of piecesWithout(without)) {
    for (const change of changesOf(await liveSessions(clickhouse, { ...asked, ...piece }), nowMs)) changes.push(change);
    if (changes.length > most) return undefined;
  }
  const above = counted
    .filter(({ organization }) => without.has(organization))
    .flatMap(({ partners, resellers }) => [
      ...partners.map((id) => nodeAddress("partner", id)),
      ...resellers.map((id) => nodeAddress("reseller", id)),
    ]);
  return new LiveLevels(changes, nowMs, { organizations: without, above });
}

/** All organizations, in pieces of their order: each names few of those to leave out. */
function piecesWithout(all: ReadonlySet<string>): { after: string; until: string; without: string[] }[] {
  const first = { after: "", until: "", without: [] as string[] };
  const pieces = [first];
  let [last, bytes] = [first, 0];
  // As storage orders them.
  for (const name of [...all].map((id) => Buffer.from(id)).sort(Buffer.compare)) {
    if (bytes + name.length > maxBytesLeftOut) {
      last.until = last.without.at(-1) as string;
      last = { after: last.until, until: "", without: [] };
      pieces.push(last);
      bytes = 0;
    }
    last.without.push(name.toString());
    bytes += name.length;
  }
  return pieces;
}

function changesOf({ rows, columns }: Awaited<ReturnType<typeof liveSessions>>, nowMs: number): DerivedChange[] {
  return Array.from({ length: rows }, (_, row): DerivedChange => {
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
}
