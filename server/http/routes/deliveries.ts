/** /v1/deliveries: what was sent where, with every attempt, and sending it again. */

import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { recordChange } from "../../audit/record-change.ts";
import { countKeySchema } from "../../contract/cursors.ts";
import {
  type DeliveryDetail,
  deliveryDetailSchema,
  deliveryListSchema,
  deliveryQuerySchema,
  deliverySchema,
} from "../../contract/deliveries.ts";
import { readChannel } from "../../delivery/channels.ts";
import { type DeliveryRow, resend, stateOfDelivery } from "../../delivery/outbox.ts";
import { requestAt, stillBelow } from "../../delivery/outgoing-request.ts";
import { describeDeliveries, listDeliveries, readDelivery } from "../../delivery/read-deliveries.ts";
import type { Vault } from "../../delivery/vault.ts";
import type { Actor } from "../../identity/actor.ts";
import { can } from "../../identity/permissions.ts";
import { readCursor, writeCursor } from "../../lists/cursor.ts";
import { MailLimits } from "../../mail/mail-limits.ts";
import type { Postgres, Queries } from "../../postgres/client.ts";
import { ProblemError } from "../../problem.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { wasWithin } from "../../tree/past-owners.ts";
import { tenantOf } from "../../tree/tenant-of.ts";
import { answerList, listed, listTable } from "../answer-list.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { requireScope, resolveNode, withinReach } from "../authenticate.ts";
import { authorOf } from "../author-of.ts";
import { entityTag, ifMatch } from "../entity-tag.ts";
import type { HttpEnv } from "../http-env.ts";
import { pageOf } from "../page-of.ts";
import { idParams } from "../route-parts.ts";

const one = { "application/json": { schema: deliveryDetailSchema } };

const deliveryTable = listTable("deliveries", deliverySchema);

const listDeliveriesRoute = createRoute({
  method: "get",
  path: "/v1/deliveries",
  operationId: "listDeliveries",
  tags: ["Alerts"],
  summary: "List deliveries with every attempt",
  description: "Each with all its attempts. Kept for 90 days.",
  middleware: requireScope("read"),
  request: { query: deliveryQuerySchema },
  responses: {
    200: listed("The deliveries", deliveryListSchema, deliverySchema),
    ...problemResponses(400, 401, 403, 404, 503),
  },
});

const getDeliveryRoute = createRoute({
  method: "get",
  path: "/v1/deliveries/{id}",
  operationId: "getDelivery",
  tags: ["Alerts"],
  summary: "Get a delivery with every attempt and its request",
  middleware: requireScope("read"),
  request: { params: idParams },
  responses: { 200: { description: "The delivery", content: one }, ...problemResponses(401, 403, 404, 503) },
});

const resendDeliveryRoute = createRoute({
  method: "post",
  path: "/v1/deliveries/{id}/resend",
  operationId: "resendDelivery",
  tags: ["Alerts"],
  summary: "Resend a delivery",
  description:
    "Sends it now under the same ID, keeping all earlier attempts: for a receiver that lost it or is available again. At most ten times an hour to one address or number, across everything below one node directly below the root.",
  middleware: requireScope("rules:write"),
  request: { params: idParams },
  responses: {
    202: { description: "It is being sent again", content: one },
    ...problemResponses(401, 403, 404, 409, 412, 429, 503),
  },
});

interface DeliveriesRoutesDeps {
  postgres: Postgres;
  tree: NodeTree;
  vault: Vault;
  /** Absent in tests that need none of their own. */
  mailLimits?: Pick<MailLimits, "mayList"> | undefined;
}

export function deliveriesRoutes({
  postgres,
  tree,
  vault,
  mailLimits = new MailLimits(),
}: DeliveriesRoutesDeps): OpenAPIHono<HttpEnv> {
  const app = createRouter();

  /** Rows and their attempts as of one instant. */
  const reading = <T>(read: (tx: Queries) => Promise<T>) => postgres.transaction(read, "snapshot");

  const own = async (tx: Queries, actor: Actor, id: string): Promise<DeliveryRow> =>
    withinReach(actor, tree, await readDelivery(tx, id), "delivery");

  function described(actor: Actor, id: string): Promise<{ row: DeliveryRow; detail: DeliveryDetail }> {
    return reading(async (tx) => {
      const row = await own(tx, actor, id);
      const [described] = await describeDeliveries(tx, [row], wasWithin(tree, actor.reach));
      if (!described) throw new ProblemError("not_found", "there is no such delivery");
      return { row, detail: { ...described, request: await requestOf(tx, actor, row) } };
    });
  }

  /** A report's figures have rights of their own, and are in no request shown here. */
  async function requestOf(tx: Queries, actor: Actor, row: DeliveryRow): Promise<DeliveryDetail["request"]> {
    const isShown = row.type !== "report" && (row.kind === "webhook" || row.kind === "slack") && row.channel !== null;
    if (!isShown || !can(actor, "rules:write", row.node, tree)) return null;
    if (!wasWithin(tree, actor.reach)(row.node, row.createdAt)) return null;
    const channel = await readChannel(tx, row.channel ?? "");
    const message = channel && stillBelow(channel, row, tree);
    return (message && requestAt(channel, { ...row, message }, { vault, ms: Date.now() })) ?? null;
  }

  app.openapi(listDeliveriesRoute, async (c) => {
    const query = c.req.valid("query");
    const { node: asked, alert, channel, state } = query;
    const actor = c.get("actor");
    const node = asked === undefined ? undefined : resolveNode(actor, tree, asked);
    const question = { list: "deliveries", node, alert, channel, state };
    const tops = node === undefined ? actor.reach : [node];
    return await answerList(c, deliveryTable, query, ({ cursor, limit }) =>
      reading(async (tx) => {
        const after = readCursor(cursor, question, countKeySchema);
        const found = await listDeliveries(tx, tree, { tops, alert, channel, state, after, limit: limit + 1 });
        const { page, last } = pageOf(found, limit);
        const deliveries = await describeDeliveries(tx, page, wasWithin(tree, actor.reach));
        return { deliveries, next_cursor: last ? writeCursor(question, last.position) : null };
      }),
    );
  });

  async function answered(c: Context<HttpEnv>, id: string): Promise<DeliveryDetail> {
    const { row, detail } = await described(c.get("actor"), id);
    c.header("etag", await entityTag(c, stateOfDelivery(row)));
    return detail;
  }

  app.openapi(getDeliveryRoute, async (c) => c.json(await answered(c, c.req.valid("param").id), 200));

  app.openapi(resendDeliveryRoute, async (c) => {
    const { db } = postgres;
    const row = await own(db, c.get("actor"), c.req.valid("param").id);
    const channel = row.channel === null ? undefined : await readChannel(db, row.channel);
    if (row.channel !== null && !channel?.enabled)
      throw new ProblemError("conflict", "its channel was deleted or is disabled", { field: "id" });
    const check = await ifMatch(c);
    check(stateOfDelivery(row));
    await countReceiver(mailLimits, tree, c.get("actor"), row);
    await postgres.transaction(async (tx) => {
      await resend(tx, row.id, check);
      const { node, state } = row;
      const change = { action: "delivery.resent", subject: row.id, before: { state }, after: { state: "resent" } };
      await recordChange(tx, { by: authorOf(c), node, ...change });
    });
    return c.json(await answered(c, row.id), 202);
  });
  return app;
}

/** Whose address or number it is did not ask for it again. */
async function countReceiver(
  mailLimits: Pick<MailLimits, "mayList">,
  tree: Pick<NodeTree, "ancestors">,
  { id, node }: Actor,
  { kind, to }: DeliveryRow,
): Promise<void> {
  if (to === null || (kind !== "email" && kind !== "sms")) return;
  if (await mailLimits.mayList({ id, tenant: tenantOf(node, tree) }, to.toLowerCase())) return;
  throw new ProblemError(
    "too_fast",
    "too much was sent again to this address, or by this caller, within an hour; try again later",
    {
      field: "id",
      retryAfterSeconds: 3_600,
    },
  );
}
