/** GET /v1/charges: what a cycle costs so far, for who may see prices. */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { PeriodSource } from "../../billing/period.ts";
import { highestLevel, seesOnRecord, visibleLevels } from "../../billing/price-visibility.ts";
import { readCharges } from "../../billing/read-charges.ts";
import { type Charges, chargeRowSchema, chargesQuerySchema, chargesSchema } from "../../contract/charges.ts";
import { priceLevels } from "../../contract/plans.ts";
import { ProblemError } from "../../problem.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { answerList, listed, listTable } from "../answer-list.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { requireScope, resolveNode } from "../authenticate.ts";
import type { HttpEnv } from "../http-env.ts";
import { storeFor } from "../take-turns.ts";

interface ChargesRoutesDeps extends PeriodSource {
  tree: NodeTree;
  now?: () => number;
}

const chargeTable = listTable("levels", chargeRowSchema, {
  name: "charges",
  types: {
    from: "instant",
    to: "instant",
    quantity: "decimal",
    unit_price: "decimal",
    flat_fee: "money",
    amount: "money",
  },
  itemsOf: (page) =>
    (page as unknown as Charges).levels.flatMap(({ level, currency, lines }) =>
      lines.map((line) => ({ level, currency, ...line })),
    ),
});

const getChargesRoute = createRoute({
  method: "get",
  path: "/v1/charges",
  operationId: "getCharges",
  tags: ["Billing"],
  summary: "Get the charges of a billing cycle so far",
  description:
    "Based on usage known so far. If the plan changed within a cycle, each part is charged as that part of a whole cycle at the same pace: fixed fee, included amount and tier limits are scaled down with it. For a node that moved, covers the parts of the cycle in which it was below the caller.",
  middleware: requireScope("prices:read"),
  request: { query: chargesQuerySchema },
  responses: {
    200: listed("The charges with their lines", chargesSchema, chargeRowSchema),
    ...problemResponses(400, 401, 403, 404, 503),
  },
});

export function chargesRoutes(source: ChargesRoutesDeps): OpenAPIHono<HttpEnv> {
  const { tree, now = Date.now } = source;
  const app = createRouter();
  app.openapi(getChargesRoute, async (c) => {
    const { node: requested, cycle } = c.req.valid("query");
    const actor = c.get("actor");
    const node = resolveNode(actor, tree, requested);
    const seen = visibleLevels(actor, node, tree);
    const levels = priceLevels.slice(highestLevel(node) - 1).filter((level) => seen.has(level));
    const asked = { ...source, clickhouse: storeFor(c, source.clickhouse) };
    return await answerList(c, chargeTable, {}, async () => {
      const isSeenOnRecord = seesOnRecord(actor, levels);
      const charges = await readCharges(asked, { node, cyclesAgo: cycle, levels, isSeenOnRecord }, now());
      if (!charges) throw new ProblemError("not_found", `${node} has no subscription in this cycle`, { field: "node" });
      return charges;
    });
  });
  return app;
}
