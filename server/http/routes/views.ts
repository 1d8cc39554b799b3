/** /v1/views: the questions of the usage page that people of a node keep. */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import {
  changeViewSchema,
  createViewSchema,
  type View,
  viewListSchema,
  viewQuerySchema,
  viewSchema,
} from "../../contract/views.ts";
import type { Actor } from "../../identity/actor.ts";
import type { Postgres } from "../../postgres/client.ts";
import {
  changeView,
  createView,
  listViews,
  readView,
  removeView,
  stateOfView,
  type ViewRecord,
} from "../../reports/saved-views.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { requireScope, resolveNode, withinReach } from "../authenticate.ts";
import { authorOf } from "../author-of.ts";
import { answerTagged, ifMatch } from "../entity-tag.ts";
import type { HttpEnv } from "../http-env.ts";
import { idParams, jsonAnswer, jsonBody } from "../route-parts.ts";

const listViewsRoute = createRoute({
  method: "get",
  path: "/v1/views",
  operationId: "listViews",
  tags: ["Usage"],
  summary: "List saved views of a node",
  description:
    "Queries of the usage page that its people saved under a name, and dashboards of several. Views of nodes below have to be requested separately.",
  middleware: requireScope("read"),
  request: { query: viewQuerySchema },
  responses: { 200: jsonAnswer("The views", viewListSchema), ...problemResponses(400, 401, 403, 404, 503) },
});

const createViewRoute = createRoute({
  method: "post",
  path: "/v1/views",
  operationId: "createView",
  tags: ["Usage"],
  summary: "Save a view",
  middleware: requireScope("reports:write"),
  request: { body: jsonBody(createViewSchema) },
  responses: { 201: jsonAnswer("The new view", viewSchema), ...problemResponses(400, 401, 403, 404, 409, 503) },
});

const getViewRoute = createRoute({
  method: "get",
  path: "/v1/views/{id}",
  operationId: "getView",
  tags: ["Usage"],
  summary: "Get a saved view",
  middleware: requireScope("read"),
  request: { params: idParams },
  responses: { 200: jsonAnswer("The view", viewSchema), ...problemResponses(401, 403, 404, 503) },
});

const updateViewRoute = createRoute({
  method: "patch",
  path: "/v1/views/{id}",
  operationId: "updateView",
  tags: ["Usage"],
  summary: "Update a saved view",
  middleware: requireScope("reports:write"),
  request: { params: idParams, body: jsonBody(changeViewSchema) },
  responses: {
    200: jsonAnswer("The updated view", viewSchema),
    ...problemResponses(400, 401, 403, 404, 409, 412, 503),
  },
});

const deleteViewRoute = createRoute({
  method: "delete",
  path: "/v1/views/{id}",
  operationId: "deleteView",
  tags: ["Usage"],
  summary: "Delete a saved view",
  middleware: requireScope("reports:write"),
  request: { params: idParams },
  responses: { 204: { description: "Deleted" }, ...problemResponses(401, 403, 404, 412, 503) },
});

export function viewsRoutes({ postgres, tree }: { postgres: Postgres; tree: NodeTree }): OpenAPIHono<HttpEnv> {
  const app = createRouter();

  app.openapi(listViewsRoute, async (c) => {
    const node = resolveNode(c.get("actor"), tree, c.req.valid("query").node);
    return c.json({ views: (await listViews(postgres.db, node)).map(describe) }, 200);
  });

  app.openapi(createViewRoute, async (c) => {
    const { node: requested, ...wanted } = c.req.valid("json");
    const node = resolveNode(c.get("actor"), tree, requested);
    const made = await createView(postgres, tree, { ...wanted, node }, authorOf(c));
    return await answerTagged(c, stateOfView(made), describe(made), 201);
  });

  app.openapi(getViewRoute, async (c) => {
    const found = await own(c.get("actor"), c.req.valid("param").id);
    return await answerTagged(c, stateOfView(found), describe(found), 200);
  });

  app.openapi(updateViewRoute, async (c) => {
    const { id } = await own(c.get("actor"), c.req.valid("param").id);
    const edit = { by: authorOf(c), check: await ifMatch(c) };
    const changed = await changeView(postgres, id, c.req.valid("json"), edit);
    return await answerTagged(c, stateOfView(changed), describe(changed), 200);
  });

  app.openapi(deleteViewRoute, async (c) => {
    const { id } = await own(c.get("actor"), c.req.valid("param").id);
    await removeView(postgres, id, { by: authorOf(c), check: await ifMatch(c) });
    return c.body(null, 204);
  });

  async function own(actor: Actor, id: string): Promise<ViewRecord> {
    return withinReach(actor, tree, await readView(postgres.db, id), "view");
  }
  return app;
}

function describe({ id, name, node, query, panels, createdAt }: ViewRecord): View {
  return { id, name, node, query, panels, created_at: createdAt.toISOString() };
}
