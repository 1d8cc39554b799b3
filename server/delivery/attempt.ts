/** One attempt to deliver one message, by the kind of its channel. */

import { inArray } from "drizzle-orm";
import type { MailLimits } from "../mail/mail-limits.ts";
import type { Mailer } from "../mail/mailer.ts";
import type { Postgres } from "../postgres/client.ts";
import { attachments, type DeliveryMessage } from "../postgres/schema/delivery.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { disableChannel, readChannel } from "./channels.ts";
import type { Egress } from "./egress.ts";
import type { ChannelRow } from "./enqueue.ts";
import { alertMailsHeld, type Held } from "./held-mails.ts";
import { oneLine } from "./inert-text.ts";
import { alertsOf, narrowed } from "./message-parts.ts";
import type { DeliveryRow, Outcome } from "./outbox.ts";
import { requestAt, stillBelow } from "./outgoing-request.ts";
import { again, never, posted, reasonOf, unwanted } from "./posted.ts";
import { renderMail } from "./render-mail.ts";
import { type SmsSettings, sendSms } from "./send-sms.ts";
import { isUnsubscribed, type UnsubscribeLinks } from "./unsubscribe.ts";
import type { Vault } from "./vault.ts";

export interface SendingDeps {
  postgres: Postgres;
  vault: Vault;
  egress: Egress;
  /** Absent without a mail server. */
  mailer: Mailer | undefined;
  mailLimits: Pick<MailLimits, "mayTest">;
  /** Absent without a provider of SMS. */
  sms: SmsSettings | undefined;
  links: UnsubscribeLinks;
  /** Where people reach the dashboard, without a slash at its end. */
  publicUrl: string;
  tree: Pick<NodeTree, "isWithin" | "ancestors">;
  /** Asked before each attempt of a mail without a channel: why it is not for its receiver any more, if so. */
  whyNotTo(row: DeliveryRow): Promise<string | undefined>;
  /** The ids of the alerts in such a mail that its receiver does not see any more. */
  unseenBy(row: DeliveryRow): Promise<ReadonlySet<string>>;
  /** Puts the files of a report where the operator keeps them; absent without such a place. */
  putReport?: ((row: DeliveryRow) => Promise<Outcome>) | undefined;
  now?: () => number;
}

/** Never rejects for what a receiver does; rejects where Postgres cannot be asked before anything was sent. */
export async function attempt(deps: SendingDeps, row: DeliveryRow): Promise<Outcome | Held> {
  if (row.kind === "bucket")
    return deps.putReport ? await deps.putReport(row) : again("no bucket is set up: set TIDEMARK_REPORTS_BUCKET");
  if (row.channel === null) return await sendMail(deps, row);
  const channel = await readChannel(deps.postgres.db, row.channel);
  const refusal = whyNot(channel, row);
  const message = channel && stillBelow(channel, row, deps.tree);
  if (!channel || !message || refusal !== undefined)
    return unwanted(refusal ?? `${row.aboutNode} is no longer below ${channel?.node}`);
  const seen = { ...row, message };
  if (row.kind === "email") return await sendMail(deps, seen);
  if (row.kind === "sms") return await sendSms(deps, channel, seen);
  return await sendToUrl(deps, channel, seen);
}

/** Why a message is not sent any more: something changed since it was written. */
function whyNot(channel: ChannelRow | undefined, { to }: DeliveryRow) {
  if (!channel) return "the channel was deleted";
  if (!channel.enabled) return "the channel is disabled";
  if (to !== null && !channel.to?.includes(to)) return "the channel no longer has this address";
  return undefined;
}

async function sendToUrl(deps: SendingDeps, channel: ChannelRow, row: DeliveryRow): Promise<Outcome> {
  const request = requestAt(channel, row, { vault: deps.vault, ms: (deps.now ?? Date.now)() });
  if (!request) return again("the channel's secrets were encrypted with another key: set TIDEMARK_SECRET_KEY");
  const answer = await posted(() => deps.egress.post(request));
  if ("result" in answer) return answer;
  const { status, text: excerpt } = answer;
  if (status >= 200 && status < 300) return { result: "sent", status, excerpt };
  if (status !== 410) return { result: "again", status, excerpt };
  await deps.postgres.transaction((tx) =>
    disableChannel(tx, deps.vault, channel.id, "the receiver answered 410: it no longer exists"),
  );
  return { result: "never", status, excerpt };
}

async function sendMail(deps: SendingDeps, row: DeliveryRow): Promise<Outcome | Held> {
  const { mailer, links, publicUrl } = deps;
  const { id, to, alert } = row;
  const list = row.list ?? row.channel;
  if (to === null || list === null) return never("there is no address to send to");
  if (await isUnsubscribed(deps.postgres.db, { list, address: to })) return unwanted("the receiver has unsubscribed");
  const refusal = row.channel === null ? await deps.whyNotTo(row) : undefined;
  if (refusal !== undefined) return unwanted(refusal);
  const message = row.channel === null ? await stillSeen(deps, row) : row.message;
  if (!message) return unwanted("it contains nothing that its recipient can still see");
  if (!mailer) return again("no mail server is set up: set TIDEMARK_SMTP_URL");
  if (row.type === "channel.test" && !(await deps.mailLimits.mayTest(to)))
    return unwanted("too many tests were sent to this address within an hour");
  const held = row.type.startsWith("alert.") ? await alertMailsHeld(deps.postgres, deps.tree, row) : undefined;
  if (held) return held;
  const unsubscribeUrl = `${publicUrl}/v1/unsubscribe/${links.tokenOf({ list, address: to })}`;
  const mail = renderMail(message, { id, to, matter: alert, unsubscribeUrl, publicUrl });
  const files = await filesOf(deps.postgres, message.attachments ?? []);
  try {
    const answer = await mailer.send({ ...mail, ...(files.length > 0 && { attachments: files }) });
    return { result: "sent", status: smtpStatus(answer), excerpt: oneLine(answer, 500) };
  } catch (error) {
    const { responseCode = null, code } = error as { responseCode?: number; code?: string };
    // When the mail server refuses this mail, trying again is no use; when it refuses our credentials, they may be mended.
    const isFinal = responseCode !== null && responseCode >= 500 && code !== "EAUTH";
    return { result: isFinal ? "never" : "again", status: responseCode, excerpt: reasonOf(error) };
  }
}

/** What of a mail without a channel its receiver may still see; undefined: nothing. */
async function stillSeen(deps: SendingDeps, row: DeliveryRow): Promise<DeliveryMessage | undefined> {
  const { message } = row;
  const alerts = alertsOf(message);
  if (alerts.length === 0) return message;
  const unseen = await deps.unseenBy(row);
  if (!message.parts) return alerts.some((id) => unseen.has(id)) ? undefined : message;
  return narrowed(message, ({ alerts }) => !alerts.some((id) => unseen.has(id)));
}

async function filesOf({ db }: Postgres, wanted: NonNullable<DeliveryRow["message"]["attachments"]>) {
  if (wanted.length === 0) return [];
  const names = wanted.map(({ sha256 }) => sha256);
  const found = await db.select().from(attachments).where(inArray(attachments.sha256, names));
  return wanted.flatMap(({ filename, contentType, sha256, cid }) => {
    const content = found.find((one) => one.sha256 === sha256)?.content;
    return content ? [{ filename, contentType, content, ...(cid !== undefined && { cid }) }] : [];
  });
}

const smtpStatus = (answer: string) => Number(/^\d{3}\b/.exec(answer)?.[0]) || null;
