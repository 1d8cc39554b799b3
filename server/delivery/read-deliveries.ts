/** The log of deliveries, the newest first, each with its attempts. */
import { and, arrayContains, asc, desc, eq, inArray, lt, or, type SQL, sql } from "drizzle-orm";
import type { Delivery, DeliveryState } from "../contract/deliveries.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Queries } from "../postgres/client.ts";
import { channels, deliveries, deliveryAttempts } from "../postgres/schema/delivery.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import type { WasWithin } from "../tree/past-owners.ts";
import { rowsWithin } from "../tree/rows-within.ts";
import { oneLine } from "./inert-text.ts";
import type { DeliveryRow } from "./outbox.ts";

export interface DeliveryFilter {
  /** What is of these nodes or below one. */
  tops: readonly NodeAddress[];
  alert?: string | undefined;
  channel?: string | undefined;
  state?: DeliveryState | undefined;
  /** Position of the last of the page before. */
  after?: number | undefined;
  limit: number;
}

/** Up to `limit`, the newest first. */
export async function listDeliveries(
  db: Queries,
  tree: Pick<NodeTree, "children">,
  { tops, ...filter }: DeliveryFilter,
): Promise<DeliveryRow[]> {
  return await db
    .select()
    .from(deliveries)
    .where(
      and(
        matches(filter),
        rowsWithin(deliveries.node, tops, tree),
        filter.after === undefined ? undefined : lt(deliveries.position, filter.after),
      ),
    )
    .orderBy(desc(deliveries.position))
    .limit(filter.limit);
}

export async function readDelivery(db: Queries, id: string): Promise<DeliveryRow | undefined> {
  const [found] = await db.select().from(deliveries).where(eq(deliveries.id, id));
  return found;
}

/** As the contract has them. `wasWithin`: their reader's past; what a message said before was for others. */
export async function describeDeliveries(
  db: Queries,
  rows: readonly DeliveryRow[],
  wasWithin: WasWithin,
): Promise<Delivery[]> {
  if (rows.length === 0) return [];
  const ids = rows.map(({ id }) => id);
  const ofChannels = [...new Set(rows.flatMap(({ channel }) => channel ?? []))];
  const attempts = await db
    .select()
    .from(deliveryAttempts)
    .where(inArray(deliveryAttempts.delivery, ids))
    .orderBy(asc(deliveryAttempts.at));
  const named = await db
    .select({ id: channels.id, name: channels.name })
    .from(channels)
    .where(inArray(channels.id, ofChannels));
  const nameOf = new Map(named.map(({ id, name }) => [id, name]));
  const attemptsOf = new Map<string, Delivery["attempts"]>(ids.map((id) => [id, []]));
  for (const { delivery, at, status, ms, excerpt } of attempts)
    attemptsOf.get(delivery)?.push({ at: at.toISOString(), status, ms, excerpt });
  return rows.map(({ id, type, node, channel, kind, to, alert, message, state, dueAt, createdAt, sentAt }) => ({
    id,
    type,
    node,
    channel,
    kind,
    to,
    alert,
    state,
    channel_name: (channel !== null && nameOf.get(channel)) || null,
    subject: wasWithin(node, createdAt) ? oneLine(message.subject) : "An earlier message",
    attempts: attemptsOf.get(id) ?? [],
    next_attempt_at: dueAt?.toISOString() ?? null,
    created_at: createdAt.toISOString(),
    sent_at: sentAt?.toISOString() ?? null,
  }));
}

/** How many tests of a channel were asked for in the last minute. */
export async function recentTests(db: Queries, channel: string): Promise<number> {
  const [found] = await db
    .select({ count: sql<number>`count(DISTINCT ${deliveries.createdAt})::int` })
    .from(deliveries)
    .where(
      sql`${deliveries.channel} = ${channel} AND ${deliveries.type} = 'channel.test' AND ${deliveries.createdAt} > now() - interval '1 minute'`,
    );
  return found?.count ?? 0;
}

function matches({ alert, channel, state }: Pick<DeliveryFilter, "alert" | "channel" | "state">): SQL | undefined {
  return and(
    alert === undefined ? undefined : or(eq(deliveries.alert, alert), arrayContains(deliveries.alerts, [alert])),
    channel === undefined ? undefined : eq(deliveries.channel, channel),
    state === undefined ? undefined : eq(deliveries.state, state),
  );
}
