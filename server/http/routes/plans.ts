/** Plans of the caller's subtree, and those that nodes above offer to it. */

import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { UsageSource } from "../../billing/measure-span.ts";
import {
  changePlan,
  createPlan,
  listPlans,
  type PlanRecord,
  publishPlan,
  readPlan,
  stateOfPlan,
} from "../../billing/plans.ts";
import { highestLevel, visibleLevels, visibleTerms } from "../../billing/price-visibility.ts";
import { pagedQuerySchema } from "../../contract/cursors.ts";
import type { NodeAddress } from "../../contract/nodes.ts";
import {
  changePlanSchema,
  createPlanSchema,
  maxTermsBytes,
  type Plan,
  type PlanTerms,
  planListSchema,
  planSchema,
  priceLevels,
} from "../../contract/plans.ts";
import type { Actor } from "../../identity/actor.ts";
import { readCursor, timedKeySchema, writeCursor } from "../../lists/cursor.ts";
import type { Postgres } from "../../postgres/client.ts";
import { ProblemError } from "../../problem.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { answerList, listed, listTable } from "../answer-list.ts";
import { createRouter, maxBodyBytes, problemResponses } from "../app-pieces.ts";
import { isWithinReach, requireScope, resolveNode, withinReach } from "../authenticate.ts";
import { authorOf } from "../author-of.ts";
import { answerTagged, ifMatch } from "../entity-tag.ts";
import type { HttpEnv } from "../http-env.ts";
import { pageOf } from "../page-of.ts";
import { idParams, jsonAnswer, jsonBody } from "../route-parts.ts";

interface PlansRoutesDeps {
  postgres: Postgres;
  tree: NodeTree;
  meterOf: UsageSource["meterOf"];
}

const planTable = listTable("plans", planSchema);

const listPlansRoute = createRoute({
  method: "get",
  path: "/v1/plans",
  operationId: "listPlans",
  tags: ["Plans"],
  summary: "List plans",
  description:
    "Oldest first. Prices are left out if the caller cannot see them, and drafts if the plan belongs to another node. A page can have fewer than `limit` plans before the last one.",
  middleware: requireScope("read"),
  request: { query: pagedQuerySchema },
  responses: { 200: listed("All plans", planListSchema, planSchema), ...problemResponses(400, 401, 403, 503) },
});

const createPlanRoute = createRoute({
  method: "post",
  path: "/v1/plans",
  operationId: "createPlan",
  tags: ["Plans"],
  summary: "Create a plan",
  description: "Its first version is a draft: nobody can subscribe to it until it is published.",
  middleware: requireScope("plans:write"),
  [maxBodyBytes]: maxTermsBytes,
  request: { body: jsonBody(createPlanSchema) },
  responses: { 201: jsonAnswer("The new plan", planSchema), ...problemResponses(400, 401, 403, 404, 503) },
});

const getPlanRoute = createRoute({
  method: "get",
  path: "/v1/plans/{id}",
  operationId: "getPlan",
  tags: ["Plans"],
  summary: "Get a plan with all its versions",
  middleware: requireScope("read"),
  request: { params: idParams },
  responses: { 200: jsonAnswer("The plan", planSchema), ...problemResponses(401, 403, 404, 503) },
});

const updatePlanRoute = createRoute({
  method: "patch",
  path: "/v1/plans/{id}",
  operationId: "updatePlan",
  tags: ["Plans"],
  summary: "Update a plan",
  description:
    "Changed terms go to the draft, which is created if all versions are published: a published version never changes.",
  middleware: requireScope("plans:write"),
  [maxBodyBytes]: maxTermsBytes,
  request: { params: idParams, body: jsonBody(changePlanSchema) },
  responses: { 200: jsonAnswer("The updated plan", planSchema), ...problemResponses(400, 401, 403, 404, 412, 503) },
});

const publishPlanRoute = createRoute({
  method: "post",
  path: "/v1/plans/{id}/publish",
  operationId: "publishPlan",
  tags: ["Plans"],
  summary: "Publish a plan's draft",
  description: "Existing subscriptions stay on their version until they are changed.",
  middleware: requireScope("plans:write"),
  request: { params: idParams },
  responses: { 200: jsonAnswer("The updated plan", planSchema), ...problemResponses(401, 403, 404, 409, 412, 503) },
});

export function plansRoutes({ postgres, tree, meterOf }: PlansRoutesDeps): OpenAPIHono<HttpEnv> {
  const app = createRouter();

  app.openapi(listPlansRoute, async (c) => {
    const actor = c.get("actor");
    const asked = { list: "plans" };
    return await answerList(c, planTable, c.req.valid("query"), async ({ cursor, limit }) => {
      const after = readCursor(cursor, asked, timedKeySchema);
      const { page, last } = pageOf(await listPlans(postgres, tree, actor.reach, { after, limit: limit + 1 }), limit, {
        large: true,
      });
      const seen = page.filter((plan) => mayUsePlan(actor, tree, plan));
      const next_cursor = last ? writeCursor(asked, { atMs: last.createdAt.getTime(), id: last.id }) : null;
      return { plans: seen.map((plan) => describePlan(plan, actor, tree)), next_cursor };
    });
  });

  app.openapi(createPlanRoute, async (c) => {
    const { name, node: requested, offered, ...terms } = c.req.valid("json");
    const actor = c.get("actor");
    const node = resolveNode(actor, tree, requested);
    if (node.startsWith("agent:"))
      throw new ProblemError("invalid_request", "an agent cannot have plans of its own", { field: "node" });
    checkTerms(terms, node, meterOf);
    const plan = await createPlan(postgres, tree, { node, name, offered, terms }, authorOf(c));
    return await answerTagged(c, stateOfPlan(plan), describePlan(plan, actor, tree), 201);
  });

  app.openapi(getPlanRoute, async (c) => {
    const actor = c.get("actor");
    const plan = await readPlan(postgres.db, c.req.valid("param").id);
    if (!plan || !mayUsePlan(actor, tree, plan)) throw new ProblemError("not_found", "there is no such plan");
    return await answerTagged(c, stateOfPlan(plan), describePlan(plan, actor, tree), 200);
  });

  app.openapi(updatePlanRoute, async (c) => {
    const actor = c.get("actor");
    const { id, node } = await ownPlan(actor, c.req.valid("param").id);
    const wanted = c.req.valid("json");
    if (wanted.terms) checkTerms(wanted.terms, node, meterOf);
    const plan = await changePlan(postgres, tree, id, wanted, { by: authorOf(c), check: await ifMatch(c) });
    return await answerTagged(c, stateOfPlan(plan), describePlan(plan, actor, tree), 200);
  });

  app.openapi(publishPlanRoute, async (c) => {
    const actor = c.get("actor");
    const { id } = await ownPlan(actor, c.req.valid("param").id);
    const plan = await publishPlan(postgres, id, { by: authorOf(c), check: await ifMatch(c) });
    return await answerTagged(c, stateOfPlan(plan), describePlan(plan, actor, tree), 200);
  });

  async function ownPlan(actor: Actor, id: string): Promise<PlanRecord> {
    return withinReach(actor, tree, await readPlan(postgres.db, id), "plan");
  }
  return app;
}

function isOfferedTo(actor: Actor, tree: Pick<NodeTree, "isWithin">, plan: PlanRecord): boolean {
  return plan.offered && actor.reach.some((top) => tree.isWithin(top, plan.node));
}

/** Whether the plan is of the caller's subtree, or offered to it and published. */
export function mayUsePlan(actor: Actor, tree: Pick<NodeTree, "isWithin">, plan: PlanRecord): boolean {
  if (isWithinReach(actor, tree, plan.node)) return true;
  return isOfferedTo(actor, tree, plan) && plan.versions.some(({ publishedAt }) => publishedAt !== null);
}

function describePlan(plan: PlanRecord, actor: Actor, tree: Pick<NodeTree, "isWithin">): Plan {
  const levels = visibleLevels(actor, plan.node, tree);
  const isOwn = isWithinReach(actor, tree, plan.node);
  return {
    id: plan.id,
    name: plan.name,
    node: plan.node,
    offered: plan.offered,
    created_at: plan.createdAt.toISOString(),
    versions: plan.versions
      .filter(({ publishedAt }) => isOwn || publishedAt !== null)
      .map(({ version, publishedAt, terms }) => ({
        version,
        status: publishedAt === null ? "draft" : "published",
        published_at: publishedAt?.toISOString() ?? null,
        ...visibleTerms(terms, levels),
      })),
  };
}

/** The first feature with a meter that the node does not know now. */
export function unknownMeter(
  features: PlanTerms["features"],
  node: NodeAddress,
  meterOf: UsageSource["meterOf"],
): PlanTerms["features"][number] | undefined {
  return features.find(({ meter }) => meter !== null && !meterOf(meter, node, Date.now()));
}

/** Throws `invalid_request` for meters that do not exist and for prices that those above the node would pay. */
export function checkTerms(terms: PlanTerms, node: NodeAddress, meterOf: UsageSource["meterOf"]): void {
  const { features, fixed_fee } = terms;
  const unknown = unknownMeter(features, node, meterOf);
  if (unknown)
    throw new ProblemError("invalid_request", `there is no meter named ${JSON.stringify(unknown.meter)}`, {
      field: `features.${features.indexOf(unknown)}.meter`,
    });
  const above = priceLevels.slice(highestLevel(node));
  for (const level of above) {
    const index = features.findIndex(({ prices }) => prices[level] !== undefined);
    if (index < 0 && fixed_fee[level] === undefined) continue;
    const field = index < 0 ? `fixed_fee.${level}` : `features.${index}.prices.${level}`;
    throw new ProblemError("invalid_request", `a plan of ${node} cannot set what a ${level} pays`, { field });
  }
}
