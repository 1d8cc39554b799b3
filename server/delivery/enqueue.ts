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
import type { NodeTree } from "../tree/node-tree.ts";
import { tenantOf } from "../tree/tenant-of.ts";
import { alertsOf } from "./message-parts.ts";
import { listUnsubscribed } from "./unsubscribe.ts";

export type ChannelRow = typeof channels.$inferSelect;

/** The channel on which Postgres announces new deliveries when they are committed. */
export const deliveriesNotice = "tidemark_deliveries";

/** A message about an alert. */
export interface AlertMessage {
  type: Extract<MessageType, "alert.firing" | "alert.resolved" | "alert.reminder">;
  /** As GET /v1/alerts has it: a webhook carries it as `data`. Its `node` decides who may get it, its `url` is the button's. */
  alert: { id: string; node: NodeAddress; url: string };
  /** The node that decides who may get it, where that is another than the alert's. */
  about?: NodeAddress;
  /** Ids; those that are switched off or removed are left out, and those whose node does not have that node below it. */
  channels: readonly string[];
  /** One line, as a person reads it. What users named may stand in it as it is. */
  subject: string;
  /** Sentences, without markup. */
  lines: readonly string[];
  /** For a message about several alerts, as `combinedMessage` has them; a webhook gets each by itself. */
  parts?: DeliveryMessage["parts"];
  heading?: DeliveryMessage["heading"];
  /** Makes the message unique, such as `ALERT firing 1`: a second one with the same key is not written. */
  once?: string;
}

/** Mail to addresses that no channel has. */
export interface MailMessage {
  type: Exclude<MessageType, "channel.test">;
  /** Whoever may read at this node sees the deliveries. */
  node: NodeAddress;
  /** What it is about, where that is another node: its tenant's mails to an address have a bound. */
  about?: NodeAddress;
  /** It is about the service itself. */
  isSystem?: boolean;
  to: readonly string[];
  /** The list that unsubscribing ends, such as a schedule's id. */
  list: string;
  subject: string;
  lines: readonly string[];
  figures?: DeliveryMessage["figures"];
  chart?: DeliveryMessage["chart"];
  rows?: NonNullable<DeliveryMessage["rows"]>;
  /** As in the message. */
  alerts?: readonly string[];
  parts?: DeliveryMessage["parts"];
  heading?: DeliveryMessage["heading"];
  url: string;
  button: string;
  attachments: readonly { filename: string; contentType: string; content: Buffer; cid?: string }[];
  brand?: DeliveryMessage["brand"];
  /** As in a message about an alert. */
  once?: string;
}

/**
 * Writes one delivery of each message for each address of each channel and gives their ids. Call it in the transaction that
 * changes the alerts.
 */
export async function enqueueDeliveries(
  tx: Queries,
  messages: readonly AlertMessage[],
  tree: Pick<NodeTree, "isWithin" | "ancestors">,
): Promise<string[]> {
  const ids = [...new Set(messages.flatMap((message) => message.channels))];
  const found = ids.length === 0 ? [] : await tx.select().from(channels).where(inArray(channels.id, ids));
  const recipientsOf = await recipientsByChannel(tx, found);
  const rows = messages.flatMap(({ type, alert, about = alert.node, channels: wanted, ...said }) => {
    const { subject, lines, parts, heading, once } = said;
    const hearing = found.filter((one) => wanted.includes(one.id) && one.enabled && tree.isWithin(about, one.node));
    const message: DeliveryMessage = {
      subject,
      lines: [...lines],
      url: alert.url,
      data: parts ? null : alert,
      button: parts ? "View alerts" : "View alert",
      ...(parts && { parts }),
      ...(heading && { heading }),
    };
    const content = { type, aboutNode: about, alert: alert.id, message, once };
    return deliveriesTo(hearing, recipientsOf, content);
  });
  return await insertDeliveries(tx, tree, rows);
}

/** Writes one delivery for each address and gives their ids; who unsubscribed from the list gets none. */
export async function enqueueMail(
  tx: Queries,
  tree: Tenants,
  { type, node, about = node, to, list, subject, lines, url, button, attachments: files, once, ...more }: MailMessage,
): Promise<string[]> {
  const kept = await keepAttachments(tx, files);
  const { figures, chart, rows, alerts, parts, heading, brand, isSystem } = more;
  const message: DeliveryMessage = {
    subject,
    lines: [...lines],
    url,
    button,
    data: null,
    attachments: kept,
    ...(figures && { figures }),
    ...(chart && { chart }),
    ...(rows && { rows }),
    ...(alerts && { alerts: [...alerts] }),
    ...(parts && { parts }),
    ...(heading && { heading }),
    ...(brand && { brand }),
  };
  const addresses = await subscribers(tx, list, to);
  return await insertDeliveries(
    tx,
    tree,
    addresses.map((address) => ({
      type,
      node,
      aboutNode: about,
      kind: "email" as const,
      to: address,
      list,
      message,
      isSystem,
      ...(once !== undefined && { once: `${once} ${address}` }),
    })),
  );
}

/** Writes that a report's files are to be put into the operator's bucket, below `path`; gives the delivery's id, if it is new. */
export async function enqueuePut(
  tx: Queries,
  tree: Tenants,
  put: { node: NodeAddress; list: string; path: string; message: DeliveryMessage; once: string },
): Promise<string[]> {
  const { node, list, path, message, once } = put;
  const about = { type: "report" as const, kind: "bucket" as const, node, aboutNode: node };
  return await insertDeliveries(tx, tree, [{ ...about, list, to: path, message, once: `${once} bucket` }]);
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

interface DeliveryContent {
  type: MessageType;
  aboutNode: NodeAddress;
  alert: string | null;
  message: DeliveryMessage;
  once?: string | undefined;
}

/** The same for channels that the caller has read in this transaction. */
export async function writeDeliveries(
  tx: Queries,
  tree: Tenants,
  to: readonly ChannelRow[],
  content: DeliveryContent,
): Promise<string[]> {
  return await insertDeliveries(tx, tree, deliveriesTo(to, await recipientsByChannel(tx, to), content));
}

/** The addresses of each channel but those that unsubscribed; null alone where it has a URL. */
async function recipientsByChannel(
  tx: Queries,
  to: readonly ChannelRow[],
): Promise<Map<string, readonly (string | null)[]>> {
  const recipients = new Map<string, readonly (string | null)[]>();
  for (const { id, kind, to: list } of to)
    recipients.set(id, list === null ? [null] : kind === "email" ? await subscribers(tx, id, list) : list);
  return recipients;
}

function deliveriesTo(
  to: readonly ChannelRow[],
  recipientsOf: ReadonlyMap<string, readonly (string | null)[]>,
  { once, ...same }: DeliveryContent,
): NewDelivery[] {
  return to.flatMap(({ id: channel, node, kind }) =>
    (recipientsOf.get(channel) ?? []).map((recipient) => ({
      ...same,
      node,
      channel,
      kind,
      to: recipient,
      list: kind === "email" ? channel : null,
      ...(once !== undefined && { once: [once, channel, ...(recipient === null ? [] : [recipient])].join(" ") }),
    })),
  );
}

type NewDelivery = Omit<typeof deliveries.$inferInsert, "id" | "alerts" | "tenant">;
type Tenants = Pick<NodeTree, "ancestors">;

const rowsPerStatement = 1_000;

async function insertDeliveries(tx: Queries, tree: Tenants, rows: readonly NewDelivery[]): Promise<string[]> {
  const ids: string[] = [];
  for (let start = 0; start < rows.length; start += rowsPerStatement) {
    const some = rows.slice(start, start + rowsPerStatement);
    const written = await tx
      .insert(deliveries)
      .values(
        some.map((row) => ({
          ...row,
          id: newId("dlv"),
          dueAt: sql`now()`,
          alerts: alertsOf(row.message),
          tenant: tenantOf(row.aboutNode, tree),
        })),
      )
      .onConflictDoNothing()
      .returning({ id: deliveries.id });
    ids.push(...written.map(({ id }) => id));
  }
  if (ids.length > 0) await tx.execute(sql`SELECT pg_notify(${deliveriesNotice}, '')`);
  return ids;
}

async function subscribers(tx: Queries, list: string, addresses: readonly string[]): Promise<string[]> {
  const left = new Set((await listUnsubscribed(tx, [list])).get(list));
  return addresses.filter((address) => !left.has(address.toLowerCase()));
}
