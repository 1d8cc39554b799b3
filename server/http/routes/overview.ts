/** GET /v1/overview: a node's month at one glance. */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { Logger } from "pino";
import { seesOnRecord, visibleLevels } from "../../billing/price-visibility.ts";
import { meterIdentity } from "../../catalog/catalog.ts";
import { type NodeAddress, nodeStatuses } from "../../contract/nodes.ts";
import { quotaFilters } from "../../contract/organizations.ts";
import {
  type Overview,
  type OverviewRow,
  overviewQuerySchema,
  overviewRowSchema,
  overviewSchema,
} from "../../contract/overview.ts";
import type { PriceLevel } from "../../contract/plans.ts";
import type { Actor } from "../../identity/actor.ts";
import { cycleContaining } from "../../metrics/windows.ts";
import { describeMissing } from "../../overview/organization-facts.ts";
import {
  cacheOptions,
  type OrganizationFigures,
  usersAt,
  type Watermarked,
} from "../../overview/organization-figures.ts";
import { type MonthFigures, type OverviewSource, readMonth } from "../../overview/read-overview.ts";
import { type Revenue, readRevenue } from "../../overview/read-revenue.ts";
import { StaleWhileRevalidateCache } from "../../overview/stale-while-revalidate.ts";
import { tenantOf } from "../../tree/tenant-of.ts";
import { answerList, listed, listTable } from "../answer-list.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { requireScope, resolveNode } from "../authenticate.ts";
import type { HttpEnv } from "../http-env.ts";
import { asksToRevalidate, cachedFigures, measuredBy } from "./organizations.ts";

interface OverviewRoutesDeps extends OverviewSource {
  figures: OrganizationFigures;
  settledBatch: () => number;
  log: Pick<Logger, "warn">;
  now?: () => number;
}

const overviewTable = listTable("", overviewRowSchema, {
  name: "overview",
  types: { total: "decimal", share: "decimal", previous_total: "decimal" },
  itemsOf: (page) => overviewRows(page as unknown as Overview),
});

/** Its trends and ranks, one list below the other. */
function overviewRows({ days, months, top }: Overview): OverviewRow[] {
  const trends = Object.entries({ days, months } as const).flatMap(([list, points]) =>
    points.map(({ start, value }) => ({
      list: list as "days" | "months",
      key: start,
      name: start,
      total: value,
      share: null,
      rank: null,
      previous_total: null,
      previous_rank: null,
    })),
  );
  const ranks = Object.entries(top).flatMap(([list, rows]) =>
    rows.map(({ key, name, total, share, rank, previous_total, previous_rank }) => ({
      list: list as keyof typeof top,
      key,
      name,
      total,
      share,
      rank,
      previous_total,
      previous_rank,
    })),
  );
  return [...trends, ...ranks];
}

const getOverviewRoute = createRoute({
  method: "get",
  path: "/v1/overview",
  operationId: "getOverview",
  tags: ["Usage"],
  summary: "Get a node's month: totals, growth, forecast, rankings, adoption, revenue",
  description: `During the month, it is compared with the same elapsed part of other months. ${cachedFigures}`,
  middleware: requireScope("read"),
  request: { query: overviewQuerySchema },
  responses: {
    200: listed("The overview, as lists", overviewSchema, overviewRowSchema),
    ...problemResponses(400, 401, 403, 404, 503),
  },
});

export function overviewRoutes(source: OverviewRoutesDeps): OpenAPIHono<HttpEnv> {
  const { tree, figures, settledBatch, watermark, meterOf, log, now = Date.now } = source;
  const months = new StaleWhileRevalidateCache<Watermarked<MonthFigures>>(cacheOptions(tree));
  const revenues = new StaleWhileRevalidateCache<Watermarked<Revenue> & { missing: NodeAddress[] }>(cacheOptions(tree));
  const app = createRouter();
  app.openapi(getOverviewRoute, async (c) => {
    const query = c.req.valid("query");
    const actor = c.get("actor");
    const node = resolveNode(actor, tree, query.node);
    const [tenant, nowMs] = [tenantOf(node, tree), now()];
    const { tz, limit } = query;
    const meter = measuredBy("organization", query.meter, node, nowMs, meterOf);
    const mustRevalidate = asksToRevalidate(c.req.header("cache-control"));
    const state = await figures.accounts();
    const month = cycleContaining(nowMs, tz, 1);
    const key = JSON.stringify([node, meterIdentity(meter), tz, limit, month.startMs]);
    const stored = `${settledBatch()} ${state.sequence}`;
    const [read, standings] = await Promise.all([
      months.ask({ tenant, key }, stored, mustRevalidate, async () => {
        const seen = watermark();
        return { watermark: seen, answer: await readMonth(source, state, { node, meter, tz, limit }, nowMs) };
      }),
      figures.standings(node, state, nowMs, mustRevalidate),
    ]);
    const isOrganization = node.startsWith("organization:");
    const below = [...standings.answer.values()].filter(
      (one) => tree.isWithin(one.node, node) && (isOrganization || one.node !== node),
    );
    const levels = visibleLevels(actor, node, tree);
    const { key: revenueKey, isSeenOnRecord } = revenueFor(actor, node, levels);
    const revenue =
      levels.size === 0
        ? undefined
        : await revenues.ask({ tenant, key: revenueKey }, stored, mustRevalidate, async () => {
            const missing: NodeAddress[] = [];
            const onFailure = (of: NodeAddress, err: unknown) => {
              missing.push(of);
              log.warn({ err, node: of }, "charges could not be read");
            };
            const answer = await readRevenue(source, state, below, levels, { nowMs, isSeenOnRecord, onFailure });
            return { watermark: standings.watermark, answer, missing };
          });
    const organizations = tree.list([node], { kind: "organization", limit: Number.POSITIVE_INFINITY });
    const byStatus = Object.fromEntries(nodeStatuses.map((status) => [status, 0]));
    const byQuota = Object.fromEntries(quotaFilters.map((status) => [status, 0]));
    const unread = new Set(standings.missing);
    for (const { node: organization, status } of organizations) {
      byStatus[status] = (byStatus[status] ?? 0) + 1;
      if (unread.has(organization)) continue;
      const quota = standings.answer.get(organization)?.quota?.status ?? "none";
      byQuota[quota] = (byQuota[quota] ?? 0) + 1;
    }
    const subscribed = below.filter(({ node: one }) => one.startsWith("organization:"));
    const count = (status: string) => subscribed.filter((one) => one.status === status).length;
    const isCustomer = (one: string) =>
      (one.startsWith("organization:") || one.startsWith("agent:")) && tree.isWithin(one, node);
    const watermarks = [read.watermark, standings.watermark, revenue?.watermark ?? read.watermark];
    const overview: Overview = {
      node,
      watermark: new Date(Math.min(...watermarks.map((one) => one.getTime()))).toISOString(),
      tz,
      meter: meter.meter,
      title: meter.title,
      unit: meter.unit,
      missing: describeMissing([...standings.missing, ...(revenue?.missing ?? [])]),
      organizations: {
        total: organizations.length,
        new: organizations.filter(({ createdAt }) => createdAt.getTime() >= month.startMs).length,
        by_status: byStatus as Overview["organizations"]["by_status"],
        by_quota: byQuota as Overview["organizations"]["by_quota"],
      },
      subscriptions: { active: count("active"), trial: count("trial") },
      users: usersAt(state, isCustomer).size,
      ...read.answer,
      revenue: revenue?.answer ?? null,
    };
    return await answerList(c, overviewTable, {}, async () => overview);
  });
  return app;
}

/** What of the revenue at a node is shown to the actor, and what it is the same for: what was charged above a node before it moved here is another's. */
function revenueFor(actor: Actor, node: NodeAddress, levels: ReadonlySet<PriceLevel>) {
  const payees = actor.grants.filter(({ actions }) => actions.has("prices:read")).map((grant) => grant.node);
  const seenThen = seesOnRecord(actor, levels);
  return {
    key: JSON.stringify([node, [...levels], payees.sort()]),
    isSeenOnRecord: (path: readonly NodeAddress[]) => path.includes(node) && seenThen(path),
  };
}
