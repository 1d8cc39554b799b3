/** Where alerts and reports are sent, and what became of each message, as the server tells of it. */
import type {
  ChangeChannel,
  Channel,
  ChannelList,
  CreateChannel,
  CreatedChannel,
  TestedChannel,
} from "@contract/channels.ts";
import type { Delivery, DeliveryList } from "@contract/deliveries.ts";
import { request, searchOf, send, sendTagged, type Tagged } from "./client.ts";

export interface ChannelsQuestion {
  node?: string | undefined;
  kind?: string | undefined;
  cursor?: string | undefined;
  limit?: number | undefined;
}

export function readChannels(question: ChannelsQuestion, signal?: AbortSignal): Promise<ChannelList> {
  return send<ChannelList>("GET", `/v1/channels?${searchOf(question)}`, { signal });
}

const channelAddress = (id: string) => `/v1/channels/${encodeURIComponent(id)}`;

export function readChannel(id: string, signal?: AbortSignal): Promise<Tagged<Channel>> {
  return sendTagged<Channel>("GET", channelAddress(id), { signal });
}

/** Of a webhook with its secret, this once. */
export function createChannel(channel: CreateChannel, idempotencyKey: string): Promise<CreatedChannel> {
  return send<CreatedChannel>("POST", "/v1/channels", { body: channel, idempotencyKey });
}

/** Throws ApiError `precondition_failed` when the channel is no longer what `tag` stands for. */
export function changeChannel(id: string, change: ChangeChannel, tag?: string): Promise<Tagged<Channel>> {
  return sendTagged<Channel>("PATCH", channelAddress(id), { body: change, ifMatch: tag });
}

export async function removeChannel(id: string): Promise<void> {
  await request("DELETE", channelAddress(id));
}

/** A new secret, shown this once; messages are signed with the old one too for a day. */
export function rotateSecret(id: string): Promise<CreatedChannel> {
  return send<CreatedChannel>("POST", `${channelAddress(id)}/rotate-secret`);
}

/** Sends a test message now. */
export function testChannel(id: string): Promise<TestedChannel> {
  return send<TestedChannel>("POST", `${channelAddress(id)}/test`);
}

export interface DeliveriesQuestion {
  node?: string | undefined;
  alert?: string | undefined;
  channel?: string | undefined;
  state?: string | undefined;
  cursor?: string | undefined;
  limit?: number | undefined;
}

/** The newest first, page by page. */
export function readDeliveries(question: DeliveriesQuestion, signal?: AbortSignal): Promise<DeliveryList> {
  return send<DeliveryList>("GET", `/v1/deliveries?${searchOf(question)}`, { signal });
}

export function resendDelivery(id: string): Promise<Delivery> {
  return send<Delivery>("POST", `/v1/deliveries/${encodeURIComponent(id)}/resend`);
}
