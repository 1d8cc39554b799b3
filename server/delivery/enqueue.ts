/**
 * The way into the outbox. A delivery is written in the transaction of the change that it reports: both exist or neither
 * does. The courier sends it, woken when the transaction commits.
 */
import { hash } from "node:crypto";
import { inArray, sql } from "drizzle-orm";
import type { MessageType } from "../contract/deliveries.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { newId } from "../identity/actor.ts";
import type { Queries } from "../postgres/client.ts";
import { attachments, channels, type DeliveryMessage, deliveries } from "../postgres/schema/delivery.ts";
import { listUnsubscribed } from "./unsubscribe.ts";

export type ChannelRow = typeof channels.$inferSelect;

/** The channel on which Postgres announces new deliveries when they are committed. */
export const deliveriesNotice = "tidemark_deliveries";

/** A message about an alert. */
export interface AlertMessage {
  type: Extract<MessageType, "alert.firing" | "alert.resolved" | "alert.reminder">;
  /** As GET /v1/alerts has it: a webhook carries it as `data`. Its `node` decides who may hear of it, its `url` is the button's. */
  alert: { id: string; node: NodeAddress; url: string };
  /** Of a list of several: all that it names. */
  nodes?: readonly NodeAddress[];
  /** Ids; those that are switched off or removed are left out, and those whose node does not have the alert's below it. */
  channels: readonly string[];
  /** One line, as a person reads it. What users named may stand in it as it is. */
  subject: string;
  /** Sentences, without markup. */
  lines: readonly string[];
  /** Makes the message unique, such as `ALERT firing 1`: a second one with the same key is not written. */
  once?: string;
}

/** Mail to addresses that no channel has. */
export interface MailMessage {
  type: Exclude<MessageType, "channel.test">;
  /** Who may read here sees the deliveries. */
  node: NodeAddress;
  /** What it tells of, where that is another node: its tenant's mails to an address have a bound. */
  about?: NodeAddress;
  /** It tells of the service itself. */
  isSystem?: boolean;
  to: readonly string[];
  /** The list that unsubscribing ends, such as a schedule's id. */
  list: string;
  subject: string;
  lines: readonly string[];
  rows?: NonNullable<DeliveryMessage["rows"]>;
  /** As in the message. */
  alerts?: readonly string[];
  url: string;
  button: string;
  attachments: readonly { filename: string; contentType: string; content: Buffer; cid?: string }[];
  brand?: DeliveryMessage["brand"];
  /** As in a message about an alert. */
  once?: string;
}

/**
 * Writes one delivery for each address of each channel and gives their ids. Call it in the transaction that changes the alert.
 */
export async function enqueueDeliveries(
  tx: Queries,
  { type, alert, nodes, channels: wanted, subject, lines, once }: AlertMessage,
  tree: { isWithin(node: NodeAddress, ancestor: NodeAddress): boolean },
): Promise<string[]> {
  const ids = [...new Set(wanted)];
  const found = ids.length === 0 ? [] : await tx.select().from(channels).where(inArray(channels.id, ids));
  const hearing = found.filter((one) => one.enabled && tree.isWithin(alert.node, one.node));
  const message = {
    ...{ subject, lines: [...lines], url: alert.url, button: "Open the alert", data: alert },
    ...(nodes && nodes.length > 1 && { nodes: [...nodes] }),
  };
  return await writeDeliveries(tx, hearing, { type, aboutNode: alert.node, alert: alert.id, message, once });
}

/** Writes one delivery for each address and gives their ids; who unsubscribed from the list gets none. */
export async function enqueueMail(
  tx: Queries,
  { type, node, about = node, to, list, subject, lines, url, button, attachments: files, once, ...rest }: MailMessage,
): Promise<string[]> {
  const kept = await keepAttachments(tx, files);
  const { rows, alerts, brand, isSystem } = rest;
  const message: DeliveryMessage = {
    subject,
    lines: [...lines],
    url,
    button,
    data: null,
    attachments: kept,
    ...(rows && { rows }),
    ...(alerts && { alerts: [...alerts] }),
    ...(brand && { brand }),
    ...(isSystem && { isSystem }),
  };
  const addresses = await subscribers(tx, list, to);
  return await insertDeliveries(
    tx,
    addresses.map((address) => ({
      ...{ type, node, aboutNode: about, kind: "email" as const, to: address, list, message },
      ...(once !== undefined && { once: `${once} ${address}` }),
    })),
  );
}

/** Writes that a report's files are to be put into the operator's bucket, below `path`; gives the delivery's id, if it is new. */
export async function enqueuePut(
  tx: Queries,
  put: { node: NodeAddress; list: string; path: string; message: DeliveryMessage; once: string },
): Promise<string[]> {
  const { node, list, path, message, once } = put;
  const about = { type: "report" as const, kind: "bucket" as const, node, aboutNode: node };
  return await insertDeliveries(tx, [{ ...about, list, to: path, message, once: `${once} bucket` }]);
}

/** Each is kept once however many messages carry it. */
export async function keepAttachments(
  tx: Queries,
  files: MailMessage["attachments"],
): Promise<NonNullable<DeliveryMessage["attachments"]>> {
  const kept: NonNullable<DeliveryMessage["attachments"]> = [];
  for (const { filename, contentType, content, cid } of files) {
    const sha256 = hash("sha256", content, "hex");
    await tx
      .insert(attachments)
      .values({ sha256, content })
      .onConflictDoUpdate({ target: attachments.sha256, set: { createdAt: sql`now()` } });
    kept.push({ filename, contentType, sha256, ...(cid !== undefined && { cid }) });
  }
  return kept;
}

/** The same for channels that the caller has read in this transaction. */
export async function writeDeliveries(
  tx: Queries,
  to: readonly ChannelRow[],
  told: {
    type: MessageType;
    aboutNode: NodeAddress;
    alert: string | null;
    message: DeliveryMessage;
    once?: string | undefined;
  },
): Promise<string[]> {
  const { once, ...same } = told;
  const rows: NewDelivery[] = [];
  for (const { id: channel, node, kind, to: list } of to) {
    const recipients = list === null ? [null] : kind === "email" ? await subscribers(tx, channel, list) : list;
    for (const recipient of recipients)
      rows.push({
        ...same,
        ...{ node, channel, kind, to: recipient, list: kind === "email" ? channel : null },
        ...(once !== undefined && { once: [once, channel, ...(recipient === null ? [] : [recipient])].join(" ") }),
      });
  }
  return await insertDeliveries(tx, rows);
}

type NewDelivery = Omit<typeof deliveries.$inferInsert, "id">;

async function insertDeliveries(tx: Queries, rows: readonly NewDelivery[]): Promise<string[]> {
  if (rows.length === 0) return [];
  const written = await tx
    .insert(deliveries)
    .values(rows.map((row) => ({ ...row, id: newId("dlv"), dueAt: sql`now()` })))
    .onConflictDoNothing()
    .returning({ id: deliveries.id });
  if (written.length > 0) await tx.execute(sql`SELECT pg_notify(${deliveriesNotice}, '')`);
  return written.map(({ id }) => id);
}

async function subscribers(tx: Queries, list: string, addresses: readonly string[]): Promise<string[]> {
  const left = new Set((await listUnsubscribed(tx, [list])).get(list));
  return addresses.filter((address) => !left.has(address.toLowerCase()));
}
