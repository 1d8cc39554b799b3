/** When organizations and keys last sent: read once from what is stored, then from each batch as it comes. */
import { and, gt, inArray, isNull, or } from "drizzle-orm";
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { parseNode } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { ConditionOf } from "../contract/rules.ts";
import type { Postgres } from "../postgres/client.ts";
import { apiKeys } from "../postgres/schema/accounts.ts";
import { judgeSilence, type SendingKey } from "./judge-silence.ts";
import type { Judged } from "./judged.ts";

const lastEventsOfKeys = defineQuery(
  "last_events_of_keys",
  z.object({ after: z.number(), settled: z.number(), from_ms: z.number() }),
  z.object({ organization: z.string(), key: z.string(), first_ms: z.coerce.number(), last_ms: z.coerce.number() }),
);

/** Organizations silent for longer are not watched any more. */
const awaitedMs = 90 * 24 * 60 * 60_000;

interface Sent {
  firstMs: number;
  lastMs: number;
}

interface SilenceSource {
  clickhouse: ClickHouse;
  postgres: Pick<Postgres, "db">;
}

export class LastEvents {
  readonly #byOrganization = new Map<string, Map<string, Sent>>();
  #batch = 0;

  /** Up to the batch `settled`. */
  async read(clickhouse: ClickHouse, settled: number, atMs: number): Promise<void> {
    if (settled <= this.#batch) return;
    const asked = { after: this.#batch, settled, from_ms: atMs - awaitedMs };
    for (const { organization, key, first_ms, last_ms } of await lastEventsOfKeys(clickhouse, asked)) {
      const keys = this.#byOrganization.get(organization) ?? new Map<string, Sent>();
      const known = keys.get(key);
      const firstMs = Math.min(first_ms, known?.firstMs ?? first_ms);
      keys.set(key, { firstMs, lastMs: Math.max(last_ms, known?.lastMs ?? last_ms) });
      this.#byOrganization.set(organization, keys);
    }
    this.#batch = settled;
  }

  /** By key, of these organizations together. */
  of(organizations: readonly string[], atMs: number): ReadonlyMap<string, Sent> {
    const together = new Map<string, Sent>();
    for (const organization of organizations)
      for (const [key, { firstMs, lastMs }] of this.#byOrganization.get(organization) ?? []) {
        if (atMs - lastMs > awaitedMs) continue;
        const known = together.get(key);
        const last = Math.max(lastMs, known?.lastMs ?? lastMs);
        together.set(key, { firstMs: Math.min(firstMs, known?.firstMs ?? firstMs), lastMs: last });
      }
    return together;
  }
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
  tree: { organizationsOf: (node: NodeAddress) => readonly string[]; isWithin(node: string, top: string): boolean },
  atMs: number,
): Promise<Judged[]> {
  const sent = nodes.map((node) => ({ node, keys: last.of(organizationsAt(node, tree.organizationsOf), atMs) }));
  const keys = await readKeys(db, [...new Set(sent.flatMap((one) => [...one.keys.keys()]))], atMs);
  return sent.flatMap(({ node, keys: of }) => {
    const lasts = [...of.values()].map(({ lastMs }) => lastMs);
    const lastMs = lasts.length === 0 ? undefined : lasts.reduce((latest, ms) => Math.max(latest, ms));
    const own = [...of].flatMap(([id, times]): SendingKey[] => {
      const key = keys.get(id);
      return key && tree.isWithin(key.node, node) ? [{ id, name: key.name, ...times }] : [];
    });
    return judgeSilence(condition, node, { lastMs, keys: own }, atMs);
  });
}

const keysPerStatement = 5_000;

async function readKeys(db: Postgres["db"], ids: readonly string[], atMs: number) {
  const known = new Map<string, { name: string; node: NodeAddress }>();
  const canSend = and(isNull(apiKeys.revokedAt), or(isNull(apiKeys.expiresAt), gt(apiKeys.expiresAt, new Date(atMs))));
  for (let start = 0; start < ids.length; start += keysPerStatement) {
    const some = inArray(apiKeys.id, ids.slice(start, start + keysPerStatement));
    for (const { id, name, node } of await db.select().from(apiKeys).where(and(some, canSend)))
      known.set(id, { name, node });
  }
  return known;
}

function organizationsAt(node: NodeAddress, below: (node: NodeAddress) => readonly string[]): readonly string[] {
  const parsed = parseNode(node);
  if (parsed.kind === "organization") return [parsed.id];
  return parsed.kind === "agent" ? [parsed.organization] : below(node);
}
