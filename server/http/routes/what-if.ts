/** POST /v1/what-if */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { type OwnedTerms, readPlan } from "../../billing/plans.ts";
import { visibleLevelsOnRecord } from "../../billing/price-visibility.ts";
import { answerWhatIf, type WhatIfSource } from "../../billing/statements/what-if.ts";
import { maxTermsBytes } from "../../contract/plans.ts";
import { type WhatIf, whatIfRequestSchema, whatIfRowSchema, whatIfSchema } from "../../contract/what-if.ts";
import type { Actor } from "../../identity/actor.ts";
import { ProblemError } from "../../problem.ts";
import type { NodeRecord } from "../../tree/node-record.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { answerList, listed, listTable } from "../answer-list.ts";
import { changesNothing, createRouter, maxBodyBytes, problemResponses } from "../app-pieces.ts";
import { isWithinReach, requireScope, resolveNode } from "../authenticate.ts";
import type { HttpEnv } from "../http-env.ts";
import { jsonBody } from "../route-parts.ts";
import { storeFor } from "../take-turns.ts";
import { checkTerms, mayUsePlan } from "./plans.ts";

interface WhatIfRoutesDeps extends WhatIfSource {
  tree: NodeTree;
  now?: () => number;
}

/** A cycle of a node is measured in some hundredths of a second, and answers are waited for. */
const maxCycles = 600;

const whatIfTable = listTable("nodes", whatIfRowSchema, {
  name: "what-if",
  types: {
    start: "instant",
    end: "instant",
    total: "money",
    margin: "money",
    charged: "money",
    difference: "money",
  },
  itemsOf: (page) =>
    (page as unknown as WhatIf).nodes.flatMap(({ node, name, cycles }) =>
      cycles.flatMap(({ start, end, basis, compared }) =>
        compared.map((one) => ({ node, name, start, end, basis, ...one })),
      ),
    ),
});

const simulatePlanRoute = createRoute({
  method: "post",
  path: "/v1/what-if",
  [changesNothing]: true,
  operationId: "simulatePlan",
  tags: ["Plans"],
  summary: "Simulate what a plan would have cost over past cycles",
  description: `Changes nothing. Applies an existing plan, including drafts, or terms that are not stored, to the usage of past cycles: charges and margin at each level the caller can see, compared with what was charged; who would have been alerted or blocked, and when. Up to ${maxCycles} cycles of nodes at once.`,
  middleware: requireScope("prices:read"),
  [maxBodyBytes]: maxTermsBytes,
  request: { body: jsonBody(whatIfRequestSchema) },
  responses: {
    200: listed("What the plan would have cost, per cycle and node", whatIfSchema, whatIfRowSchema),
    ...problemResponses(400, 401, 403, 404, 503),
  },
});

export function whatIfRoutes(source: WhatIfRoutesDeps): OpenAPIHono<HttpEnv> {
  const { tree, meterOf, postgres, now = Date.now } = source;
  const app = createRouter();

  app.openapi(simulatePlanRoute, async (c) => {
    const actor = c.get("actor");
    const { node: requested, of, cycles, plan, version, terms: given } = c.req.valid("json");
    const node = resolveNode(actor, tree, requested);
    if (given) checkTerms(given, actor.node, meterOf);
    const terms = given ? { ...given, node: actor.node } : await termsOfPlan(actor, plan ?? "", version);
    const nodes = of === "node" ? [asSubscriber(node)] : organizationsIn(node, Math.floor(maxCycles / cycles));
    const answer = await answerWhatIf(
      { ...source, clickhouse: storeFor(c, source.clickhouse) },
      { node, nodes, cycles, terms, visibleLevelsOnRecord: (path) => visibleLevelsOnRecord(actor, { path }) },
      now(),
    );
    return await answerList(c, whatIfTable, {}, async () => answer);
  });

  async function termsOfPlan(actor: Actor, id: string, version: number | undefined): Promise<OwnedTerms> {
    const found = await readPlan(postgres.db, id);
    if (!found || !mayUsePlan(actor, tree, found))
      throw new ProblemError("invalid_request", "there is no such plan", { field: "plan" });
    const isOwn = isWithinReach(actor, tree, found.node);
    const known = found.versions.filter(({ publishedAt }) => isOwn || publishedAt !== null);
    const chosen = version === undefined ? known[0] : known.find((one) => one.version === version);
    if (!chosen) throw new ProblemError("invalid_request", `the plan has no version ${version}`, { field: "version" });
    return { ...chosen.terms, node: found.node };
  }

  function asSubscriber(node: string): NodeRecord {
    const record = tree.get(node);
    if (!record || record.kind === "agent" || record.kind === "all")
      throw new ProblemError("invalid_request", `${node} cannot have a subscription`, { field: "node" });
    return record;
  }

  function organizationsIn(node: string, most: number): NodeRecord[] {
    const found = tree.list([node], { kind: "organization", limit: most + 1 });
    if (found.length > most)
      throw new ProblemError(
        "invalid_request",
        `there are more than ${most} organizations; request fewer cycles or a node below`,
        {
          field: "node",
        },
      );
    return found;
  }
  return app;
}
