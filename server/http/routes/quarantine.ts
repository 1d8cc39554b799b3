/** /v1/quarantine: the events that were not taken, and sending them again. */

import { createRoute, type OpenAPIHono, type z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { eventType } from "../../catalog/catalog.ts";
import { type Filter, parseFilters } from "../../catalog/filters.ts";
import type { ClickHouse } from "../../clickhouse/client.ts";
import { filterGrammar } from "../../contract/filters.ts";
import { nodeAddress } from "../../contract/node-address.ts";
import {
  type QuarantinedEvent,
  quarantinedEventSchema,
  quarantineListSchema,
  quarantineParamsSchema,
  quarantineQuerySchema,
  type ReplayedEvent,
  replayAnswerSchema,
  replayedEventSchema,
  replayOneRequestSchema,
  replayRequestSchema,
} from "../../contract/quarantine.ts";
import type { SpanDeps } from "../../corrections/affected-span.ts";
import type { Actor } from "../../identity/actor.ts";
import { can, narrowTo } from "../../identity/permissions.ts";
import type { AcceptDeps } from "../../ingest/accept/accept-request.ts";
import { readCursor, writeCursor } from "../../lists/cursor.ts";
import { ProblemError } from "../../problem.ts";
import {
  type FoundQuarantined,
  keyOfQuarantineId,
  quarantineDimensions,
  quarantineKeySchema,
  readQuarantine,
  visibleAt,
} from "../../quarantine/read-quarantine.ts";
import { replayQuarantined } from "../../quarantine/replay-quarantine.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { stoodWithin, wasWithin } from "../../tree/past-owners.ts";
import { answerList, listed, listTable } from "../answer-list.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { requireScope, resolveNode } from "../authenticate.ts";
import { readExact } from "../exact-json.ts";
import type { HttpEnv } from "../http-env.ts";
import { pageOf } from "../page-of.ts";
import { readBody } from "../read-body.ts";
import { jsonAnswer, jsonBody } from "../route-parts.ts";
import { storeFor } from "../take-turns.ts";
import { readTimeRange } from "../time-range.ts";

interface QuarantineRoutesDeps {
  clickhouse: ClickHouse;
  tree: NodeTree;
  watermark: () => Date;
  now?: () => number;
}

const quarantineTable = listTable("events", quarantinedEventSchema, { name: "quarantine" });

const listQuarantineRoute = createRoute({
  method: "get",
  path: "/v1/quarantine",
  operationId: "listQuarantine",
  tags: ["Events"],
  summary: "List rejected events",
  description: `Events of the node's organizations and, at the caller's own node, events without an organization that the caller sent; at the root, all of them. ${filterGrammar} Dimensions: ${[...quarantineDimensions].join(", ")}. Events are kept for 90 days.`,
  middleware: requireScope("read"),
  request: { query: quarantineQuerySchema },
  responses: {
    200: listed("The events", quarantineListSchema, quarantinedEventSchema),
    ...problemResponses(400, 401, 403, 404, 503),
  },
});

/** GET: in every process that answers questions. */
export function quarantineRoutes({
  clickhouse,
  tree,
  watermark,
  now = Date.now,
}: QuarantineRoutesDeps): OpenAPIHono<HttpEnv> {
  const app = createRouter();
  app.openapi(listQuarantineRoute, async (c) => {
    const query = c.req.valid("query");
    const actor = c.get("actor");
    const node = resolveNode(actor, tree, query.node);
    const filters = parseFilters(query, quarantineDimensions);
    const { from, to, tz, status } = query;
    const range = readTimeRange(query, now());
    const asked = { list: "quarantine", node, filters, status, from, to, tz };
    const wasOwn = wasWithin(tree, actor.reach);
    const shown = (event: QuarantinedEvent): QuarantinedEvent =>
      event.organization === null ||
      wasOwn(nodeAddress("organization", event.organization), new Date(event.received_at))
        ? event
        : { ...event, key: "" };
    const isByKey = filters.some(({ dimension }) => dimension === "key");
    const visible = visibleAt([node], node === actor.node ? actor.id : "", tree);
    return await answerList(c, quarantineTable, query, async ({ cursor, limit }) => {
      const after = readCursor(cursor, asked, quarantineKeySchema);
      const asOf = watermark();
      const found = await readQuarantine(
        storeFor(c, clickhouse),
        { visible, status, filters, ...range, after },
        limit + 1,
      );
      const { page, last } = pageOf(found, limit);
      return {
        node,
        watermark: asOf.toISOString(),
        events: page.map(({ event }) => shown(event)).filter(({ key }) => !isByKey || key !== ""),
        next_cursor: last ? writeCursor(asked, last.key) : null,
      };
    });
  });
  return app;
}

interface QuarantineReplayRoutesDeps
  extends Pick<AcceptDeps, "log" | "knownIds" | "admission">,
    Pick<QuarantineRoutesDeps, "clickhouse" | "now">,
    Pick<SpanDeps, "isCarriedOnFor"> {
  tree: NodeTree;
}

const replayed = [
  "Events are sent with the caller's own permissions, go through the same checks as any other, and keep the time of their first",
  "receipt if they have no time. Sending them again is always safe: events already accepted are `duplicate` and count",
  "once. An event that is rejected again keeps waiting, with its new reason. Only callers who can send events can send a changed",
  "event, or replay one into a time when the organization belonged to someone else.",
].join(" ");

const replayQuarantineRoute = createRoute({
  method: "post",
  path: "/v1/quarantine/replay",
  operationId: "replayQuarantine",
  tags: ["Events"],
  summary: "Replay rejected events",
  description: `By \`ids\`, or all waiting events that match; then \`next_cursor\` leads to the rest. ${replayed}`,
  middleware: requireScope("events:correct"),
  request: { body: jsonBody(replayRequestSchema) },
  responses: {
    200: jsonAnswer("The result", replayAnswerSchema),
    ...problemResponses(400, 401, 403, 404, 429, 503),
  },
});

const replayQuarantinedEventRoute = createRoute({
  method: "post",
  path: "/v1/quarantine/{id}/replay",
  operationId: "replayQuarantinedEvent",
  tags: ["Events"],
  summary: "Replay a rejected event, changed or unchanged",
  description: replayed,
  middleware: requireScope("events:correct"),
  request: {
    params: quarantineParamsSchema,
    body: { required: false, content: { "application/json": { schema: replayOneRequestSchema } } },
  },
  responses: {
    200: jsonAnswer("The result", replayedEventSchema),
    ...problemResponses(400, 401, 403, 404, 429, 503),
  },
});

/** POST: where events are taken. */
export function quarantineReplayRoutes({
  clickhouse,
  tree,
  now = Date.now,
  ...ingest
}: QuarantineReplayRoutesDeps): OpenAPIHono<HttpEnv> {
  const app = createRouter({ bodies: "exact" });
  const deps = { ...ingest, clickhouse, tree, eventType, now };

  async function replay(
    c: Context<HttpEnv>,
    found: readonly FoundQuarantined[],
    instead?: Record<string, unknown>,
  ): Promise<ReplayedEvent[]> {
    const actor = c.get("actor");
    // What else the caller may do decides here too: who sends events may send late ones.
    const whole = (await c.get("identify")()) ?? actor;
    const sender = instead === undefined ? actor : narrowTo(whole, "ingest");
    if (!sender)
      throw new ProblemError("forbidden", "only callers who can send events can send a changed event", {
        field: "event",
      });
    const nodeOf = ({ event }: FoundQuarantined) =>
      event.organization && nodeAddress("organization", event.organization);
    return await replayQuarantined(deps, found, {
      instead,
      sendingKeyOf(one) {
        const node = nodeOf(one);
        const top = node === null ? undefined : sender.reach.find((reached) => tree.isWithin(node, reached));
        return { id: actor.id, node: top ?? sender.node, createOrganizations: actor.createOrganizations };
      },
      mayChange({ organization, fromMs, toMs }) {
        const node = nodeAddress("organization", organization);
        // Where the caller may send nothing at all, the event is refused like all others.
        if (!sender.reach.some((reached) => tree.isWithin(node, reached))) return true;
        return can(whole, "ingest", node, tree) || stoodWithin(tree, actor.reach, node, fromMs, toMs);
      },
    });
  }

  app.openapi(replayQuarantineRoute, async (c) => {
    const body = c.req.valid("json");
    const actor = c.get("actor");
    if (body.ids) {
      const ids = [...new Set(body.ids)].map(keyOfQuarantineId);
      const found = await readIds(deps, actor, ids);
      if (found.length < ids.length) throw missing("ids");
      return c.json(answerOf(await replay(c, found), null), 200);
    }
    const node = resolveNode(actor, tree, body.node);
    const filters = [
      ...oneOf("code", body.codes),
      ...oneOf("key", body.keys),
      ...oneOf("organization", body.organizations),
    ];
    const { from, to, tz, limit } = body;
    const asked = { list: "replay", node, filters, from, to, tz };
    const after = readCursor(body.cursor, asked, quarantineKeySchema);
    const visible = visibleAt([node], node === actor.node ? actor.id : "", tree);
    const question = { visible, status: "waiting" as const, filters, ...readTimeRange(body, now()), after };
    const found = await readQuarantine(storeFor(c, clickhouse), question, limit + 1);
    const page = found.slice(0, limit);
    const last = page.at(-1);
    const next = found.length > limit && last ? writeCursor(asked, last.key) : null;
    return c.json(answerOf(await replay(c, page), next), 200);
  });

  app.openapi(replayQuarantinedEventRoute, async (c) => {
    const actor = c.get("actor");
    const found = await readIds(deps, actor, [keyOfQuarantineId(c.req.valid("param").id)]);
    const [result] = await replay(c, found, await instead(c));
    if (!result) throw missing("id");
    return c.json(result, 200);
  });
  return app;
}

function readIds(
  { clickhouse, tree }: Pick<QuarantineReplayRoutesDeps, "clickhouse" | "tree">,
  actor: Actor,
  ids: ReturnType<typeof keyOfQuarantineId>[],
): Promise<FoundQuarantined[]> {
  const visible = visibleAt(actor.reach, actor.id, tree);
  const any = { status: "all" as const, filters: [], fromMs: undefined, toMs: undefined, after: undefined };
  return readQuarantine(clickhouse, { ...any, visible, ids }, ids.length);
}

async function instead(c: Context<HttpEnv>): Promise<Record<string, unknown> | undefined> {
  const isSent = (await readBody(c)).length > 0;
  return isSent ? (await readExact<z.infer<typeof replayOneRequestSchema>>(c)).event : undefined;
}

const missing = (field: string) =>
  new ProblemError("not_found", "this event is not in quarantine, or is no longer kept", { field });

function oneOf(dimension: string, values: readonly string[] | undefined): Filter[] {
  return values === undefined ? [] : [{ dimension, operator: "in", values: [...values] }];
}

function answerOf(events: ReplayedEvent[], nextCursor: string | null) {
  const count = (outcome: ReplayedEvent["outcome"]) => events.filter((one) => one.outcome === outcome).length;
  return {
    accepted: count("accepted"),
    duplicates: count("duplicate"),
    rejected: count("rejected"),
    events,
    next_cursor: nextCursor,
  };
}
