/** The request that brings a message to a webhook or to Slack, as an attempt sends it. */
import { Webhook } from "standardwebhooks";
import type { NodeAddress } from "../contract/nodes.ts";
import type { DeliveryMessage } from "../postgres/schema/delivery.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { type ChannelSecrets, signingAt } from "./channels.ts";
import type { OutgoingRequest } from "./egress.ts";
import type { ChannelRow } from "./enqueue.ts";
import { narrowed } from "./message-parts.ts";
import type { DeliveryRow } from "./outbox.ts";
import { slackBody } from "./render-slack.ts";
import type { Vault } from "./vault.ts";

/** The parts of the message that the channel may still get; undefined: none. */
export function stillBelow(
  { node }: Pick<ChannelRow, "node">,
  { aboutNode, message }: Pick<DeliveryRow, "aboutNode" | "message">,
  tree: Pick<NodeTree, "isWithin">,
): DeliveryMessage | undefined {
  if (!message.heading) {
    // A list that an earlier version wrote names its nodes beside it.
    const { nodes = [] } = message as { nodes?: NodeAddress[] };
    return [aboutNode, ...nodes].every((one) => tree.isWithin(one, node)) ? message : undefined;
  }
  return narrowed(message, (part) => tree.isWithin(part.node, node));
}

/** As it is sent at `ms`: a webhook's signature is of that moment. Undefined where the secrets were sealed with another key. */
export function requestAt(
  channel: ChannelRow,
  row: DeliveryRow,
  { vault, ms }: { vault: Vault; ms: number },
): OutgoingRequest | undefined {
  const secrets = channel.sealed && (vault.open(channel.sealed, channel.id) as ChannelSecrets | undefined);
  if (!secrets) return undefined;
  const { body, headers } =
    row.kind === "slack"
      ? { body: slackBody(row.message), headers: {} }
      : signed(row, signingAt(channel, secrets, ms), new Date(ms));
  return { url: secrets.url, headers: { ...jsonHeaders, ...headers }, body };
}

const jsonHeaders = { "content-type": "application/json", "user-agent": "Tidemark" };

/** Signs by Standard Webhooks, with each of the secrets. */
function signed({ id, type, createdAt, message }: DeliveryRow, secrets: string[], at: Date) {
  const body = JSON.stringify({ type, timestamp: createdAt.toISOString(), data: message.data });
  const signatures = secrets.map((secret) => new Webhook(secret).sign(id, at, body));
  const headers = {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": signatures.join(" "),
  };
  return { body, headers };
}
