/** The account tree, as far as the caller's subtree goes. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Actor } from "../../accounts/actor.ts";
import { mayStandBelow, type NodeRecord, type NodeTree } from "../../accounts/node-tree.ts";
import {
  createNodeSchema,
  type Node,
  nodeAddressSchema,
  nodeListSchema,
  nodeQuerySchema,
  nodeSchema,
} from "../../contract/nodes.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { isWithinReach, requireScope, resolveNode } from "../authenticate.ts";
import { authorOf } from "../author-of.ts";
import type { HttpEnv } from "../http-env.ts";
import { ProblemError } from "../problem-error.ts";

export function nodesRoutes({ tree }: { tree: NodeTree }): OpenAPIHono<HttpEnv> {
  const app = createRouter();

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/nodes",
      summary: "The nodes of the caller's subtree",
      description: "In the order of their addresses. Agents are not listed.",
      middleware: requireScope("read"),
      request: { query: nodeQuerySchema },
      responses: {
        200: { description: "A page of nodes", content: { "application/json": { schema: nodeListSchema } } },
        ...problemResponses(400, 401, 403, 404, 503),
      },
    }),
    (c) => {
      const { parent, cursor, limit, ...filter } = c.req.valid("query");
      const actor = c.get("actor");
      if (parent !== undefined) resolveNode(actor, tree, parent, "parent");
      const found = tree.list(actor.reach, { ...filter, parent, after: cursor, limit: limit + 1 });
      const page = found.slice(0, limit);
      const last = found.length > limit ? page.at(-1) : undefined;
      return c.json(
        { nodes: page.map((record) => describe(record, actor, tree)), next_cursor: last?.node ?? null },
        200,
      );
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/nodes/{node}",
      summary: "One node",
      middleware: requireScope("read"),
      request: { params: z.object({ node: nodeAddressSchema }) },
      responses: {
        200: { description: "The node", content: { "application/json": { schema: nodeSchema } } },
        ...problemResponses(400, 401, 403, 404, 503),
      },
    }),
    (c) => {
      const actor = c.get("actor");
      const record = tree.get(resolveNode(actor, tree, c.req.valid("param").node));
      if (!record) throw new ProblemError("not_found", "there is no such node");
      return c.json(describe(record, actor, tree), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/nodes",
      summary: "Make a node",
      description: "The same node posted again is answered 200 and changes nothing.",
      middleware: requireScope("nodes:write"),
      request: { body: { required: true, content: { "application/json": { schema: createNodeSchema } } } },
      responses: {
        200: { description: "It was there already", content: { "application/json": { schema: nodeSchema } } },
        201: { description: "The new node", content: { "application/json": { schema: nodeSchema } } },
        ...problemResponses(400, 401, 403, 404, 409, 503),
      },
    }),
    async (c) => {
      const { kind, id, name, parent: requestedParent } = c.req.valid("json");
      const actor = c.get("actor");
      const parent = parentOf(actor, tree, requestedParent);
      if (!mayStandBelow(kind, parent.kind))
        throw new ProblemError("invalid_request", `a ${kind} cannot stand below a ${parent.kind}`, { field: "parent" });
      const { node, isNew } = await tree.createNode({ kind, id, name: name ?? id, parent: parent.node }, authorOf(c));
      const isSame = node.parent === parent.node && (name === undefined || node.name === name);
      // A node elsewhere in the tree and one that differs are answered alike: nothing is told about either.
      if (!isSame) throw new ProblemError("conflict", `${node.node} is taken`, { field: "id" });
      return c.json(describe(node, actor, tree), isNew ? 201 : 200);
    },
  );
  return app;
}

function parentOf(actor: Actor, tree: NodeTree, requested: string | undefined): NodeRecord {
  const address = resolveNode(actor, tree, requested, "parent");
  const record = tree.get(address);
  if (!record) throw new ProblemError("not_found", `there is no node ${address}`, { field: "parent" });
  return record;
}

/** What stands above the caller's own node is not told. */
function describe(record: NodeRecord, actor: Actor, tree: NodeTree): Node {
  return {
    node: record.node,
    kind: record.kind,
    id: record.id,
    name: record.name,
    parent: record.parent !== null && isWithinReach(actor, tree, record.parent) ? record.parent : null,
    created_at: record.createdAt.toISOString(),
  };
}
