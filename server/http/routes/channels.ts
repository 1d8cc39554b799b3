/** /v1/channels: where alerts are sent, and a test of it. */

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import {
  type Channel,
  changeChannelSchema,
  channelListSchema,
  channelQuerySchema,
  channelSchema,
  createChannelSchema,
  createdChannelSchema,
  testedChannelSchema,
  updateChannelSchema,
} from "../../contract/channels.ts";
import {
  type ChannelSecrets,
  type ChannelsDeps,
  changeChannel,
  createChannel,
  listChannels,
  readChannel,
  removeChannel,
  rotateSecret,
  stateOfChannel,
  urlWithoutSecret,
} from "../../delivery/channels.ts";
import type { ChannelRow } from "../../delivery/enqueue.ts";
import { testChannel } from "../../delivery/test-channel.ts";
import { listUnsubscribed } from "../../delivery/unsubscribe.ts";
import type { Actor } from "../../identity/actor.ts";
import { can } from "../../identity/permissions.ts";
import { readCursor, writeCursor } from "../../lists/cursor.ts";
import type { MailLimits } from "../../mail/mail-limits.ts";
import { addedTo } from "../../reports/schedules.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { answerList, listed, listTable } from "../answer-list.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { requireScope, resolveNode, withinReach } from "../authenticate.ts";
import { authorOf } from "../author-of.ts";
import { strangersCounter } from "../count-strangers.ts";
import { answerTagged, ifMatch } from "../entity-tag.ts";
import type { HttpEnv } from "../http-env.ts";
import { pageOf } from "../page-of.ts";
import { idParams, jsonAnswer, jsonBody } from "../route-parts.ts";
import { changesOf } from "../sent-back.ts";

interface ChannelsRoutesDeps extends ChannelsDeps {
  tree: NodeTree;
  mailLimits?: Pick<MailLimits, "mayList"> | undefined;
  publicUrl: string;
}

const positionSchema = z.tuple([z.string(), z.string()]);

const channelTable = listTable("channels", channelSchema);

const listChannelsRoute = createRoute({
  method: "get",
  path: "/v1/channels",
  operationId: "listChannels",
  tags: ["Alerts"],
  summary: "List channels",
  middleware: requireScope("read"),
  request: { query: channelQuerySchema },
  responses: {
    200: listed("The channels", channelListSchema, channelSchema),
    ...problemResponses(400, 401, 403, 404, 503),
  },
});

const createChannelRoute = createRoute({
  method: "post",
  path: "/v1/channels",
  operationId: "createChannel",
  tags: ["Alerts"],
  summary: "Create a channel",
  description:
    "For a webhook, the answer contains its `secret`, shown only once: its messages are signed as Standard Webhooks defines. A URL must have a public address, unless the operator allows others.",
  middleware: requireScope("rules:write"),
  request: { body: jsonBody(createChannelSchema) },
  responses: {
    201: jsonAnswer("The new channel", createdChannelSchema),
    ...problemResponses(400, 401, 403, 404, 409, 503),
  },
});

const getChannelRoute = createRoute({
  method: "get",
  path: "/v1/channels/{id}",
  operationId: "getChannel",
  tags: ["Alerts"],
  summary: "Get a channel",
  middleware: requireScope("read"),
  request: { params: idParams },
  responses: { 200: jsonAnswer("The channel", channelSchema), ...problemResponses(401, 403, 404, 503) },
});

const updateChannelRoute = createRoute({
  method: "patch",
  path: "/v1/channels/{id}",
  operationId: "updateChannel",
  tags: ["Alerts"],
  summary: "Update a channel",
  description:
    "Its kind and node cannot change; it may be sent back whole. `enabled: true` enables a channel again that the service disabled.",
  middleware: requireScope("rules:write"),
  request: { params: idParams, body: jsonBody(updateChannelSchema) },
  responses: {
    200: jsonAnswer("The updated channel", channelSchema),
    ...problemResponses(400, 401, 403, 404, 409, 412, 503),
  },
});

const deleteChannelRoute = createRoute({
  method: "delete",
  path: "/v1/channels/{id}",
  operationId: "deleteChannel",
  tags: ["Alerts"],
  summary: "Delete a channel",
  description: "Its deliveries stay in the log; those still waiting are not sent.",
  middleware: requireScope("rules:write"),
  request: { params: idParams },
  responses: { 204: { description: "Deleted" }, ...problemResponses(401, 403, 404, 412, 503) },
});

const rotateChannelSecretRoute = createRoute({
  method: "post",
  path: "/v1/channels/{id}/rotate-secret",
  operationId: "rotateChannelSecret",
  tags: ["Alerts"],
  summary: "Rotate a webhook's secret",
  description:
    "The answer contains the new secret, shown only once. For 24 hours, messages are also signed with the previous one.",
  middleware: requireScope("rules:write"),
  request: { params: idParams },
  responses: {
    200: jsonAnswer("The channel with its new secret", createdChannelSchema),
    ...problemResponses(400, 401, 403, 404, 409, 412, 503),
  },
});

const testChannelRoute = createRoute({
  method: "post",
  path: "/v1/channels/{id}/test",
  operationId: "testChannel",
  tags: ["Alerts"],
  summary: "Send a test message to a channel",
  description: "Sends `channel.test` to each of its addresses, in the form of an alert.",
  middleware: requireScope("rules:write"),
  request: { params: idParams },
  responses: {
    202: jsonAnswer("The test is being sent", testedChannelSchema),
    ...problemResponses(401, 403, 404, 409, 412, 503),
  },
});

export function channelsRoutes(deps: ChannelsRoutesDeps): OpenAPIHono<HttpEnv> {
  const { postgres, vault, tree } = deps;
  const app = createRouter();

  const { describe, own } = createTools(deps);
  const countStrangers = strangersCounter(deps);

  app.openapi(listChannelsRoute, async (c) => {
    const query = c.req.valid("query");
    const { node: asked, kind } = query;
    const actor = c.get("actor");
    const node = asked === undefined ? undefined : resolveNode(actor, tree, asked);
    const question = { list: "channels", node, kind };
    const tops = node === undefined ? actor.reach : [node];
    return await answerList(c, channelTable, query, async ({ cursor, limit }) => {
      const after = readCursor(cursor, question, positionSchema);
      const seen = await listChannels(postgres.db, tree, { tops, kind, after, limit: limit + 1 });
      const { page, last } = pageOf(seen, limit);
      const left = await listUnsubscribed(
        postgres.db,
        page.map(({ id }) => id),
      );
      const channels = await Promise.all(page.map((row) => describe(row, actor, left)));
      return { channels, next_cursor: last ? writeCursor(question, [last.name, last.id]) : null };
    });
  });

  app.openapi(createChannelRoute, async (c) => {
    const wanted = c.req.valid("json");
    const actor = c.get("actor");
    const node = resolveNode(actor, tree, wanted.node);
    if (wanted.kind === "email") await countStrangers(actor, wanted.to, "to");
    const { row, secret } = await createChannel(deps, { ...wanted, node }, authorOf(c));
    c.header("cache-control", "no-store");
    return await answerTagged(
      c,
      stateOfChannel(row, vault),
      { ...(await describe(row, actor)), ...(secret !== undefined && { secret }) },
      201,
    );
  });

  app.openapi(getChannelRoute, async (c) => {
    const actor = c.get("actor");
    const found = await own(actor, c.req.valid("param").id);
    return await answerTagged(c, stateOfChannel(found, vault), await describe(found, actor), 200);
  });

  app.openapi(updateChannelRoute, async (c) => {
    const actor = c.get("actor");
    const found = await own(actor, c.req.valid("param").id);
    const change = changesOf(c.req.valid("json"), changeChannelSchema, await describe(found, actor), movingOfChannel);
    if (found.kind === "email" && change.to) await countStrangers(actor, addedTo(found.to ?? [], change.to), "to");
    const changed = await changeChannel(deps, found.id, change, { by: authorOf(c), check: await ifMatch(c) });
    return await answerTagged(c, stateOfChannel(changed, vault), await describe(changed, actor), 200);
  });

  app.openapi(deleteChannelRoute, async (c) => {
    const { id } = await own(c.get("actor"), c.req.valid("param").id);
    await removeChannel(deps, id, { by: authorOf(c), check: await ifMatch(c) });
    return c.body(null, 204);
  });

  app.openapi(rotateChannelSecretRoute, async (c) => {
    const actor = c.get("actor");
    const { id } = await own(actor, c.req.valid("param").id);
    const edit = { by: authorOf(c), check: await ifMatch(c), nowMs: Date.now() };
    const { row, secret } = await rotateSecret(deps, id, edit);
    c.header("cache-control", "no-store");
    return await answerTagged(c, stateOfChannel(row, vault), { ...(await describe(row, actor)), secret }, 200);
  });

  app.openapi(testChannelRoute, async (c) => {
    const { id } = await own(c.get("actor"), c.req.valid("param").id);
    const check = await ifMatch(c);
    const deliveries = await testChannel(deps, id, (channel) => check(stateOfChannel(channel, vault)));
    return c.json({ delivery: deliveries[0] ?? "", deliveries }, 202);
  });
  return app;
}

/** What the service itself changes of a channel. */
const movingOfChannel = ["disabled_because", "unsubscribed", "sent_this_month", "old_secret_until"] as const;

function createTools({ postgres, vault, tree }: ChannelsRoutesDeps) {
  async function describe(row: ChannelRow, actor: Actor, left?: ReadonlyMap<string, string[]>): Promise<Channel> {
    const unsubscribed = row.kind === "email" ? (left ?? (await listUnsubscribed(postgres.db, [row.id]))) : undefined;
    const secrets = row.sealed && (vault.open(row.sealed, row.id) as ChannelSecrets | undefined);
    const seesSecrets = can(actor, "rules:write", row.node, tree);
    return {
      id: row.id,
      name: row.name,
      node: row.node,
      kind: row.kind,
      enabled: row.enabled,
      disabled_because: row.disabledBecause,
      ...(row.to && { to: row.to }),
      ...(unsubscribed && { unsubscribed: unsubscribed.get(row.id) ?? [] }),
      ...(secrets && { url: seesSecrets ? secrets.url : urlWithoutSecret(secrets.url) }),
      ...(row.monthlyCap !== null && {
        monthly_cap: row.monthlyCap,
        sent_this_month: row.sentMonth === new Date().toISOString().slice(0, 7) ? row.sentInMonth : 0,
      }),
      ...(row.kind === "webhook" && {
        old_secret_until:
          row.oldSecretUntil && row.oldSecretUntil.getTime() > Date.now() ? row.oldSecretUntil.toISOString() : null,
      }),
      created_at: row.createdAt.toISOString(),
    };
  }

  async function own(actor: Actor, id: string): Promise<ChannelRow> {
    return withinReach(actor, tree, await readChannel(postgres.db, id), "channel");
  }

  return { describe, own };
}
