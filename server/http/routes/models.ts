/** /v1/models: the registry of speech models. */

import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import {
  changeModel,
  createModel,
  listModelsAt,
  type ModelRecord,
  readModel,
  removeModel,
  stateOfModel,
} from "../../billing/models.ts";
import {
  changeModelSchema,
  createModelSchema,
  type Model,
  modelListSchema,
  modelQuerySchema,
  modelSchema,
} from "../../contract/models.ts";
import type { Actor } from "../../identity/actor.ts";
import type { Postgres } from "../../postgres/client.ts";
import { ProblemError } from "../../problem.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { answerList, listed, listTable } from "../answer-list.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { isWithinReach, requireScope, resolveNode, withinReach } from "../authenticate.ts";
import { authorOf } from "../author-of.ts";
import { answerTagged, ifMatch } from "../entity-tag.ts";
import type { HttpEnv } from "../http-env.ts";
import { idParams, jsonAnswer, jsonBody } from "../route-parts.ts";

const modelTable = listTable("models", modelSchema);

const listModelsRoute = createRoute({
  method: "get",
  path: "/v1/models",
  operationId: "listModels",
  tags: ["Plans"],
  summary: "List speech models",
  middleware: requireScope("read"),
  request: { query: modelQuerySchema },
  responses: { 200: listed("The models", modelListSchema, modelSchema), ...problemResponses(400, 401, 403, 404, 503) },
});

const createModelRoute = createRoute({
  method: "post",
  path: "/v1/models",
  operationId: "createModel",
  tags: ["Plans"],
  summary: "Register a speech model",
  description: "Wherever usage is grouped by model, it appears under this name, including earlier usage.",
  middleware: requireScope("meters:write"),
  request: { body: jsonBody(createModelSchema) },
  responses: { 201: jsonAnswer("The new model", modelSchema), ...problemResponses(400, 401, 403, 404, 409, 503) },
});

const getModelRoute = createRoute({
  method: "get",
  path: "/v1/models/{id}",
  operationId: "getModel",
  tags: ["Plans"],
  summary: "Get a speech model",
  middleware: requireScope("read"),
  request: { params: idParams },
  responses: { 200: jsonAnswer("The model", modelSchema), ...problemResponses(401, 403, 404, 503) },
});

const updateModelRoute = createRoute({
  method: "patch",
  path: "/v1/models/{id}",
  operationId: "updateModel",
  tags: ["Plans"],
  summary: "Update a speech model",
  middleware: requireScope("meters:write"),
  request: { params: idParams, body: jsonBody(changeModelSchema) },
  responses: { 200: jsonAnswer("The updated model", modelSchema), ...problemResponses(400, 401, 403, 404, 412, 503) },
});

const deleteModelRoute = createRoute({
  method: "delete",
  path: "/v1/models/{id}",
  operationId: "deleteModel",
  tags: ["Plans"],
  summary: "Delete a speech model",
  description: "Its usage is kept and appears under the ID used in events.",
  middleware: requireScope("meters:write"),
  request: { params: idParams },
  responses: { 204: { description: "Deleted" }, ...problemResponses(401, 403, 404, 412, 503) },
});

export function modelsRoutes({ postgres, tree }: { postgres: Postgres; tree: NodeTree }): OpenAPIHono<HttpEnv> {
  const app = createRouter();

  app.openapi(listModelsRoute, async (c) => {
    const actor = c.get("actor");
    const node = resolveNode(actor, tree, c.req.valid("query").node);
    return await answerList(c, modelTable, {}, async () => {
      const known = await listModelsAt(postgres.db, tree, node);
      return { models: known.map((one) => describe(one, actor, tree)) };
    });
  });

  app.openapi(createModelRoute, async (c) => {
    const { node: requested, ...wanted } = c.req.valid("json");
    const actor = c.get("actor");
    const node = resolveNode(actor, tree, requested);
    if (node.startsWith("agent:"))
      throw new ProblemError("invalid_request", "an agent cannot have models of its own", { field: "node" });
    const made = await createModel(postgres, tree, { ...wanted, node }, authorOf(c));
    return await answerTagged(c, stateOfModel(made), describe(made, actor, tree), 201);
  });

  app.openapi(getModelRoute, async (c) => {
    const actor = c.get("actor");
    const found = await readModel(postgres.db, c.req.valid("param").id);
    const isShared = found && actor.reach.some((top) => tree.isWithin(top, found.node));
    if (!found || !(isShared || isWithinReach(actor, tree, found.node)))
      throw new ProblemError("not_found", "there is no such model");
    return await answerTagged(c, stateOfModel(found), describe(found, actor, tree), 200);
  });

  app.openapi(updateModelRoute, async (c) => {
    const actor = c.get("actor");
    const id = await ownId(actor, c.req.valid("param").id);
    const changed = await changeModel(postgres, id, c.req.valid("json"), {
      by: authorOf(c),
      check: await ifMatch(c),
    });
    return await answerTagged(c, stateOfModel(changed), describe(changed, actor, tree), 200);
  });

  app.openapi(deleteModelRoute, async (c) => {
    const id = await ownId(c.get("actor"), c.req.valid("param").id);
    await removeModel(postgres, id, { by: authorOf(c), check: await ifMatch(c) });
    return c.body(null, 204);
  });

  async function ownId(actor: Actor, id: string): Promise<string> {
    return withinReach(actor, tree, await readModel(postgres.db, id), "model").id;
  }
  return app;
}

function describe(record: ModelRecord, actor: Actor, tree: Pick<NodeTree, "isWithin">): Model {
  const { id, model, name, node, tier, description, createdAt } = record;
  const is_own = isWithinReach(actor, tree, node);
  return { id, model, name, node, is_own, tier, description, created_at: createdAt.toISOString() };
}
