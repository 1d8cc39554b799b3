/** /v1/annotations: notes of people at instants of a node's usage. */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import {
  type Annotation,
  annotationListSchema,
  annotationQuerySchema,
  annotationSchema,
  changeAnnotationSchema,
  createAnnotationSchema,
} from "../../contract/annotations.ts";
import type { Actor } from "../../identity/actor.ts";
import { readCursor, timedKeySchema, writeCursor } from "../../lists/cursor.ts";
import type { Postgres } from "../../postgres/client.ts";
import { ProblemError } from "../../problem.ts";
import {
  type AnnotationRecord,
  changeAnnotation,
  createAnnotation,
  listAnnotations,
  noSuchAnnotation,
  readAnnotation,
  removeAnnotation,
  stateOfAnnotation,
} from "../../reports/annotations.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { spansWithin, wasWithin } from "../../tree/past-owners.ts";
import { answerList, listed, listTable } from "../answer-list.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { isWithinReach, requireScope, resolveNode } from "../authenticate.ts";
import { authorOf } from "../author-of.ts";
import { answerTagged, ifMatch } from "../entity-tag.ts";
import type { HttpEnv } from "../http-env.ts";
import { pageOf } from "../page-of.ts";
import { idParams, jsonAnswer, jsonBody } from "../route-parts.ts";
import { readTimeRange } from "../time-range.ts";

const annotationTable = listTable("annotations", annotationSchema);

const listAnnotationsRoute = createRoute({
  method: "get",
  path: "/v1/annotations",
  operationId: "listAnnotations",
  tags: ["Usage"],
  summary: "List annotations of a node, latest instant first",
  description: [
    "Notes at instants of the node's usage. Anyone who can read the node's usage sees them; people of nodes below do not,",
    "and notes of nodes below have to be requested separately. Above a node that moves, a note is seen by the nodes that were there when it was written.",
  ].join(" "),
  middleware: requireScope("read"),
  request: { query: annotationQuerySchema },
  responses: {
    200: listed("The annotations", annotationListSchema, annotationSchema),
    ...problemResponses(400, 401, 403, 404, 503),
  },
});

const createAnnotationRoute = createRoute({
  method: "post",
  path: "/v1/annotations",
  operationId: "createAnnotation",
  tags: ["Usage"],
  summary: "Annotate an instant of a node's usage",
  middleware: requireScope("reports:write"),
  request: { body: jsonBody(createAnnotationSchema) },
  responses: {
    201: jsonAnswer("The new annotation", annotationSchema),
    ...problemResponses(400, 401, 403, 404, 409, 503),
  },
});

const getAnnotationRoute = createRoute({
  method: "get",
  path: "/v1/annotations/{id}",
  operationId: "getAnnotation",
  tags: ["Usage"],
  summary: "Get an annotation",
  middleware: requireScope("read"),
  request: { params: idParams },
  responses: { 200: jsonAnswer("The annotation", annotationSchema), ...problemResponses(401, 403, 404, 503) },
});

const updateAnnotationRoute = createRoute({
  method: "patch",
  path: "/v1/annotations/{id}",
  operationId: "updateAnnotation",
  tags: ["Usage"],
  summary: "Update an annotation",
  description: "The author stays the same; the audit log shows who edited it.",
  middleware: requireScope("reports:write"),
  request: { params: idParams, body: jsonBody(changeAnnotationSchema) },
  responses: {
    200: jsonAnswer("The updated annotation", annotationSchema),
    ...problemResponses(400, 401, 403, 404, 412, 503),
  },
});

const deleteAnnotationRoute = createRoute({
  method: "delete",
  path: "/v1/annotations/{id}",
  operationId: "deleteAnnotation",
  tags: ["Usage"],
  summary: "Delete an annotation",
  middleware: requireScope("reports:write"),
  request: { params: idParams },
  responses: { 204: { description: "Deleted" }, ...problemResponses(401, 403, 404, 412, 503) },
});

export function annotationsRoutes({ postgres, tree }: { postgres: Postgres; tree: NodeTree }): OpenAPIHono<HttpEnv> {
  const app = createRouter();

  app.openapi(listAnnotationsRoute, async (c) => {
    const { limit: max, cursor: first, ...question } = c.req.valid("query");
    const actor = c.get("actor");
    const node = resolveNode(actor, tree, question.node);
    const range = readTimeRange(question, Date.now());
    const asked = { list: "annotations", ...question, node };
    return await answerList(c, annotationTable, { cursor: first, limit: max }, async ({ cursor, limit }) => {
      const after = readCursor(cursor, asked, timedKeySchema);
      const writtenWithin = spansWithin(tree, actor.reach, node, ever);
      const found = await listAnnotations(postgres.db, { node, writtenWithin, ...range, after, max: limit + 1 });
      const { page, last } = pageOf(found, limit);
      const next_cursor = last ? writeCursor(asked, { atMs: last.at.getTime(), id: last.id }) : null;
      return { annotations: page.map(describe), next_cursor };
    });
  });

  app.openapi(createAnnotationRoute, async (c) => {
    const { node: requested, ...wanted } = c.req.valid("json");
    const actor = c.get("actor");
    const node = resolveNode(actor, tree, requested);
    const made = await createAnnotation(postgres, tree, { ...wanted, node }, authorOf(c));
    return await answerTagged(c, stateOfAnnotation(made), describe(made), 201);
  });

  app.openapi(getAnnotationRoute, async (c) => {
    const found = await seen(c.get("actor"), c.req.valid("param").id);
    return await answerTagged(c, stateOfAnnotation(found), describe(found), 200);
  });

  app.openapi(updateAnnotationRoute, async (c) => {
    const { id } = await own(c.get("actor"), c.req.valid("param").id);
    const edit = { by: authorOf(c), check: await ifMatch(c) };
    const changed = await changeAnnotation(postgres, id, c.req.valid("json"), edit);
    return await answerTagged(c, stateOfAnnotation(changed), describe(changed), 200);
  });

  app.openapi(deleteAnnotationRoute, async (c) => {
    const { id } = await own(c.get("actor"), c.req.valid("param").id);
    await removeAnnotation(postgres, id, { by: authorOf(c), check: await ifMatch(c) });
    return c.body(null, 204);
  });

  async function seen({ reach }: Actor, id: string): Promise<AnnotationRecord> {
    const found = await readAnnotation(postgres.db, id);
    if (!found || !wasWithin(tree, reach)(found.node, found.createdAt)) throw noSuchAnnotation();
    return found;
  }

  /** What was written before a node moved away is read there still, and changed no more. */
  async function own(actor: Actor, id: string): Promise<AnnotationRecord> {
    const found = await seen(actor, id);
    if (!isWithinReach(actor, tree, found.node))
      throw new ProblemError("forbidden", "its node has moved to another place in the tree", { field: "id" });
    return found;
  }
  return app;
}

/** In ms since 1970, UTC, with what a clock that ran ahead wrote. */
const ever = { fromMs: 0, toMs: Date.parse("9999-01-01T00:00:00Z") };

function describe({ id, node, at, text, author, createdAt }: AnnotationRecord): Annotation {
  return { id, node, text, at: at.toISOString(), author, created_at: createdAt.toISOString() };
}
