/** The agents of an organization. The tree does not hold them: each is there from its first stored event on. */
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { agentAddress, parseNode } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";

const agents = defineQuery(
  "agents",
  z.object({ organization: z.string(), search: z.string(), after: z.string(), most: z.number() }),
  z.object({ agent: z.string() }),
);

/** Up to `limit` addresses in their order, from the one behind `after` on. `organization`: its address. */
export async function readAgents(
  clickhouse: ClickHouse,
  organization: NodeAddress,
  { search = "", after = "", limit }: { search?: string | undefined; after?: string | undefined; limit: number },
): Promise<NodeAddress[]> {
  const { id } = parseNode(organization);
  const behind = after.slice(agentAddress(id, "").length);
  const found = await agents(clickhouse, { organization: id, search, after: behind, most: limit });
  return found.map(({ agent }) => agentAddress(id, agent));
}
