/** The account tree, as far as the caller's subtree goes. */

import { STATUS_CODES } from "node:http";
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { ClickHouse } from "../../clickhouse/client.ts";
import {
  type ChangeNode,
  changeNodeSchema,
  createNodeSchema,
  importAnswerSchema,
  type Node,
  type NodeAddress,
  type NodeDetail,
  type NodeStatus,
  nodeAddressSchema,
  nodeDetailSchema,
  nodeListSchema,
  nodeQuerySchema,
  nodeSchema,
} from "../../contract/nodes.ts";
import { problemSchema } from "../../contract/problem.ts";
import { createPace } from "../../fairness/pace.ts";
import type { Actor } from "../../identity/actor.ts";
import { readCursor, writeCursor } from "../../lists/cursor.ts";
import { readAgents } from "../../lists/read-agents.ts";
import type { Postgres, Queries } from "../../postgres/client.ts";
import { ProblemError } from "../../problem.ts";
import { checkLogo } from "../../reports/logo.ts";
import { changeNode, type NodeChange, type NodeState } from "../../tree/change-node.ts";
import { maxImportedNodes, planImport } from "../../tree/import-nodes.ts";
import { isSameNode, mayStandBelow, type NodeRecord } from "../../tree/node-record.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { CsvError } from "../../tree/read-csv.ts";
import { type ReportSettings, readReportSettings } from "../../tree/report-settings.ts";
import { tenantOf } from "../../tree/tenant-of.ts";
import { answerList, listed, listTable } from "../answer-list.ts";
import { createRouter, maxBodyBytes, problemResponses } from "../app-pieces.ts";
import { isWithinReach, requireScope, resolveNode } from "../authenticate.ts";
import { authorOf } from "../author-of.ts";
import { entityTag, ifMatch } from "../entity-tag.ts";
import type { HttpEnv } from "../http-env.ts";
import { pageOf } from "../page-of.ts";
import { readBody } from "../read-body.ts";
import { jsonAnswer, jsonBody } from "../route-parts.ts";
import { storeFor } from "../take-turns.ts";

const refusedImportSchema = problemSchema.extend(importAnswerSchema.shape);
/** Enough for an edit with the largest logo in it. */
const maxEditBytes = 512 * 1024;
const maxTableBytes = 32 * 1024 * 1024;

const nodeTable = listTable("nodes", nodeSchema);

const listNodesRoute = createRoute({
  method: "get",
  path: "/v1/nodes",
  operationId: "listNodes",
  tags: ["Nodes"],
  summary: "List nodes",
  description:
    "Ordered by address. Agents, which exist from their first event on, are listed below one organization: with it as `parent`, or for a caller of an organization with `kind=agent`.",
  middleware: requireScope("read"),
  request: { query: nodeQuerySchema },
  responses: { 200: listed("The nodes", nodeListSchema, nodeSchema), ...problemResponses(400, 401, 403, 404, 503) },
});

const getNodeRoute = createRoute({
  method: "get",
  path: "/v1/nodes/{node}",
  operationId: "getNode",
  tags: ["Nodes"],
  summary: "Get a node",
  middleware: requireScope("read"),
  request: { params: z.object({ node: nodeAddressSchema }) },
  responses: { 200: jsonAnswer("The node", nodeDetailSchema), ...problemResponses(400, 401, 403, 404, 503) },
});

const updateNodeRoute = createRoute({
  method: "patch",
  path: "/v1/nodes/{node}",
  operationId: "updateNode",
  tags: ["Nodes"],
  summary: "Update or move a node",
  description: [
    "Everything except the name and the branding needs permission on the node above too: a reseller sets its own branding, while",
    "the node above sets how long its reports are kept. A move includes everything below the node. Usage before",
    "`effective_from` stays with the old parent, and usage from then on belongs to the new one: in every meter, to the",
    "millisecond, including sessions in progress at that instant. A move in the past also moves stored usage within",
    "seconds and replaces moves of the node that took effect since. It needs permission on the nodes that lose and gain that",
    "usage, as the tree was then, and each of them sees it in its audit log. Statements of the node that are closed stay with the",
    "node above that they name: what is to be settled for that time between the two is theirs to agree.",
  ].join(" "),
  middleware: requireScope("nodes:write"),
  [maxBodyBytes]: maxEditBytes,
  request: { params: z.object({ node: nodeAddressSchema }), body: jsonBody(changeNodeSchema) },
  responses: {
    200: jsonAnswer("The updated node", nodeDetailSchema),
    ...problemResponses(400, 401, 403, 404, 409, 412, 422, 503),
  },
});

const createNodeRoute = createRoute({
  method: "post",
  path: "/v1/nodes",
  operationId: "createNode",
  tags: ["Nodes"],
  summary: "Create a node",
  description: "Posting the same node again gets 200 and changes nothing.",
  middleware: requireScope("nodes:write"),
  request: { body: jsonBody(createNodeSchema) },
  responses: {
    200: jsonAnswer("It already existed", nodeSchema),
    201: jsonAnswer("The new node", nodeSchema),
    ...problemResponses(400, 401, 403, 404, 409, 503),
  },
});

const importNodesRoute = createRoute({
  method: "post",
  path: "/v1/nodes/import",
  operationId: "importNodes",
  tags: ["Nodes"],
  summary: "Import nodes from CSV",
  description: [
    `CSV with a header row: kind, id, name, parent, external_id, status, and \`fields.NAME\` for custom fields; at most`,
    `${maxImportedNodes} lines. Parents can be in the same file, in any order. Either all lines are imported or none; with`,
    "\\`dry_run=true\\`, none are, and the answer says what would happen. Importing the same file again changes nothing.",
  ].join(" "),
  middleware: requireScope("nodes:write"),
  [maxBodyBytes]: maxTableBytes,
  request: {
    query: z.strictObject({ dry_run: z.enum(["true", "false"]).default("false") }),
    body: { required: true, content: { "text/csv": { schema: z.string() } } },
  },
  responses: {
    200: jsonAnswer("What was imported", importAnswerSchema),
    422: {
      description: "Some lines have errors; nothing was imported",
      content: { "application/problem+json": { schema: refusedImportSchema } },
    },
    ...problemResponses(400, 401, 403, 413, 503),
  },
});

export interface NodesRoutesDeps {
  tree: NodeTree;
  postgres: Postgres;
  clickhouse: ClickHouse;
}

export function nodesRoutes({ tree, postgres, clickhouse }: NodesRoutesDeps): OpenAPIHono<HttpEnv> {
  const { db } = postgres;
  const app = createRouter();

  app.openapi(listNodesRoute, async (c) => {
    const { parent, cursor: first, limit: most, ...filter } = c.req.valid("query");
    const actor = c.get("actor");
    if (parent !== undefined) resolveNode(actor, tree, parent, "parent");
    const organization = organizationOfAgents(actor, parent, filter.kind);
    const asked = { list: "nodes", parent, ...filter };
    return await answerList(c, nodeTable, { cursor: first, limit: most }, async ({ cursor, limit }) => {
      const after = readCursor(cursor, asked, z.string());
      const wanted = { ...filter, after, limit: limit + 1 };
      const found = organization
        ? await agentsOf(tree, storeFor(c, clickhouse), organization, wanted)
        : tree.list(actor.reach, { ...wanted, parent });
      const { page, last } = pageOf(found, limit, { large: true });
      const next_cursor = last ? writeCursor(asked, last.node) : null;
      return { nodes: page.map((record) => describe(record, actor, tree)), next_cursor };
    });
  });

  app.openapi(getNodeRoute, async (c) => {
    const actor = c.get("actor");
    const node = resolveNode(actor, tree, c.req.valid("param").node);
    return c.json(await detailOf(c, recordOf(tree, node), tree, db), 200);
  });

  app.openapi(updateNodeRoute, async (c) => {
    const actor = c.get("actor");
    const node = resolveNode(actor, tree, c.req.valid("param").node);
    const wanted = c.req.valid("json");
    if (wanted.branding?.logo !== undefined) await checkLogo(wanted.branding.logo, tenantOf(node, tree));
    const change = readChange(actor, tree, node, wanted);
    await changeNode(tree, node, change, { by: authorOf(c), check: await ifMatch(c), reach: actor.reach });
    return c.json(await detailOf(c, recordOf(tree, node), tree, db), 200);
  });

  app.openapi(createNodeRoute, async (c) => {
    const { kind, id, name, parent: requestedParent, external_id, status, fields } = c.req.valid("json");
    const actor = c.get("actor");
    const parent = parentOf(actor, tree, requestedParent);
    if (!mayStandBelow(kind, parent.kind))
      throw new ProblemError("invalid_request", `a ${kind} cannot be below a ${parent.kind}`, { field: "parent" });
    const given = { parent: parent.node, name, externalId: external_id, status, fields };
    const { node, isNew } = await tree.createNode({ ...given, kind, id, name: name ?? id }, authorOf(c));
    // A node elsewhere in the tree and one that differs get the same answer, which reveals nothing about either.
    if (!isSameNode(node, given)) throw new ProblemError("conflict", `${node.node} already exists`, { field: "id" });
    return c.json(describe(node, actor, tree), isNew ? 201 : 200);
  });

  app.openapi(importNodesRoute, async (c) => {
    const actor = c.get("actor");
    const isDryRun = c.req.valid("query").dry_run === "true";
    const text = await readTable(c);
    const pace = createPace(c.get("question")?.signal);
    const isOwn = (node: NodeAddress) => isWithinReach(actor, tree, node);
    const plan = planImport(text, actor.node, tree, isOwn, pace);
    const { created, unchanged, errors } = await plan.catch(refuseNoCsv);
    if (errors.length > 0 && !isDryRun) {
      const problem: z.infer<typeof refusedImportSchema> = {
        type: "about:blank",
        title: STATUS_CODES[422] ?? "",
        status: 422,
        code: "batch_rejected",
        detail: "nothing was imported because at least one line has an error",
        request_id: c.get("requestId"),
        dry_run: isDryRun,
        created: 0,
        unchanged,
        errors,
      };
      return c.json(problem, 422, { "content-type": "application/problem+json" });
    }
    if (created.length > 0 && !isDryRun) await tree.importNodes(created, authorOf(c));
    return c.json({ dry_run: isDryRun, created: created.length, unchanged, errors }, 200);
  });
  return app;
}

/** Whose agents are asked for; undefined where nodes of the tree are. Throws where agents are, and not of one organization. */
function organizationOfAgents(
  { reach }: Pick<Actor, "reach">,
  parent: NodeAddress | undefined,
  kind: string | undefined,
): NodeAddress | undefined {
  if (kind !== undefined && kind !== "agent") return undefined;
  const [own, ...others] = reach;
  const below = parent ?? (kind === "agent" && others.length === 0 ? own : undefined);
  if (below?.startsWith("organization:")) return below;
  if (kind === undefined) return undefined;
  throw new ProblemError("invalid_request", "must be an organization: agents are listed below one", {
    field: "parent",
  });
}

async function agentsOf(
  tree: NodeTree,
  store: ClickHouse,
  organization: NodeAddress,
  {
    status,
    ...asked
  }: { status?: NodeStatus | undefined; search?: string | undefined; after?: string | undefined; limit: number },
): Promise<NodeRecord[]> {
  // They have the status of their organization.
  if (status !== undefined && tree.get(organization)?.status !== status) return [];
  const found = await readAgents(store, organization, asked);
  return found.flatMap((agent) => tree.get(agent) ?? []);
}

/** Refuses what is not UTF-8. */
async function readTable(c: Context<HttpEnv>): Promise<string> {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await readBody(c));
  } catch {
    throw new ProblemError("unreadable_body", "the file is not valid UTF-8");
  }
}

function refuseNoCsv(error: unknown): never {
  if (error instanceof CsvError) throw new ProblemError("unreadable_body", error.message);
  throw error;
}

/** Throws `forbidden` for what a node's own people may not change about it, and what is wrong with a move. */
function readChange(actor: Actor, tree: NodeTree, node: NodeAddress, wanted: ChangeNode): NodeChange {
  const { name, external_id, status, fields, parent, effective_from } = wanted;
  const record = tree.get(node);
  if (!record || record.kind === "agent")
    throw new ProblemError("invalid_request", "an agent has nothing that can be edited", { field: "node" });
  const fromAbove = ["external_id", "status", "fields", "parent", "report_days"] as const;
  const field = fromAbove.find((one) => wanted[one] !== undefined);
  if (field && !(actor.reach.includes("all") || (record.parent && isWithinReach(actor, tree, record.parent))))
    throw new ProblemError("forbidden", `\`${field}\` can only be changed from above the node`, { field });
  if (record.kind === "all" && status !== undefined)
    throw new ProblemError("invalid_request", "the root is always active", { field: "status" });
  if (effective_from !== undefined && parent === undefined)
    throw new ProblemError("invalid_request", "only applies to a move: set `parent` too", { field: "effective_from" });
  const effectiveFromMs = effective_from === undefined ? undefined : Date.parse(effective_from);
  const { branding, report_days: keptDays } = wanted;
  const isGiven = branding !== undefined || keptDays !== undefined;
  const reports = isGiven
    ? { ...(branding !== undefined && { branding }), ...(keptDays !== undefined && { keptDays }) }
    : undefined;
  if (parent === undefined) return { name, externalId: external_id, status, fields, reports };
  const above = parentOf(actor, tree, parent);
  if (record.kind === "all" || !mayStandBelow(record.kind, above.kind))
    throw new ProblemError("invalid_request", `a ${record.kind} cannot be below a ${above.kind}`, {
      field: "parent",
    });
  return { name, externalId: external_id, status, fields, reports, parent: above.node, effectiveFromMs };
}

function stateOf(
  { node, name, externalId, status, fields, parent }: NodeRecord,
  tree: NodeTree,
  reports: ReportSettings,
): NodeState {
  return { node, name, externalId, status, fields, reports, parent, placements: tree.placements(node) };
}

/** With the tag of its state in the head of the answer. */
async function detailOf(c: Context<HttpEnv>, record: NodeRecord, tree: NodeTree, db: Queries): Promise<NodeDetail> {
  const reports = await readReportSettings(db, record.node);
  c.header("etag", await entityTag(c, stateOf(record, tree, reports)));
  const { branding, keptDays } = reports;
  return { ...describe(record, c.get("actor"), tree), branding, report_days: keptDays };
}

function parentOf(actor: Actor, tree: NodeTree, requested: string | undefined): NodeRecord {
  const address = resolveNode(actor, tree, requested, "parent");
  const record = tree.get(address);
  if (!record) throw new ProblemError("not_found", `there is no node ${address}`, { field: "parent" });
  return record;
}

function recordOf(tree: NodeTree, node: NodeAddress): NodeRecord {
  const record = tree.get(node);
  if (!record) throw new ProblemError("not_found", "there is no such node");
  return record;
}

/** Hides what stands above the caller's own node. */
function describe(record: NodeRecord, actor: Actor, tree: NodeTree): Node {
  return {
    node: record.node,
    kind: record.kind,
    id: record.id,
    name: record.name,
    parent: record.parent !== null && isWithinReach(actor, tree, record.parent) ? record.parent : null,
    external_id: record.externalId,
    status: record.status,
    fields: record.fields,
    created_at: record.createdAt.toISOString(),
  };
}
