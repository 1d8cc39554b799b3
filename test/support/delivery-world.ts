/** Channels, outbox and courier on a Postgres of their own, with a real mail server and a real receiver of requests. */
import { eq } from "drizzle-orm";
import { pino } from "pino";
import { vi } from "vitest";
import type { Delivery } from "../../server/contract/deliveries.ts";
import { Courier, type CourierDeps } from "../../server/delivery/courier.ts";
import { createEgress } from "../../server/delivery/egress.ts";
import { type AlertMessage, enqueueDeliveries } from "../../server/delivery/enqueue.ts";
import { nothingAllowed, parseOutgoingAllow } from "../../server/delivery/outgoing-allow.ts";
import { readUnsubscribeLinks } from "../../server/delivery/unsubscribe.ts";
import { vaultOf } from "../../server/delivery/vault.ts";
import { channelsRoutes } from "../../server/http/routes/channels.ts";
import { deliveriesRoutes } from "../../server/http/routes/deliveries.ts";
import { unsubscribeRoutes } from "../../server/http/routes/unsubscribe.ts";
import { MailLimits } from "../../server/mail/mail-limits.ts";
import { deliveries } from "../../server/postgres/schema/delivery.ts";
import { type Accounts, type Answer, startAccounts } from "./accounts.ts";
import { type Mailbox, openMailbox } from "./mailbox.ts";
import { patienceMs } from "./patience.ts";
import { openReceiver, type Received, type Receiver } from "./receiver.ts";
import { ownPostgres } from "./stores.ts";

export interface DeliveryWorld {
  accounts: Accounts;
  mailbox: Mailbox;
  receiver: Receiver;
  deps: CourierDeps;
  /** One that runs from the beginning; a test may put another in its place. */
  courier: Courier;
  /** A key of `organization:acme`, below `reseller:r1`. */
  key: string;
  /** With that key. */
  ask(method: string, path: string, more?: object): Promise<Answer>;
  make(body: object): Promise<Answer>;
  /** A channel to a path of the receiver, as it was answered. */
  webhook(path: string): Promise<Answer["body"]>;
  receivedAt(path: string): Received[];
  /** Writes what an alert of acme has to say, in a transaction of its own. */
  enqueue(channels: readonly string[], more?: Partial<AlertMessage>): Promise<string[]>;
  /** The delivery once it is as wanted. */
  once(id: string, isWanted: (delivery: Delivery) => boolean): Promise<Delivery>;
  /** Makes a delivery due now. */
  hasten(id: string): Promise<void>;
  close(): Promise<void>;
}

export async function startDeliveryWorld(): Promise<DeliveryWorld> {
  const [database, mailbox, receiver] = await Promise.all([ownPostgres(), openMailbox(), openReceiver()]);
  const accounts = await startAccounts(database.url);
  const { postgres, tree, url } = accounts;
  await tree.createNode({ kind: "reseller", id: "r1", name: "R", parent: "all" });
  await tree.ensureOrganizations(["acme", "beside"], "reseller:r1");
  const vault = vaultOf("a secret key of this test alone");
  const egress = createEgress({ allow: parseOutgoingAllow("127.0.0.1") ?? nothingAllowed });
  accounts.app.route("/", channelsRoutes({ postgres, vault, egress, tree, publicUrl: url }));
  accounts.app.route("/", deliveriesRoutes({ postgres, tree, vault, mailLimits: new MailLimits() }));
  accounts.app.route("/", unsubscribeRoutes({ postgres, tree }));
  const { key } = await accounts.makeKey("organization:acme");
  const caps = { ofTenant: 500, ofAll: 2_000 };
  const deps: CourierDeps = {
    postgres,
    vault,
    egress,
    tree,
    publicUrl: url,
    mailer: mailbox.mailer,
    mailLimits: new MailLimits(),
    log: pino({ level: "silent" }),
    sms: { url: receiver.url, account: "AC1", token: "of the provider", from: "+14155550100", caps },
    links: await readUnsubscribeLinks(postgres),
    whyNotTo: async () => undefined,
    unseenBy: async () => new Set(),
  };
  const read = async (id: string) => (await accounts.ask("GET", `/v1/deliveries/${id}`, { key })).body as Delivery;
  const world: DeliveryWorld = {
    accounts,
    mailbox,
    receiver,
    deps,
    key,
    courier: new Courier(deps),
    ask: (method, path, more) => accounts.ask(method, path, { key, ...more }),
    make: (body) => accounts.ask("POST", "/v1/channels", { key, body }),
    webhook: async (path) => (await world.make({ kind: "webhook", name: path, url: `${receiver.url}${path}` })).body,
    receivedAt: (path) => receiver.received.filter((one) => one.path === path),
    enqueue: (channels, more) =>
      postgres.transaction((tx) => enqueueDeliveries(tx, [{ ...message, channels, ...more }], tree)),
    once: (id, isWanted) =>
      vi.waitFor(
        async () => {
          const delivery = await read(id);
          if (!isWanted(delivery)) throw new Error(`it is ${JSON.stringify(delivery)}`);
          return delivery;
        },
        { timeout: patienceMs, interval: 20 },
      ),
    async hasten(id) {
      await postgres.db
        .update(deliveries)
        .set({ dueAt: new Date(0) })
        .where(eq(deliveries.id, id));
      world.courier.wake();
    },
    async close() {
      await world.courier.close();
      await Promise.all([mailbox.close(), receiver.close()]);
      await accounts.close();
      await database.drop();
    },
  };
  return world;
}

const alert = {
  id: "alr_1",
  rule: "rul_1",
  rule_name: "Minutes",
  kind: "quota",
  node: "organization:acme",
  severity: "warning",
  state: "firing",
  value: "91.5",
  limit: "100",
  url: "https://usage.example.com/alerts/alr_1?a=1&b=2",
};

const message: AlertMessage = {
  type: "alert.firing",
  alert,
  channels: [],
  subject: "Minutes: acme has used 91.5 of 100",
  lines: ["At this pace the limit is reached on Friday."],
};
