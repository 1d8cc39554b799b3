/** GET /v1/period and GET /v1/entitlements/{feature}. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { type EntitlementSource, Entitlements } from "../../billing/entitlements.ts";
import { readPeriod } from "../../billing/period.ts";
import { nodeAddressSchema } from "../../contract/nodes.ts";
import { entitlementSchema, periodQuerySchema, periodSchema, quotaSchema } from "../../contract/quotas.ts";
import { answerList, listed, listTable } from "../answer-list.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { requireScope, resolveNode } from "../authenticate.ts";
import type { HttpEnv } from "../http-env.ts";
import { jsonAnswer } from "../route-parts.ts";
import { sayWatermark } from "../say-watermark.ts";
import { storeFor } from "../take-turns.ts";

const quotaTable = listTable("quotas", quotaSchema, {
  types: { used: "decimal", limit: "decimal", percent: "percent" },
});

const getPeriodRoute = createRoute({
  method: "get",
  path: "/v1/period",
  operationId: "getPeriod",
  tags: ["Subscriptions"],
  summary: "Get the current billing cycle: quota usage, projections, and when limits will be reached",
  description:
    "An agent is covered by its organization's subscription. Status: below 50% `under`, below 80% `moderate`, below 95% `high`, otherwise `over`.",
  middleware: requireScope("read"),
  request: { query: periodQuerySchema },
  responses: {
    200: listed("The cycle with its quotas", periodSchema, quotaSchema),
    ...problemResponses(400, 401, 403, 404, 503),
  },
});

const checkEntitlementRoute = createRoute({
  method: "get",
  path: "/v1/entitlements/{feature}",
  operationId: "checkEntitlement",
  tags: ["Subscriptions"],
  summary: "Check whether a node can use more of a feature now",
  description:
    "Answered from memory until something changes. Events acknowledged as stored, and every change of a subscription, plan or status, are in the next answer; what only grows with time, such as the minutes of an open interval, is at most 30 seconds behind and usually one. If usage cannot be read for longer, a feature that is blocked at its limit is refused with `usage_unknown`.",
  middleware: requireScope("read"),
  request: {
    params: z.object({ feature: z.string().max(64) }),
    query: z.strictObject({ node: nodeAddressSchema.optional() }),
  },
  responses: {
    200: jsonAnswer("Whether it can, and why", entitlementSchema),
    ...problemResponses(400, 401, 403, 404, 503),
  },
});

export function quotasRoutes(source: EntitlementSource): OpenAPIHono<HttpEnv> {
  const { tree, now = Date.now } = source;
  const entitlements = new Entitlements(source);
  const app = createRouter();

  app.openapi(getPeriodRoute, async (c) => {
    const { node: requested, cycles } = c.req.valid("query");
    const node = resolveNode(c.get("actor"), tree, requested);
    return await answerList(
      c,
      quotaTable,
      {},
      async () => await readPeriod({ ...source, clickhouse: storeFor(c, source.clickhouse) }, node, cycles, now()),
    );
  });

  app.openapi(checkEntitlementRoute, async (c) => {
    const node = resolveNode(c.get("actor"), tree, c.req.valid("query").node);
    const entitlement = await entitlements.ask(node, c.req.valid("param").feature);
    sayWatermark(c, entitlement.watermark);
    return c.json(entitlement, 200);
  });
  return app;
}
