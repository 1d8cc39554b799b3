/** Which organizations sent nothing for how long, of those that used to send. */
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { parseNode } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { ConditionOf } from "../contract/rules.ts";
import type { Judged } from "./judged.ts";

const lastEvents = defineQuery(
  "last_events",
  z.object({ organizations: z.array(z.string()), from_ms: z.number() }),
  z.object({ organization: z.string(), last_ms: z.coerce.number() }),
);

/** Organizations silent for longer are not watched any more. */
const awaitedMs = 90 * 24 * 60 * 60_000;

/** `organizationsOf`: the organizations below a node that is not one itself. One that never sent has no finding. */
export async function readSilence(
  clickhouse: ClickHouse,
  condition: ConditionOf<"no_data">,
  nodes: readonly NodeAddress[],
  organizationsOf: (node: NodeAddress) => readonly string[],
  atMs: number,
): Promise<Judged[]> {
  const of = new Map(nodes.map((node) => [node, organizationsAt(node, organizationsOf)]));
  const organizations = [...new Set([...of.values()].flat())];
  if (organizations.length === 0) return [];
  const silentMs = condition.silent_minutes * 60_000;
  const fromMs = atMs - silentMs - awaitedMs;
  const rows = await lastEvents(clickhouse, { organizations, from_ms: fromMs });
  const lastOf = new Map(rows.map(({ organization, last_ms }) => [organization, last_ms]));
  return nodes.flatMap((node): Judged[] => {
    const lasts = (of.get(node) ?? []).flatMap((organization) => lastOf.get(organization) ?? []);
    if (lasts.length === 0) return [];
    const lastMs = lasts.reduce((latest, ms) => Math.max(latest, ms), 0);
    const minutes = Math.max(0, Math.floor((atMs - lastMs) / 60_000));
    return [
      {
        ...{ node, subject: "", once: null, threshold: condition.silent_minutes, value: String(minutes) },
        finding: atMs - lastMs >= silentMs ? "holds" : "clears",
        explanation: `The last event came at ${new Date(lastMs).toISOString()}, ${minutes} minutes before; told after ${condition.silent_minutes}.`,
      },
    ];
  });
}

function organizationsAt(node: NodeAddress, below: (node: NodeAddress) => readonly string[]): readonly string[] {
  const parsed = parseNode(node);
  if (parsed.kind === "organization") return [parsed.id];
  return parsed.kind === "agent" ? [parsed.organization] : below(node);
}
