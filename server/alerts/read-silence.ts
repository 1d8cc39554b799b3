/** When organizations, agents and keys last sent: read once from what is stored, then from each batch as it comes. */

import { and, gt, inArray, isNull, or } from "drizzle-orm";
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { dayMs } from "../contract/durations.ts";
import { agentAddress, nodeAddress, parseNode } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { ConditionOf } from "../contract/rules.ts";
import type { Postgres } from "../postgres/client.ts";
import { apiKeys } from "../postgres/schema/accounts.ts";
import { evaluateSilence, type SendingKey } from "./evaluate-silence.ts";
import type { Finding } from "./finding.ts";

const lastEventsOfKeys = defineQuery(
  "last_events_of_keys",
  z.object({ after: z.number(), settled: z.number(), from_ms: z.number() }),
  z.object({ organization: z.string(), key: z.string(), first_ms: numberColumn, last_ms: numberColumn }),
);

const lastEventsOfAgents = defineQuery(
  "last_events_of_agents",
  z.object({
    organizations: z.array(z.string()),
    agents: z.array(z.string()),
    after: z.number(),
    settled: z.number(),
    from_ms: z.number(),
  }),
  z.object({
    organization: z.string(),
    agent: z.string(),
    key: z.string(),
    first_ms: numberColumn,
    last_ms: numberColumn,
  }),
);

/** Whoever is silent for longer is no longer watched. */
export const awaitedMs = 90 * dayMs;

interface Sent {
  firstMs: number;
  lastMs: number;
}

type SentByKey = Map<string, Sent>;

interface SilenceSource {
  clickhouse: ClickHouse;
  postgres: Pick<Postgres, "db">;
}

export class LastEvents {
  /** By organization, and by those agents that a rule asks about. */
  readonly #bySender = new Map<NodeAddress, SentByKey>();
  readonly #agents = new Set<NodeAddress>();
  #batch = 0;

  /** Up to the batch `settled`. `agents`: all that are asked about. */
  async read(
    clickhouse: ClickHouse,
    { settled, atMs, agents }: { settled: number; atMs: number; agents: readonly NodeAddress[] },
  ): Promise<void> {
    const fromMs = atMs - awaitedMs;
    const added = agents.filter((agent) => !this.#agents.has(agent));
    if (settled > this.#batch) {
      const asked = { after: this.#batch, settled, from_ms: fromMs };
      const rows = await lastEventsOfKeys(clickhouse, asked);
      const ofAgents = await readAgents(
        clickhouse,
        agents.filter((agent) => this.#agents.has(agent)),
        asked,
      );
      for (const row of rows) this.#note(nodeAddress("organization", row.organization), row);
      for (const [agent, row] of ofAgents) this.#note(agent, row);
      this.#batch = settled;
    }
    const found = await readAgents(clickhouse, added, { after: 0, settled: this.#batch, from_ms: fromMs });
    for (const [agent, row] of found) this.#note(agent, row);
    for (const agent of added) this.#agents.add(agent);
  }

  #note(sender: NodeAddress, { key, first_ms, last_ms }: { key: string; first_ms: number; last_ms: number }): void {
    const keys = this.#bySender.get(sender) ?? new Map<string, Sent>();
    this.#bySender.set(sender, keys);
    const known = keys.get(key);
    const firstMs = Math.min(first_ms, known?.firstMs ?? first_ms);
    keys.set(key, { firstMs, lastMs: Math.max(last_ms, known?.lastMs ?? last_ms) });
  }

  /** By key, of these senders together. */
  of(senders: readonly NodeAddress[], atMs: number): ReadonlyMap<string, Sent> {
    const together = new Map<string, Sent>();
    for (const sender of senders)
      for (const [key, { firstMs, lastMs }] of this.#bySender.get(sender) ?? []) {
        if (atMs - lastMs > awaitedMs) continue;
        const known = together.get(key);
        const last = Math.max(lastMs, known?.lastMs ?? lastMs);
        together.set(key, { firstMs: Math.min(firstMs, known?.firstMs ?? firstMs), lastMs: last });
      }
    return together;
  }
}

async function readAgents(
  clickhouse: ClickHouse,
  agents: readonly NodeAddress[],
  asked: { after: number; settled: number; from_ms: number },
) {
  if (agents.length === 0) return [];
  const wanted = new Set(agents);
  const parsed = agents.flatMap((agent) => parseNode(agent)).filter((one) => one.kind === "agent");
  const organizations = [...new Set(parsed.map(({ organization }) => organization))];
  const names = [...new Set(parsed.map(({ agent }) => agent))];
  const rows = await lastEventsOfAgents(clickhouse, { ...asked, organizations, agents: names });
  return rows
    .map((row) => [agentAddress(row.organization, row.agent), row] as const)
    .filter(([agent]) => wanted.has(agent));
}

/**
 * `organizationsOf`: below a node that is none itself. Keys are awaited where they stand at the node or below it, and can
 * still send.
 */
export async function readSilence(
  { postgres: { db } }: SilenceSource,
  last: LastEvents,
  condition: ConditionOf<"no_data">,
  nodes: readonly NodeAddress[],
  tree: {
    organizationsOf: (node: NodeAddress) => readonly NodeAddress[];
    isWithin(node: string, top: string): boolean;
  },
  atMs: number,
): Promise<Finding[]> {
  const sent = nodes.map((node) => ({ node, keys: last.of(sendersAt(node, tree.organizationsOf), atMs) }));
  const keys = await readKeys(db, [...new Set(sent.flatMap((one) => [...one.keys.keys()]))], atMs);
  return sent.flatMap(({ node, keys: of }) => {
    const lasts = [...of.values()].map(({ lastMs }) => lastMs);
    const lastMs = lasts.length === 0 ? undefined : lasts.reduce((latest, ms) => Math.max(latest, ms));
    const own = [...of].flatMap(([id, times]): SendingKey[] => {
      const key = keys.get(id);
      return key && tree.isWithin(key.node, node) ? [{ id, name: key.name, ...times }] : [];
    });
    return evaluateSilence(condition, node, { lastMs, keys: own }, atMs);
  });
}

const keysPerStatement = 5_000;

/** By id, those among them that can send at the instant. `endsMs`: from when on they cannot; ms since 1970, UTC. */
export async function readKeys(db: Postgres["db"], ids: readonly string[], atMs: number) {
  const known = new Map<string, { name: string; node: NodeAddress; endsMs: number }>();
  const at = new Date(atMs);
  const isLater = (ends: typeof apiKeys.revokedAt | typeof apiKeys.expiresAt) => or(isNull(ends), gt(ends, at));
  const canSend = and(isLater(apiKeys.revokedAt), isLater(apiKeys.expiresAt));
  for (let start = 0; start < ids.length; start += keysPerStatement) {
    const some = inArray(apiKeys.id, ids.slice(start, start + keysPerStatement));
    for (const { id, name, node, revokedAt, expiresAt } of await db.select().from(apiKeys).where(and(some, canSend))) {
      const endsMs = Math.min(...[revokedAt, expiresAt].map((ends) => ends?.getTime() ?? Number.POSITIVE_INFINITY));
      known.set(id, { name, node, endsMs });
    }
  }
  return known;
}

function sendersAt(node: NodeAddress, below: (node: NodeAddress) => readonly NodeAddress[]): readonly NodeAddress[] {
  const { kind } = parseNode(node);
  return kind === "organization" || kind === "agent" ? [node] : below(node);
}
