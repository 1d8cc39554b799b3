/**
 * How many mails about alerts reach an address within an hour. The bound is that of one tenant, so that what one of them lets
 * fire takes nothing of another's, nor of what the service says about itself; and what waits in a person's own list waits as one mail.
 */
import { and, count, eq, inArray, isNull, sql } from "drizzle-orm";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { type DeliveryMessage, deliveries, deliveryAttempts, type MessagePart } from "../postgres/schema/delivery.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { tenantOf } from "../tree/tenant-of.ts";
import { combinedMessage } from "./message-parts.ts";
import type { DeliveryRow } from "./outbox.ts";

/** It was not tried, since its receiver has had as much as it may have for now. */
export interface Held {
  result: "held";
  until: Date;
  excerpt: string;
}

/** To one address about one tenant: from its channels, and as many from the person's own list, of which channels take nothing. */
const alertMailsPerHour = 60;
/** To one address about all tenants together; mails about the root itself in a person's own list are not among them. */
const mailsOfTenantsPerHour = 600;

type Tree = Pick<NodeTree, "ancestors">;
type Bounded = Pick<DeliveryRow, "node" | "aboutNode" | "channel" | "isSystem">;

/** What shares a bound: a tenant, or the service's word of itself. */
function senderOf({ node, aboutNode, channel, isSystem }: Bounded, tree: Tree): string {
  if (isSystem) return "system";
  return tenantOf(channel === null ? aboutNode : node, tree);
}

/** Undefined where one more mail about an alert may go to the address now; else until when it waits. */
export async function alertMailsHeld(
  { pool }: Pick<Postgres, "pool">,
  tree: Tree,
  row: Bounded & Pick<DeliveryRow, "to" | "position" | "list">,
): Promise<Held | undefined> {
  const { to, position, channel, list } = row;
  const own = senderOf(row, tree);
  const isRoots = channel === null && (own === "system" || own === "all");
  // Each sending counts, also of one that is sent again. What is being sent counts as sent, so that those that are sent at once
  // are not more either.
  const { rows: sent } = await pool.query<{ node: NodeAddress; system: boolean; until: Date }>(
    `WITH mails AS (
       SELECT id, CASE WHEN channel IS NULL THEN about_node ELSE node END AS node,
         is_system AS system, position, due_at, claimed_until
       FROM deliveries
       WHERE kind = 'email' AND lower("to") = lower($1) AND type LIKE 'alert.%'
         AND (sent_at > now() - interval '1 hour' OR sent_at IS NULL)
         AND (CASE WHEN channel IS NULL THEN list END) IS NOT DISTINCT FROM $3::text
     )
     SELECT node, system, until FROM (
       SELECT node, system, at, at + interval '1 hour' AS until FROM mails JOIN delivery_attempts ON delivery = id
       WHERE at > now() - interval '1 hour' AND status BETWEEN 200 AND 299
       UNION ALL
       SELECT node, system, now(), now() + interval '1 minute' FROM mails
       WHERE due_at IS NOT NULL AND claimed_until >= now() AND position < $2
     ) AS sent ORDER BY at DESC LIMIT $4`,
    [to, position, channel === null ? list : null, 2 * mailsOfTenantsPerHour],
  );
  const named = sent.map((one) => ({ ...one, sender: one.system ? "system" : tenantOf(one.node, tree) }));
  const ofSender = named.filter(({ sender }) => sender === own);
  const ofTenants = channel === null ? named.filter(({ sender }) => sender !== "system" && sender !== "all") : named;
  const full = (isRoots ? undefined : ofTenants[mailsOfTenantsPerHour - 1]) ?? ofSender[alertMailsPerHour - 1];
  const excerpt = "this address has received the most alert emails allowed within an hour; this one waits";
  return full && { result: "held", until: full.until, excerpt };
}

/** Leaves it waiting, with all its tries; the reason is recorded once. In a person's own list it takes in what waits about the same tenant. */
export async function holdDelivery(
  tx: Queries,
  { tree, publicUrl }: { tree: Tree; publicUrl: string },
  row: DeliveryRow,
  { until, excerpt }: Held,
): Promise<void> {
  const { id, claim, list } = row;
  // One after the other: the last to be held finds all others free, and takes them in.
  if (row.channel === null) await tx.execute(sql`SELECT pg_advisory_xact_lock(hashtext(${`held mails of ${list}`}))`);
  const mine = claim === null ? isNull(deliveries.claim) : eq(deliveries.claim, claim);
  const [held] = await tx
    .update(deliveries)
    .set({ claim: null, claimedUntil: null, dueAt: until })
    .where(and(eq(deliveries.id, id), mine))
    .returning();
  if (!held) return;
  if (held.channel === null) await takeInWaiting(tx, { tree, publicUrl }, held);
  const [attempts] = await tx
    .select({ times: count() })
    .from(deliveryAttempts)
    .where(eq(deliveryAttempts.delivery, id));
  if (attempts?.times === 0)
    await tx.insert(deliveryAttempts).values({ delivery: id, at: new Date(), status: null, ms: 0, excerpt });
}

const takenInAtOnce = 1_000;

async function takeInWaiting(
  tx: Queries,
  { tree, publicUrl }: { tree: Tree; publicUrl: string },
  held: typeof deliveries.$inferSelect,
): Promise<void> {
  const waiting = await tx
    .select()
    .from(deliveries)
    .where(
      sql`${deliveries.channel} IS NULL AND ${deliveries.list} = ${held.list} AND ${deliveries.kind} = 'email'
        AND ${deliveries.to} = ${held.to} AND ${deliveries.type} LIKE 'alert.%' AND ${deliveries.id} <> ${held.id}
        AND ${deliveries.dueAt} IS NOT NULL AND ${deliveries.state} = 'waiting'
        AND (${deliveries.claimedUntil} IS NULL OR ${deliveries.claimedUntil} < now())`,
    )
    .orderBy(deliveries.position)
    .limit(takenInAtOnce)
    .for("update", { skipLocked: true });
  const same = waiting.filter((one) => senderOf(one, tree) === senderOf(held, tree));
  if (same.length === 0) return;
  const ordered = [...same, held].sort((a, b) => a.position - b.position);
  const split = ordered.map(({ message, aboutNode }) => partsOf(message, aboutNode));
  const parts = split.flatMap(({ kept }) => kept);
  const more = split.reduce((sum, one) => sum + one.more, 0);
  await tx
    .update(deliveries)
    .set({
      message: { ...held.message, ...folded(parts, more), url: `${publicUrl}/alerts`, button: "View alerts" },
      alerts: [...new Set(ordered.flatMap(({ alerts }) => alerts))],
    })
    .where(eq(deliveries.id, held.id));
  const ids = same.map(({ id }) => id);
  await tx.delete(deliveries).where(inArray(deliveries.id, ids));
}

/** A mail that says this much is read; the page that its button opens has the rest. */
const maxParts = 50;
const partsOfMessage = 3;

/** What one message has to say in the mail that takes the place of several. */
function partsOf(message: DeliveryMessage, node: NodeAddress): { kept: MessagePart[]; more: number } {
  const { parts, heading, alerts = [], lines, more = 0 } = message;
  if (!parts) return { kept: [{ alerts, node, lines }], more };
  // An earlier version wrote parts without their node.
  const own = parts.map((part) => ({ ...part, node: part.node ?? node }));
  if (heading?.of === "waited") return { kept: own, more };
  const kept = own.slice(0, partsOfMessage);
  return { kept, more: more + own.length - kept.length };
}

/** One mail in place of several, the earliest first. */
function folded(parts: readonly MessagePart[], more: number): Partial<DeliveryMessage> {
  const kept = parts.slice(0, maxParts);
  const left = more + parts.length - kept.length;
  return { ...combinedMessage({ of: "waited" }, kept, left), more: left };
}
