/** SMS by Twilio's Messages API, or one of its shape. */
import { sql } from "drizzle-orm";
import type { Postgres } from "../postgres/client.ts";
import { channels } from "../postgres/schema/delivery.ts";
import type { Egress } from "./egress.ts";
import type { ChannelRow } from "./enqueue.ts";
import type { DeliveryRow, Outcome } from "./outbox.ts";
import { again, never, posted } from "./posted.ts";
import { smsText } from "./render-sms.ts";

export interface SmsSettings {
  /** The Messages resource, or the provider alone: then the path is Twilio's. */
  url: string;
  /** The account's id at the provider. */
  account: string;
  token: string;
  /** A number or a sender's name. */
  from: string;
}

interface SmsDeps {
  postgres: Postgres;
  egress: Egress;
  sms: SmsSettings | undefined;
}

/** A message counts against the month's cap before it is sent, and no longer when the provider did not accept it. */
export async function sendSms(
  { postgres, egress, sms }: SmsDeps,
  channel: ChannelRow,
  { id, to, message }: DeliveryRow,
): Promise<Outcome> {
  if (!sms) return again("there is no provider of SMS: set TIDEMARK_SMS_URL");
  if (!(await countSms(postgres, channel.id))) return never("the channel's cap of this month is reached");
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
  if (outcome.result !== "sent") await uncountSms(postgres, channel.id);
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

/** False where the cap is reached. */
async function countSms({ db }: Postgres, channel: string): Promise<boolean> {
  const counted = await db
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

async function uncountSms({ db }: Postgres, channel: string): Promise<void> {
  await db
    .update(channels)
    .set({ sentInMonth: sql`greatest(0, ${channels.sentInMonth} - 1)` })
    .where(sql`${channels.id} = ${channel} AND ${channels.sentMonth} = ${month}`);
}
