/** The parts of the delivery of messages, wired: what routes need, and the courier where this process runs jobs. */
import type { Mailer } from "../mail/mailer.ts";
import type { Postgres } from "../postgres/client.ts";
import { Courier, type CourierDeps } from "./courier.ts";
import { createEgress, type Egress } from "./egress.ts";
import { pruneDeliveries } from "./outbox.ts";
import type { OutgoingAllow } from "./outgoing-allow.ts";
import type { SmsSettings } from "./send-sms.ts";
import { readUnsubscribeLinks } from "./unsubscribe.ts";
import { openVault, type Vault } from "./vault.ts";

export interface DeliverySettings {
  dataDir: string;
  secretKey: string | undefined;
  outgoingAllow: OutgoingAllow;
  sms: SmsSettings | undefined;
  publicUrl: string;
}

export interface Delivery {
  vault: Vault;
  egress: Egress;
  /** Looks for what is due; returns at once. */
  send(): void;
  /** Removes deliveries that the log keeps no longer. */
  prune(): Promise<void>;
  close(): Promise<void>;
}

/** `isSender`: this process sends. Nothing is sent before `send` is called or the outbox announces something new. */
export async function startDelivery(
  settings: DeliverySettings,
  deps: { postgres: Postgres; mailer: Mailer | undefined } & Pick<
    CourierDeps,
    "tree" | "whyNotTo" | "unseenBy" | "putReport" | "mailLimits" | "log" | "onAttempt"
  >,
  { isSender }: { isSender: boolean },
): Promise<Delivery> {
  const { dataDir, secretKey: secret, outgoingAllow: allow, sms, publicUrl } = settings;
  const vault = await openVault({ dataDir, secret });
  const egress = createEgress({ allow });
  const links = await readUnsubscribeLinks(deps.postgres);
  const courier = isSender ? new Courier({ ...deps, vault, egress, sms, links, publicUrl }) : undefined;
  return {
    vault,
    egress,
    send: () => courier?.wake(),
    prune: () => pruneDeliveries(deps.postgres),
    close: async () => await courier?.close(),
  };
}
