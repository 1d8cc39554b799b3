/**
 * Reads of watched nodes: from memory where it has them, else from storage, shared between tenants: one that watches many
 * nodes waits for itself.
 */
import { LRUCache } from "lru-cache";
import { z } from "zod";
import { askedFor, type ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import type { LiveAnswer } from "../contract/live.ts";
import { parseNode } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { FairTurns } from "../fairness/fair-turns.ts";
import { readLive } from "./read-live.ts";

const agentUsage = defineQuery(
  "agent_usage",
  z.object({ organization: z.string(), agent: z.string() }),
  z.object({ found: numberColumn }),
);

const turnLimits = {
  most: 8,
  maxWithFirst: 16,
  maxOfTenant: 4,
  maxOfCaller: 4,
  maxWaitingOfCaller: 1_000,
  maxWaitingOfTenant: 1_000,
  patienceMs: 30_000,
};
const maxAgentsHeld = 10_000;

export interface FairReads {
  /** Throws NoTurnError where too many of the same tenant wait. */
  readLive(node: NodeAddress): Promise<LiveAnswer>;
  /** An agent is known from its first stored event on; nodes of other kinds are all known to the tree. Throws as `readLive` does. */
  isKnown(node: NodeAddress): Promise<boolean>;
}

export interface FairReadsDeps {
  clickhouse: ClickHouse;
  watermark: () => Date;
  tenantOf: (node: NodeAddress) => string;
  /** What memory has costs nobody anything, and waits for no turn; undefined: storage is to be read. */
  heldLive: (node: NodeAddress) => Promise<LiveAnswer | undefined>;
}

export function createFairReads({ clickhouse, watermark, tenantOf, heldLive }: FairReadsDeps): FairReads {
  const store = askedFor(clickhouse);
  const turns = new FairTurns(turnLimits);
  const known = new LRUCache<NodeAddress, true>({ max: maxAgentsHeld });
  async function inTurn<Answer>(node: NodeAddress, read: () => Promise<Answer>): Promise<Answer> {
    const tenant = tenantOf(node);
    const over = await turns.take({ tenant, id: tenant });
    try {
      return await read();
    } finally {
      over();
    }
  }
  return {
    readLive: async (node) =>
      (await heldLive(node)) ?? (await inTurn(node, () => readLive(store, node, watermark(), Date.now()))),
    async isKnown(node) {
      const parsed = parseNode(node);
      if (parsed.kind !== "agent" || known.has(node)) return true;
      const { organization, agent } = parsed;
      const [found] = await inTurn(node, () => agentUsage(store, { organization, agent }));
      if (found) known.set(node, true);
      return found !== undefined;
    },
  };
}
