/** SMS by Twilio's Messages API, or one of its shape. */
import { and, eq, lt, sql } from "drizzle-orm";
import type { NodeAddress } from "../contract/nodes.ts";
import type { MailLimits } from "../mail/mail-limits.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { channels, smsSent } from "../postgres/schema/delivery.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { tenantOf } from "../tree/tenant-of.ts";
import type { Egress } from "./egress.ts";
import type { ChannelRow } from "./enqueue.ts";
import type { DeliveryRow, Outcome } from "./outbox.ts";
import { again, never, posted, unwanted } from "./posted.ts";
import { smsText } from "./render-sms.ts";

export interface SmsSettings {
  /** The Messages resource, or the provider alone: then the path is Twilio's. */
  url: string;
  /** The account's id at the provider. */
  account: string;
  token: string;
  /** A number or a sender's name. */
  from: string;
  /** In a calendar month (UTC), whatever the channels' own caps are: the operator pays for them. */
  caps: { ofTenant: number; ofAll: number };
}

interface SmsDeps {
  postgres: Postgres;
  egress: Egress;
  tree: Pick<NodeTree, "ancestors">;
  mailLimits: Pick<MailLimits, "mayTest">;
  sms: SmsSettings | undefined;
}

/** A message counts against the month's cap before it is sent, and no longer when the provider did not accept it. */
export async function sendSms(
  { postgres, egress, tree, mailLimits, sms }: SmsDeps,
  channel: ChannelRow,
  { id, type, to, message }: DeliveryRow,
): Promise<Outcome> {
  if (!sms) return again("no SMS provider is set up: set TIDEMARK_SMS_URL");
  if (type === "channel.test" && !(await mailLimits.mayTest(to ?? "")))
    return unwanted("too many tests were sent to this number within an hour");
  const counted = { channel: channel.id, tenant: tenantOf(channel.node, tree) };
  const reached = await countSms(postgres, counted, sms.caps);
  if (reached !== undefined) return never(`the ${reached} limit for this month is reached`);
  const answer = await posted(() =>
    egress.post({
      url: messagesUrl(sms),
      isConfigured: true,
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        authorization: `Basic ${Buffer.from(`${sms.account}:${sms.token}`).toString("base64")}`,
        // A provider that knows this header sends the message once, however often it is asked.
        "i-twilio-idempotency-token": id,
      },
      body: new URLSearchParams({ To: to ?? "", From: sms.from, Body: smsText(message) }).toString(),
    }),
  );
  const outcome = "result" in answer ? answer : outcomeOf(answer.status, answer.text);
  if (outcome.result !== "sent") await uncountSms(postgres, counted);
  return outcome;
}

/** Twilio answers 400 to what it will never send, such as a number that does not exist. */
function outcomeOf(status: number, excerpt: string): Outcome {
  if (status >= 200 && status < 300) return { result: "sent", status, excerpt };
  return { result: status === 400 ? "never" : "again", status, excerpt };
}

function messagesUrl({ url, account }: SmsSettings): string {
  const given = new URL(url);
  if (given.pathname === "/") given.pathname = `/2010-04-01/Accounts/${encodeURIComponent(account)}/Messages.json`;
  return given.href;
}

const month = sql`to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')`;

interface Counted {
  channel: string;
  tenant: NodeAddress;
}

class CapReached extends Error {}

/** Counts for the channel, for its tenant and for all, or for none of them: then it says whose cap is reached. */
async function countSms(
  postgres: Pick<Postgres, "transaction">,
  { channel, tenant }: Counted,
  { ofTenant, ofAll }: SmsSettings["caps"],
): Promise<string | undefined> {
  try {
    await postgres.transaction(async (tx) => {
      if (!(await countOfChannel(tx, channel))) throw new CapReached("channel's");
      if (tenant !== "all" && !(await countOf(tx, tenant, ofTenant))) throw new CapReached("tenant's");
      if (!(await countOf(tx, "all", ofAll))) throw new CapReached("installation's");
    });
    return undefined;
  } catch (error) {
    if (error instanceof CapReached) return error.message;
    throw error;
  }
}

async function countOfChannel(tx: Queries, channel: string): Promise<boolean> {
  const counted = await tx
    .update(channels)
    .set({
      sentMonth: month,
      sentInMonth: sql`CASE WHEN ${channels.sentMonth} = ${month} THEN ${channels.sentInMonth} + 1 ELSE 1 END`,
    })
    .where(
      sql`${channels.id} = ${channel} AND (${channels.sentMonth} IS DISTINCT FROM ${month} OR ${channels.sentInMonth} < ${channels.monthlyCap})`,
    )
    .returning({ id: channels.id });
  return counted.length > 0;
}

async function countOf(tx: Queries, tenant: NodeAddress, cap: number): Promise<boolean> {
  const counted = await tx
    .insert(smsSent)
    .values({ month, tenant, sent: 1 })
    .onConflictDoUpdate({
      target: [smsSent.month, smsSent.tenant],
      set: { sent: sql`${smsSent.sent} + 1` },
      setWhere: lt(smsSent.sent, cap),
    })
    .returning({ sent: smsSent.sent });
  return counted.length > 0;
}

async function uncountSms(postgres: Pick<Postgres, "transaction">, { channel, tenant }: Counted): Promise<void> {
  await postgres.transaction(async (tx) => {
    await tx
      .update(channels)
      .set({ sentInMonth: sql`greatest(0, ${channels.sentInMonth} - 1)` })
      .where(sql`${channels.id} = ${channel} AND ${channels.sentMonth} = ${month}`);
    // In the order in which they are counted: nobody waits for each other in a ring.
    for (const one of new Set([tenant, "all"]))
      await tx
        .update(smsSent)
        .set({ sent: sql`greatest(0, ${smsSent.sent} - 1)` })
        .where(and(eq(smsSent.month, month), eq(smsSent.tenant, one)));
  });
}
