/** GET /v1/organizations: who a reseller's customers are, what they are subscribed to, and what they use. */

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { UsageSource } from "../../billing/measure-span.ts";
import { dimensionsOf } from "../../catalog/catalog.ts";
import type { Meter } from "../../catalog/meter.ts";
import type { ClickHouse } from "../../clickhouse/client.ts";
import { countKeySchema, decimalKeySchema, instantKeySchema } from "../../contract/cursors.ts";
import type { NodeAddress } from "../../contract/nodes.ts";
import {
  type Organization,
  type OrganizationSort,
  organizationListSchema,
  organizationQuerySchema,
} from "../../contract/organizations.ts";
import type { ColumnType } from "../../contract/reports.ts";
import { readCursor, writeCursor } from "../../lists/cursor.ts";
import { cycleContaining, formatInstant } from "../../metrics/windows.ts";
import { type PageEnd, pageOfOrganizations } from "../../overview/list-organizations.ts";
import { describeMissing, describeOrganization, organizationFacts } from "../../overview/organization-facts.ts";
import type { OrganizationFigures } from "../../overview/organization-figures.ts";
import { ProblemError } from "../../problem.ts";
import type { NodeRecord } from "../../tree/node-record.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { isWithinReach, requireScope, resolveNode } from "../authenticate.ts";
import type { HttpEnv } from "../http-env.ts";
import { listFormOf, listMediaTypes, streamOf } from "../list-form.ts";
import { type CellsOf, isTableForm, sendTable, tableOf } from "../list-table.ts";
import { rawAnswer } from "../raw-answer.ts";
import { sayWatermark } from "../say-watermark.ts";

interface OrganizationsRoutesDeps {
  tree: NodeTree;
  figures: OrganizationFigures;
  /** Writes Parquet. */
  clickhouse: Pick<ClickHouse, "selectFrom">;
  meterOf: UsageSource["meterOf"];
  now?: () => number;
}

/** Where a page ends, by the value that the list is sorted by. */
const placeSchemas = {
  name: placedBy(z.string()),
  relevance: placedBy(z.number()),
  users: placedBy(countKeySchema),
  created: placedBy(instantKeySchema),
  usage: placedBy(decimalKeySchema),
} satisfies Record<OrganizationSort, z.ZodType<PageEnd>>;

function placedBy<Value extends z.ZodType<string | number>>(value: Value) {
  return z.object({ value, node: z.string() });
}

export function organizationsRoutes({
  tree,
  figures,
  clickhouse,
  meterOf,
  now = Date.now,
}: OrganizationsRoutesDeps): OpenAPIHono<HttpEnv> {
  const app = createRouter();
  app.openapi(listOrganizationsRoute, async (c) => {
    const query = c.req.valid("query");
    const actor = c.get("actor");
    const node = resolveNode(actor, tree, query.node);
    const nowMs = now();
    const { tz, limit, cursor, search } = query;
    const meter = measuredBy("organization", query.meter, node, nowMs, meterOf);
    const sort = query.sort ?? (search === undefined ? "name" : "relevance");
    const isRising = sort === "name" || sort === "relevance";
    const question = {
      search,
      plans: query.plan?.split(","),
      statuses: query.status,
      quotas: query.quota,
      sort,
      order: query.order ?? (isRising ? "asc" : "desc"),
    } as const;
    const asked = { list: "organizations", node, meter: query.meter, tz, ...question };
    const after = readCursor<z.ZodType<PageEnd>>(cursor, asked, placeSchemas[sort]);
    const month = cycleContaining(nowMs, tz, 1);
    const mustRevalidate = asksToRevalidate(c.req.header("cache-control"));
    const state = await figures.accounts();
    const [standings, usage] = await Promise.all([
      figures.standings(node, state, nowMs, mustRevalidate),
      figures.usage(node, meter, month.startMs, nowMs, mustRevalidate),
    ]);
    const facts = organizationFacts(state, standings, usage.answer, meter, nowMs);
    const records = tree.list([node], { kind: "organization", limit: Number.POSITIVE_INFINITY });
    const form = listFormOf(c.req.header("accept"));
    const page = await pageOfOrganizations(
      records,
      facts,
      question,
      after,
      form === "json" ? limit : Number.POSITIVE_INFINITY,
      c.get("question")?.signal,
    );
    const isSeen = (one: NodeAddress) => isWithinReach(actor, tree, one);
    const describe = (record: NodeRecord) => describeOrganization(record, facts, isSeen);
    const watermark = sayWatermark(c, new Date(Math.min(standings.watermark.getTime(), usage.watermark.getTime())));
    if (isTableForm(form)) {
      const table = { ...tableOf(listCells(meter), page.records.map(describe), listTypes), isGathered: true };
      return rawAnswer(await sendTable(c, form, { name: "organizations", table, clickhouse }));
    }
    if (form === "ndjson") {
      c.header("content-type", listMediaTypes.ndjson);
      const lines = function* () {
        for (const record of page.records) yield `${JSON.stringify(describe(record))}\n`;
      };
      return rawAnswer(c.body(await streamOf(lines(), c.get("question")), 200));
    }
    return c.json(
      {
        node,
        watermark,
        tz,
        month: { start: formatInstant(month.startMs, tz), end: formatInstant(month.endMs, tz) },
        meter: meter.meter,
        unit: meter.unit,
        total: page.total,
        missing: describeMissing(standings.missing),
        organizations: page.records.map(describe),
        next_cursor: page.next ? writeCursor(asked, page.next) : null,
      },
      200,
    );
  });
  return app;
}

const listTypes: Readonly<Record<string, ColumnType>> = {
  plan_version: "integer",
  users: "integer",
  usage: "decimal",
  quota_percent: "percent",
  created_at: "instant",
};

const listCells = ({ meter, unit }: Meter): CellsOf<Organization> => ({
  node: ({ node }) => node,
  name: ({ name }) => name,
  external_id: (one) => one.external_id,
  parent: ({ parent }) => parent,
  status: ({ status }) => status,
  plan: ({ plan }) => plan?.name,
  plan_version: ({ plan }) => plan?.version.toString(),
  subscription_status: ({ plan }) => plan?.status,
  users: ({ users }) => users.toString(),
  meter: () => meter,
  unit: () => unit,
  usage: ({ usage }) => usage?.toString(),
  quota_status: ({ missing, quota }) => (missing ? "missing" : quota?.status),
  quota_feature: ({ quota }) => quota?.feature,
  quota_percent: ({ quota }) => quota?.percent,
  created_at: (one) => one.created_at,
});

/** For the description of a route whose figures are cached. */
export const cachedFigures =
  "If there is so much usage that reading it takes more than a moment, the data can be up to ten minutes old while newer data is read: `watermark` says up to when it is complete. `Cache-Control: no-cache` waits for everything stored.";

/** Whether a caller does not take a cached answer (RFC 9111, 5.2.1.4). */
export function asksToRevalidate(cacheControl: string | undefined): boolean {
  return /(?:^|,)\s*no-cache\s*(?:,|$)/i.test(cacheControl ?? "");
}

/** The meter by that name, which must have the dimension. Throws `invalid_request`. */
export function measuredBy(
  dimension: string,
  name: string,
  node: NodeAddress,
  atMs: number,
  meterOf: UsageSource["meterOf"],
): Meter {
  const meter = meterOf(name, node, atMs);
  if (!meter)
    throw new ProblemError("invalid_request", `there is no meter named ${JSON.stringify(name)}`, { field: "meter" });
  if (!dimensionsOf(meter).has(dimension))
    throw new ProblemError("invalid_request", `${name} cannot be grouped by ${dimension}`, { field: "meter" });
  return meter;
}

const listOrganizationsRoute = createRoute({
  method: "get",
  path: "/v1/organizations",
  operationId: "listOrganizations",
  tags: ["Usage"],
  summary: "List organizations with plan, users, usage and status",
  description: [
    "Search, filters, sorting and paging are done by the server. With `Accept: text/csv`, `application/x-ndjson`, or the Excel or Parquet media types, everything that matches, regardless of `limit`.",
    cachedFigures,
  ].join(" "),
  middleware: requireScope("read"),
  request: { query: organizationQuerySchema },
  responses: {
    200: {
      description: "A page of organizations",
      content: { "application/json": { schema: organizationListSchema }, "text/csv": { schema: z.string() } },
    },
    ...problemResponses(400, 401, 403, 404, 503),
  },
});
