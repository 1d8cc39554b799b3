/** GET /v1/usage and /v1/live: the figures of a node. */

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { ClickHouse } from "../../clickhouse/client.ts";
import { filterGrammar } from "../../contract/filters.ts";
import { type LiveAnswer, liveAnswerSchema, liveQuerySchema } from "../../contract/live.ts";
import { usualRooms } from "../../contract/live-rooms.ts";
import { type NodeAddress, nodeAddressSchema } from "../../contract/nodes.ts";
import { nodesUsageAnswerSchema, usageAnswerSchema, usageQuerySchema } from "../../contract/usage.ts";
import type { Actor } from "../../identity/actor.ts";
import { readLive } from "../../live/read-live.ts";
import { ProblemError } from "../../problem.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { askUsage, type UsageSources } from "../ask-usage.ts";
import { isWithinReach, requireScope, resolveNode } from "../authenticate.ts";
import type { HttpEnv } from "../http-env.ts";
import { jsonPieces, listFormOf, listMediaTypes, streamOf } from "../list-form.ts";
import { isTableForm, sendTable } from "../list-table.ts";
import { rawAnswer } from "../raw-answer.ts";
import { jsonAnswer } from "../route-parts.ts";
import { sayWatermark } from "../say-watermark.ts";
import { storeFor } from "../take-turns.ts";
import { usageLines, usageTable } from "../usage-rows.ts";

export interface UsageRoutesDeps extends UsageSources {
  clickhouse: ClickHouse;
  tree: Pick<NodeTree, "ancestors" | "get" | "isWithin">;
  /** What is live in a node, as memory has it; undefined: storage is to be read. */
  heldLive?: ((node: NodeAddress) => Promise<LiveAnswer | undefined>) | undefined;
  now?: () => number;
}

const getUsageRoute = createRoute({
  method: "get",
  path: "/v1/usage",
  operationId: "getUsage",
  tags: ["Usage"],
  summary: "Get the usage of a node by meter and window",
  description: `${filterGrammar} If several nodes are requested, the answer has \`nodes\`, each with its \`meters\`. With \`Accept: text/csv\`, the answer is a table: for one node without groups, one row per window and one column per meter; otherwise, one row per window of each node, meter and group. With \`Accept: application/x-ndjson\`, the first line is the answer without its series, and each further line is a window. The table is also available as an Excel workbook, whose numbers spreadsheets round after 15 digits, and as Parquet, by their media types. In all other forms figures have every digit.`,
  middleware: requireScope("read"),
  request: { query: usageQuerySchema },
  responses: {
    200: {
      description: "The usage",
      content: {
        "application/json": { schema: z.union([usageAnswerSchema, nodesUsageAnswerSchema]) },
        "text/csv": { schema: z.string() },
        "application/x-ndjson": { schema: z.string() },
      },
    },
    ...problemResponses(400, 401, 403, 404, 503),
  },
});

const getLiveRoute = createRoute({
  method: "get",
  path: "/v1/live",
  operationId: "getLive",
  tags: ["Live"],
  summary: "Get what is live in a node",
  description: "The same data is pushed over Socket.IO: `live:snapshot` after `live:watch`, then `live:changed`.",
  middleware: requireScope("read"),
  request: { query: liveQuerySchema },
  responses: { 200: jsonAnswer("The current levels", liveAnswerSchema), ...problemResponses(400, 401, 403, 404, 503) },
});

export function usageRoutes({
  clickhouse,
  tree,
  watermark,
  heldLive = async () => undefined,
  customMeters,
  cyclesOf,
  now = Date.now,
}: UsageRoutesDeps): OpenAPIHono<HttpEnv> {
  const app = createRouter();

  app.openapi(getUsageRoute, async (c) => {
    const query = c.req.valid("query");
    const reader = c.get("actor");
    const nodes = nodesOf(reader, tree, query.node);
    const store = storeFor(c, clickhouse);
    const becomeLarge = async () => await c.get("question")?.becomeLarge();
    const asked = { query, nodes, reader, store, becomeLarge };
    const sources = { tree, watermark, customMeters, cyclesOf };
    const { answers, watermark: asOf, isLarge } = await askUsage(sources, asked, now());
    sayWatermark(c, asOf);
    const [first] = answers;
    // What all nodes share.
    const { node: _, meters: __, ...head } = first;
    const whole =
      answers.length > 1 ? { ...head, nodes: answers.map(({ node, meters }) => ({ node, meters })) } : first;
    const form = listFormOf(c.req.header("accept"));
    if (form === "json" && !isLarge) return c.json(whole, 200);
    const name = `usage-${head.from.slice(0, 10)}-${head.to.slice(0, 10)}`;
    if (isTableForm(form))
      return rawAnswer(await sendTable(c, form, { name, table: usageTable(whole), clickhouse: store }));
    c.header("content-type", listMediaTypes[form]);
    const pieces = { json: jsonPieces, ndjson: usageLines }[form](whole);
    return rawAnswer(c.body(await streamOf(pieces, c.get("question")), 200));
  });

  addLive(app, { clickhouse, tree, watermark, heldLive, now });
  return app;
}

function addLive(
  app: OpenAPIHono<HttpEnv>,
  {
    clickhouse,
    tree,
    watermark,
    heldLive,
    now,
  }: Required<Pick<UsageRoutesDeps, "clickhouse" | "tree" | "watermark" | "heldLive" | "now">>,
): void {
  app.openapi(getLiveRoute, async (c) => {
    const { node: asked, rooms } = c.req.valid("query");
    const node = resolveNode(c.get("actor"), tree, asked);
    // Memory has no more rooms than are pushed.
    const held = rooms <= usualRooms ? await heldLive(node) : undefined;
    const live = held
      ? { ...held, rooms: held.rooms.slice(0, rooms) }
      : await readLive(storeFor(c, clickhouse), node, watermark(), now(), rooms);
    sayWatermark(c, live.watermark);
    return c.json(live, 200);
  });
}

const maxNodes = 50;

/**
 * Commas separate addresses; one within an id is part of it unless an address could begin behind it, and also then where that is a
 * node of the caller's.
 */
function nodesOf(actor: Actor, tree: UsageRoutesDeps["tree"], text: string | undefined): NodeAddress[] {
  if (text === undefined) return [resolveNode(actor, tree)];
  const wanted = addressesIn(text, (address) => {
    const { data } = nodeAddressSchema.safeParse(address);
    return data !== undefined && tree.get(data) !== undefined && isWithinReach(actor, tree, data);
  });
  if (wanted.length > maxNodes)
    throw new ProblemError("invalid_request", `at most ${maxNodes} nodes can be requested at once`, { field: "node" });
  return wanted.map((address) => {
    const parsed = nodeAddressSchema.safeParse(address);
    if (!parsed.success)
      throw new ProblemError("invalid_request", parsed.error.issues[0]?.message ?? "is not a node", { field: "node" });
    return resolveNode(actor, tree, parsed.data);
  });
}

/** Each once. What `isNode` says is one is not taken apart. */
function addressesIn(text: string, isNode: (address: string) => boolean): string[] {
  const parts = text.split(/,(?=(?:all$|all,|partner:|reseller:|organization:|agent:))/);
  const found = new Set<string>();
  for (let at = 0; at < parts.length; ) {
    let until = Math.min(parts.length, at + maxCommas + 1);
    while (until > at + 1 && !isNode(parts.slice(at, until).join(","))) until--;
    found.add(parts.slice(at, until).join(","));
    at = until;
  }
  return [...found];
}

/** Behind each of which an address could begin, within one id. */
const maxCommas = 8;
