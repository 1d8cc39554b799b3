/**
 * Channels, and the outbox: a delivery is written in the transaction of what it reports, and the outbox is the truth of what
 * is still to be sent.
 */
import { sql } from "drizzle-orm";
import {
  bigserial,
  boolean,
  customType,
  index,
  integer,
  json,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
} from "drizzle-orm/pg-core";
import type { ChannelKind } from "../../contract/channels.ts";
import type { DeliveryKind, DeliveryState, MessageType } from "../../contract/deliveries.ts";
import { nodes } from "./accounts.ts";
import { instant } from "./columns.ts";
import { placeOf } from "./place-of.ts";

const bytes = customType<{ data: Buffer }>({ dataType: () => "bytea" });

export const channels = pgTable(
  "channels",
  {
    id: text("id").primaryKey(),
    node: text("node")
      .notNull()
      .references(() => nodes.node),
    name: text("name").notNull(),
    kind: text("kind").$type<ChannelKind>().notNull(),
    enabled: boolean("enabled").notNull(),
    /** Why the service switched it off by itself. */
    disabledBecause: text("disabled_because"),
    /** Addresses or numbers; null where the kind has a URL. */
    to: jsonb("to").$type<string[]>(),
    /** Sealed: of webhooks the URL and the secrets that they are signed with, of Slack's the URL. */
    sealed: bytes("sealed"),
    /** Until when a webhook is signed with the secret before, too. */
    oldSecretUntil: instant("old_secret_until"),
    /** SMS only. */
    monthlyCap: integer("monthly_cap"),
    /** `YYYY-MM` in UTC, and what was sent in it. */
    sentMonth: text("sent_month"),
    sentInMonth: integer("sent_in_month").notNull().default(0),
    /** Attempts in a row that its receiver took long for. */
    slowInRow: integer("slow_in_row").notNull().default(0),
    createdAt: instant("created_at").notNull().defaultNow(),
  },
  (table) => [index("channels_node").on(table.node)],
);

/** Who wants no more mail of a channel or another list. */
export const unsubscribed = pgTable(
  "unsubscribed",
  {
    /** A channel's id, or what a sender of mail without a channel names. */
    list: text("list").notNull(),
    /** In lower case. */
    address: text("address").notNull(),
    at: instant("at").notNull().defaultNow(),
    /** Whose list it is, where it is no channel: what the same tenant sends later under another list does not reach it either. */
    tenant: text("tenant"),
    /** The address never answered this list, but another of the same tenant. */
    isCarried: boolean("is_carried").notNull().default(false),
  },
  (table) => [
    primaryKey({ columns: [table.list, table.address] }),
    index("unsubscribed_address").on(table.address, table.tenant),
  ],
);

export interface MessageRow {
  title: string;
  text: string;
  about: string;
  url: string;
}

/** What a message about several alerts says about one of them: it is left out once its receiver may not see the alert. */
export interface MessagePart {
  /** Ids; several of a part about one alert more than once. */
  alerts: string[];
  node: string;
  /** Empty where it is only counted. */
  lines: string[];
  row?: MessageRow;
  isFiring?: boolean;
}

/** By what the subject counts the parts. */
export type MessageHeading = { of: "rule"; opening: string; rule: string } | { of: "digest" } | { of: "waited" };

/** What a delivery says, in whichever form its channel has. */
export interface DeliveryMessage {
  subject: string;
  lines: string[];
  /** The few figures that it is read for: names beside what they came to. */
  figures?: { label: string; value: string }[];
  /** Bars below them, each with its part of the tallest in percent; `text` says the same. Only in mail. */
  chart?: { title: string; text: string; bars: number[]; first: string; last: string };
  /** A list under the sentences, as the page that the button leads to has it; of mail only. */
  rows?: MessageRow[];
  /** Where the button leads. */
  url: string;
  button: string;
  /** What a webhook carries as `data`. */
  data: unknown;
  /** In a person's own mail about one alert, its id: whoever may not see it any more is not sent it. */
  alerts?: string[];
  /** In a message about several alerts, all of them; what it says of them above was true when it was written. */
  parts?: MessagePart[];
  /** Stands with `parts`. */
  heading?: MessageHeading;
  /** How many parts it had no room to keep. */
  more?: number;
  /** One with a `cid` is a picture in the text of a mail. */
  attachments?: { filename: string; contentType: string; sha256: string; cid?: string }[];
  /** In whose name it comes; the service's own where it is left out. `color`: `#rrggbb`, dark enough to be under white. */
  brand?: { name?: string; color?: string; logoCid?: string };
}

export const deliveries = pgTable(
  "deliveries",
  {
    id: text("id").primaryKey(),
    /** In the order in which they were written. */
    position: bigserial("position", { mode: "number" }).notNull(),
    type: text("type").$type<MessageType>().notNull(),
    /** The channel's node: who may read there sees the delivery. */
    node: text("node").notNull(),
    /** What it is about: a channel gets messages about its node and those below it only, and mails about a tenant have a bound. */
    aboutNode: text("about_node").notNull(),
    /** Whose messages wait in line with it: the tenant of what it tells of, when it was written. Null: written by an earlier version. */
    tenant: text("tenant"),
    /** A person's own mail about the service itself: it waits for no others. */
    isSystem: boolean("is_system").notNull().default(false),
    channel: text("channel"),
    kind: text("kind").$type<DeliveryKind>().notNull(),
    /** The address or number, or the path in a bucket; null where the channel has a URL. */
    to: text("to"),
    /** What unsubscribing from a mail ends. */
    list: text("list"),
    alert: text("alert"),
    /** All that it is about, where `alert` does not say so. */
    alerts: text("alerts").array().notNull().default([]),
    /** As text: a webhook's body is the same, byte by byte, at each attempt. */
    message: json("message").$type<DeliveryMessage>().notNull(),
    /** One that names the same is not written again. */
    once: text("once"),
    state: text("state").$type<DeliveryState>().notNull().default("waiting"),
    /** Attempts since it was written or resent. */
    tries: integer("tries").notNull().default(0),
    /** Null once there is nothing more to do. */
    dueAt: instant("due_at"),
    /** Who sends it now, until when nobody else may take it. */
    claim: text("claim"),
    claimedUntil: instant("claimed_until"),
    createdAt: instant("created_at").notNull().defaultNow(),
    sentAt: instant("sent_at"),
    /** Why it could not be delivered; null where somebody chose that it is not sent, for example by removing a channel. */
    givenUpAt: instant("given_up_at"),
  },
  (table) => [
    uniqueIndex("deliveries_once").on(table.once),
    index("deliveries_due").on(table.dueAt).where(sql`${table.dueAt} IS NOT NULL`),
    index("deliveries_state").on(table.state),
    index("deliveries_given_up").on(table.givenUpAt).where(sql`${table.givenUpAt} IS NOT NULL`),
    index("deliveries_alert").on(table.alert),
    index("deliveries_alerts").using("gin", table.alerts),
    index("deliveries_channel").on(table.channel, table.position),
    index("deliveries_list").on(table.list).where(sql`${table.channel} IS NULL`),
    index("deliveries_mails").on(sql`lower(${table.to})`, table.sentAt).where(sql`${table.kind} = 'email'`),
    index("deliveries_position").on(table.position),
    index("deliveries_place").on(placeOf(table.node), table.position),
  ],
);

export const deliveryAttempts = pgTable(
  "delivery_attempts",
  {
    delivery: text("delivery")
      .notNull()
      .references(() => deliveries.id, { onDelete: "cascade" }),
    at: instant("at").notNull(),
    /** The answer's status, of HTTP or SMTP. */
    status: integer("status"),
    ms: integer("ms").notNull(),
    excerpt: text("excerpt").notNull(),
  },
  (table) => [index("delivery_attempts_delivery").on(table.delivery, table.at)],
);

/** SMS of a month, which the operator pays for: channels come and go, and what was sent stays counted. */
export const smsSent = pgTable(
  "sms_sent",
  {
    /** `YYYY-MM` in UTC. */
    month: text("month").notNull(),
    /** `all`: of the whole installation. */
    tenant: text("tenant").notNull(),
    sent: integer("sent").notNull(),
  },
  (table) => [primaryKey({ columns: [table.month, table.tenant] })],
);

/** Files of mails, each kept once however many get it. */
export const attachments = pgTable("attachments", {
  sha256: text("sha256").primaryKey(),
  content: bytes("content").notNull(),
  createdAt: instant("created_at").notNull().defaultNow(),
});
