/** GET /v1/usage and /v1/live: the figures of a node. */

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { SubscribedSpan } from "../../billing/cycle-spans.ts";
import { cyclesShownIn, zoneOfCycles } from "../../billing/cycle-spans.ts";
import { dimensionsOf } from "../../catalog/catalog.ts";
import { parseFilters } from "../../catalog/filters.ts";
import type { Meter } from "../../catalog/meter.ts";
import type { ClickHouse } from "../../clickhouse/client.ts";
import { filterGrammar } from "../../contract/filters.ts";
import { type LiveAnswer, liveAnswerSchema, liveQuerySchema } from "../../contract/live.ts";
import { usualRooms } from "../../contract/live-rooms.ts";
import { type NodeAddress, nodeAddressSchema } from "../../contract/nodes.ts";
import {
  nodesUsageAnswerSchema,
  type UsageAnswer,
  type UsageQuery,
  usageAnswerSchema,
  usageQuerySchema,
} from "../../contract/usage.ts";
import type { Actor } from "../../identity/actor.ts";
import { checkOwnerFilters, ownerGroupsNamed } from "../../lists/former-owners.ts";
import { readLive } from "../../live/read-live.ts";
import type { CustomMeters } from "../../meters/custom-meters.ts";
import {
  type AskedSize,
  largeFigures,
  maxMeters,
  sizeOfAnswer,
  TooManyFiguresError,
} from "../../metrics/answer-size.ts";
import { answerComparedUsage } from "../../metrics/compare-usage.ts";
import {
  type ComparedRange,
  comparedInSlices,
  pairingOf,
  parseCompared,
  usualComparedWindows,
} from "../../metrics/comparison.ts";
import type { Pairing } from "../../metrics/paired-windows.ts";
import { answerUsage, type UsageQuestion } from "../../metrics/usage.ts";
import { InvalidTimeError, type Window, type WindowedRange, windowsInSlices } from "../../metrics/windows.ts";
import { ProblemError } from "../../problem.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { isWithinReach, requireScope, resolveNode } from "../authenticate.ts";
import type { HttpEnv } from "../http-env.ts";
import { jsonPieces, listFormOf, listMediaTypes, streamOf } from "../list-form.ts";
import { isTableForm, sendTable } from "../list-table.ts";
import { rawAnswer } from "../raw-answer.ts";
import { sayWatermark } from "../say-watermark.ts";
import { storeFor } from "../take-turns.ts";
import { checkOrder, readInstant } from "../time-range.ts";
import { usageLines, usageTable } from "../usage-rows.ts";

export interface UsageRoutesDeps {
  clickhouse: ClickHouse;
  tree: Pick<NodeTree, "ancestors" | "get" | "isWithin">;
  watermark: () => Date;
  /** What is live in a node, as memory has it; undefined: storage is to be read. */
  heldLive?: ((node: NodeAddress) => Promise<LiveAnswer | undefined>) | undefined;
  customMeters: CustomMeterLookup;
  /** When billing cycles of a node began and will begin. */
  cyclesOf: (node: NodeAddress) => Promise<SubscribedSpan[]>;
  now?: () => number;
}

type CustomMeterLookup = Pick<CustomMeters, "find">;

const defaultRangeMs = 30 * 24 * 60 * 60 * 1000;

const getUsageRoute = createRoute({
  method: "get",
  path: "/v1/usage",
  operationId: "getUsage",
  tags: ["Usage"],
  summary: "Get the usage of a node by meter and window",
  description: `${filterGrammar} When several nodes are asked for, the answer has \`nodes\`, each with its \`meters\`. With \`Accept: text/csv\` the answer is a table: of one node without groups a row for each window and a column for each meter, else a row for each window of each node, meter and group. With \`Accept: application/x-ndjson\` the first line is the answer without its series, each further line a window. The table is also answered as an Excel workbook and as Parquet, by their media types.`,
  middleware: requireScope("read"),
  request: { query: usageQuerySchema },
  responses: {
    200: {
      description: "The figures",
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
  description: "The same is pushed over Socket.IO: `live:snapshot` after `live:watch`, then `live:changed`.",
  middleware: requireScope("read"),
  request: { query: liveQuerySchema },
  responses: {
    200: { description: "The levels now", content: { "application/json": { schema: liveAnswerSchema } } },
    ...problemResponses(400, 401, 403, 404, 503),
  },
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
    const nodes = nodesOf(c.get("actor"), tree, query.node);
    const nowMs = now();
    const isByCycle = query.window === "cycle";
    const isCycleOpen =
      (isByCycle && query.tz === undefined) ||
      (query.anchor === undefined && (isByCycle || query.compare !== undefined));
    const spans = isCycleOpen && nodes[0] !== undefined ? await cyclesOf(nodes[0]) : [];
    const instantIn = (zone: string) => readInstant("from", query.from ?? "now", zone, nowMs);
    const tz = query.tz ?? (isByCycle ? zoneOfCycles(spans, instantIn) : undefined) ?? "UTC";
    const toMs = readInstant("to", query.to ?? "now", tz, nowMs);
    const fromMs = query.from === undefined ? toMs - defaultRangeMs : readInstant("from", query.from, tz, nowMs);
    checkOrder(query, fromMs, toMs);
    const metersOfNodes = new Map(nodes.map((node) => [node, metersOf(query.meter, node, toMs, customMeters)]));
    const dimensions = sharedDimensions([...metersOfNodes.values()].flat());
    if (query.group_by !== undefined && !dimensions.has(query.group_by))
      throw new ProblemError("invalid_request", `${query.group_by} is not a dimension of every asked meter`, {
        field: "group_by",
      });
    const filters = parseFilters(query, dimensions);
    const actor = c.get("actor");
    for (const node of nodes) checkOwnerFilters(tree, actor, node, filters);
    const question = {
      fromMs,
      toMs,
      window: query.window,
      anchor: query.anchor ?? 1,
      cycles: query.anchor === undefined && spans.length > 0 ? cyclesShownIn(spans, query.tz) : undefined,
      tz,
      fill: query.fill,
      filters,
      groupBy: query.group_by === undefined ? undefined : { dimension: query.group_by, limit: query.limit },
    };
    const sized = { window: query.window, meters: [...metersOfNodes.values()], groups: question.groupBy?.limit };
    sizeOf({ ...sized, lengthMs: toMs - fromMs, comparedWindows: 0 });
    const pairing = pairingFor(query, question, nowMs);
    const comparedWindows = pairing ? usualComparedWindows(pairing) : 0;
    const isLarge = sizeOf({ ...sized, lengthMs: toMs - fromMs, comparedWindows }) > largeFigures;
    if (isLarge) await c.get("question")?.becomeLarge();
    const { windows, compared } = await windowsOf(question, pairing);
    const store = storeFor(c, clickhouse);
    const asOf = watermark();
    sayWatermark(c, asOf);
    const answers: UsageAnswer[] = [];
    // One node after another: what one question may ask of the store at once stays the same.
    for (const [node, meters] of metersOfNodes) {
      const known = await answer(store, { ...question, windows, node, meters }, compared, asOf, nowMs);
      const named = ownerGroupsNamed(tree, actor, { node, dimension: query.group_by });
      const shown = known.meters.map((one) => (one.groups ? { ...one, groups: named(one.groups) } : one));
      answers.push({ ...known, meters: shown });
    }
    const [first] = answers as [UsageAnswer];
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

function answer(
  store: ClickHouse,
  question: UsageQuestion,
  compared: ComparedRange | undefined,
  asOf: Date,
  nowMs: number,
): Promise<UsageAnswer> {
  return compared
    ? answerComparedUsage(store, question, compared, asOf, nowMs)
    : answerUsage(store, question, asOf, nowMs);
}

/** The windows of the asked range, and what stands beside them: made once for all nodes, in slices. */
async function windowsOf(
  question: WindowedRange,
  pairing: Pairing | undefined,
): Promise<{ windows: Window[]; compared: ComparedRange | undefined }> {
  try {
    const compared = pairing && (await comparedInSlices(pairing));
    return { windows: compared?.asked ?? (await windowsInSlices(question)), compared };
  } catch (error) {
    throw named("window", error);
  }
}

/** `invalid_request` naming the parameter where the error is about a range or an instant, else the error itself. */
function named(field: string, error: unknown): unknown {
  if (!(error instanceof InvalidTimeError)) return error;
  return new ProblemError("invalid_request", error.message, { field });
}

/** Throws `invalid_request` naming the parameter to narrow where the answer would have too many figures. */
function sizeOf(asked: AskedSize): number {
  try {
    return sizeOfAnswer(asked);
  } catch (error) {
    if (error instanceof TooManyFiguresError)
      throw new ProblemError("invalid_request", error.message, { field: error.field });
    throw error;
  }
}

function pairingFor(query: UsageQuery, asked: WindowedRange, nowMs: number): Pairing | undefined {
  const { compare, compare_match: match, compare_partial: partial } = query;
  if (compare === undefined) return undefined;
  try {
    return pairingOf(asked, { with: parseCompared(compare, asked.tz, nowMs), match, partial }, nowMs);
  } catch (error) {
    throw named("compare", error);
  }
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
    throw new ProblemError("invalid_request", `more than ${maxNodes} nodes`, { field: "node" });
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

function sharedDimensions(asked: readonly Meter[]): ReadonlySet<string> {
  const [first = new Set<string>(), ...others] = asked.map(dimensionsOf);
  return new Set([...first].filter((dimension) => others.every((dimensions) => dimensions.has(dimension))));
}

/** Throws a ProblemError where a meter is not one of the node's. */
function metersOf(names: string, node: NodeAddress, toMs: number, customMeters: CustomMeterLookup): Meter[] {
  const wanted = new Set(names.split(",").map((name) => name.trim()));
  if (wanted.size > maxMeters)
    throw new ProblemError("invalid_request", `more than ${maxMeters} meters`, { field: "meter" });
  return [...wanted].map((name) => {
    const meter = customMeters.find(name, node, toMs);
    if (!meter)
      throw new ProblemError("invalid_request", `there is no meter named ${JSON.stringify(name)} for ${node}`, {
        field: "meter",
      });
    return meter;
  });
}
