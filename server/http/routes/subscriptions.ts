/** Subscriptions of the caller's subtree. They are made and changed from above the node: nobody chooses their own price. */

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { nextCycleMs, planAt, type SubscriptionRecord, statusOf } from "../../billing/billing-cycle.ts";
import type { UsageSource } from "../../billing/measure-span.ts";
import { readPlan, readTerms } from "../../billing/plans.ts";
import { termsOf } from "../../billing/quotas.ts";
import {
  changeSubscription,
  createSubscription,
  listSubscriptionsBelow,
  readSubscription,
} from "../../billing/subscriptions.ts";
import { compareText } from "../../contract/compare-text.ts";
import { instantKeySchema } from "../../contract/cursors.ts";
import type { NodeAddress } from "../../contract/nodes.ts";
import {
  changeSubscriptionSchema,
  createSubscriptionSchema,
  type Subscription,
  type SubscriptionDetail,
  subscriptionDetailSchema,
  subscriptionListSchema,
  subscriptionQuerySchema,
  subscriptionSchema,
} from "../../contract/subscriptions.ts";
import type { Actor } from "../../identity/actor.ts";
import { readCursor, writeCursor } from "../../lists/cursor.ts";
import { formatInstant } from "../../metrics/windows.ts";
import { dateAt } from "../../metrics/zone-dates.ts";
import type { Postgres } from "../../postgres/client.ts";
import { plans } from "../../postgres/schema/plans.ts";
import { ProblemError } from "../../problem.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { answerList, listed, listTable } from "../answer-list.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { isWithinReach, requireScope, resolveNode, withinReach } from "../authenticate.ts";
import { authorOf } from "../author-of.ts";
import { answerTagged, ifMatch } from "../entity-tag.ts";
import type { HttpEnv } from "../http-env.ts";
import { pageOf } from "../page-of.ts";
import { idParams, jsonAnswer, jsonBody } from "../route-parts.ts";
import { unknownMeter } from "./plans.ts";

interface SubscriptionsRoutesDeps {
  postgres: Postgres;
  tree: NodeTree;
  meterOf: UsageSource["meterOf"];
  now?: () => number;
}

const subscriptionTable = listTable("subscriptions", subscriptionSchema);

const listSubscriptionsRoute = createRoute({
  method: "get",
  path: "/v1/subscriptions",
  operationId: "listSubscriptions",
  tags: ["Subscriptions"],
  summary: "List subscriptions",
  description: "Ordered by node; for one node, oldest first.",
  middleware: requireScope("read"),
  request: { query: subscriptionQuerySchema },
  responses: {
    200: listed("The subscriptions", subscriptionListSchema, subscriptionSchema),
    ...problemResponses(400, 401, 403, 404, 503),
  },
});

const createSubscriptionRoute = createRoute({
  method: "post",
  path: "/v1/subscriptions",
  operationId: "createSubscription",
  tags: ["Subscriptions"],
  summary: "Subscribe a node to a plan",
  description:
    "For callers who can write plans above the node, and could since the subscription started: a former reseller's charges cannot be changed by others.",
  middleware: requireScope("plans:write"),
  request: { body: jsonBody(createSubscriptionSchema) },
  responses: {
    201: jsonAnswer("The new subscription", subscriptionDetailSchema),
    ...problemResponses(400, 401, 403, 404, 409, 503),
  },
});

const getSubscriptionRoute = createRoute({
  method: "get",
  path: "/v1/subscriptions/{id}",
  operationId: "getSubscription",
  tags: ["Subscriptions"],
  summary: "Get a subscription",
  middleware: requireScope("read"),
  request: { params: idParams },
  responses: { 200: jsonAnswer("The subscription", subscriptionDetailSchema), ...problemResponses(401, 403, 404, 503) },
});

const updateSubscriptionRoute = createRoute({
  method: "patch",
  path: "/v1/subscriptions/{id}",
  operationId: "updateSubscription",
  tags: ["Subscriptions"],
  summary: "Change or cancel a subscription",
  description:
    "Another plan or version takes effect immediately or with the next cycle; earlier terms are kept. Moving the end of a trial or of the subscription in the past changes what closed statements charged: the difference is charged, or given back, with the next one.",
  middleware: requireScope("plans:write"),
  request: { params: idParams, body: jsonBody(changeSubscriptionSchema) },
  responses: {
    200: jsonAnswer("The updated subscription", subscriptionDetailSchema),
    ...problemResponses(400, 401, 403, 404, 409, 412, 503),
  },
});

export function subscriptionsRoutes(deps: SubscriptionsRoutesDeps): OpenAPIHono<HttpEnv> {
  const { postgres, tree, now = Date.now } = deps;
  const app = createRouter();

  const { describeAll, describeOne, own } = createTools(postgres, tree, now);

  app.openapi(listSubscriptionsRoute, async (c) => {
    const query = c.req.valid("query");
    const { node: requested, status, plan } = query;
    const actor = c.get("actor");
    const node = requested === undefined ? undefined : resolveNode(actor, tree, requested);
    const all = await listSubscriptionsBelow(postgres.db, tree, node === undefined ? actor.reach : [node]);
    const asked = { list: "subscriptions", node, status, plan };
    const nowMs = now();
    const matching = all
      .filter((one) => status === undefined || statusOf(one, nowMs) === status)
      .filter((one) => plan === undefined || planAt(one, nowMs).planId === plan);
    const ordered = matching.sort((a, b) => comparePositions(positionOf(a), positionOf(b)));
    return await answerList(c, subscriptionTable, query, async ({ cursor, limit }) => {
      const { page, last } = pageOf(behind(ordered, readCursor(cursor, asked, positionSchema)), limit);
      const next_cursor = last ? writeCursor(asked, positionOf(last)) : null;
      return { subscriptions: await describeAll(page), next_cursor };
    });
  });

  app.openapi(createSubscriptionRoute, async (c) => {
    const wanted = c.req.valid("json");
    const actor = c.get("actor");
    const node = subscribable(actor, tree, wanted.node);
    const { planId, version } = await choosePlan(deps, actor, node, wanted.plan, wanted.version);
    const startsAt = wanted.starts_at === undefined ? new Date(now()) : new Date(wanted.starts_at);
    const [trialEndsAt, expiresAt] = [dateOf(wanted.trial_ends_at), dateOf(wanted.expires_at)];
    checkOrder(startsAt, { trial_ends_at: trialEndsAt, expires_at: expiresAt });
    const anchor = wanted.anchor ?? dateAt(startsAt.getTime(), wanted.tz).day;
    const { tz, renews } = wanted;
    const made = await createSubscription(
      postgres,
      { node, planId, version, anchor, tz, startsAt, trialEndsAt, expiresAt, renews },
      authorOf(c),
      { tree, reach: actor.reach, nowMs: now() },
    );
    return await answerTagged(c, made, await describeOne(made), 201);
  });

  app.openapi(getSubscriptionRoute, async (c) => {
    const record = await own(c.get("actor"), c.req.valid("param").id);
    return await answerTagged(c, record, await describeOne(record), 200);
  });

  app.openapi(updateSubscriptionRoute, async (c) => {
    const wanted = c.req.valid("json");
    const actor = c.get("actor");
    const record = await own(actor, c.req.valid("param").id);
    const node = subscribable(actor, tree, record.node);
    if (wanted.plan === undefined && wanted.version !== undefined)
      throw new ProblemError("invalid_request", "needs `plan`", { field: "version" });
    const plan =
      wanted.plan === undefined ? undefined : await choosePlan(deps, actor, node, wanted.plan, wanted.version);
    const dates = { trialEndsAt: dateOf(wanted.trial_ends_at), expiresAt: dateOf(wanted.expires_at) };
    checkOrder(record.startsAt, { trial_ends_at: dates.trialEndsAt, expires_at: dates.expiresAt });
    const edit = {
      plan,
      isCancelled: wanted.cancel === true,
      at: wanted.at,
      trialEndsAt: wanted.trial_ends_at === undefined ? undefined : dates.trialEndsAt,
      expiresAt: wanted.expires_at === undefined ? undefined : dates.expiresAt,
      renews: wanted.renews,
    };
    const changed = await changeSubscription(postgres, record.id, edit, {
      by: authorOf(c),
      check: await ifMatch(c),
      rights: { tree, reach: actor.reach, nowMs: now() },
    });
    return await answerTagged(c, changed, await describeOne(changed), 200);
  });
  return app;
}

function createTools(postgres: Postgres, tree: NodeTree, now: () => number) {
  async function describeAll(records: readonly SubscriptionRecord[]): Promise<Subscription[]> {
    const rows = await postgres.db.select({ id: plans.id, name: plans.name }).from(plans);
    const names = new Map(rows.map(({ id, name }) => [id, name]));
    return records.map((record) => describe(record, tree, names, now()));
  }
  async function describeOne(record: SubscriptionRecord): Promise<SubscriptionDetail> {
    const [[described], terms] = await Promise.all([describeAll([record]), readTerms(postgres.db, record.history)]);
    const { history, ...rest } = described as Subscription;
    const features = ({ plan, version }: { plan: string; version: number }) =>
      termsOf(terms, { planId: plan, version }).features.map(({ key, enabled, meter, included, overage }) => ({
        key,
        enabled,
        meter,
        included,
        overage,
      }));
    return {
      ...rest,
      next_cycle_at: ["expired", "cancelled"].includes(rest.status)
        ? null
        : formatInstant(nextCycleMs(record, now()), record.tz),
      history: history.map((since) => ({ ...since, features: features(since) })),
    };
  }

  async function own(actor: Actor, id: string): Promise<SubscriptionRecord> {
    return withinReach(actor, tree, await readSubscription(postgres.db, id), "subscription");
  }
  return { describeAll, describeOne, own };
}

/** Where a subscription stands in the list: what comes after it may have begun or ended meanwhile. */
const positionSchema = z.object({ node: z.string(), startMs: instantKeySchema, id: z.string() });
type Position = z.infer<typeof positionSchema>;

const positionOf = ({ node, startsAt, id }: SubscriptionRecord): Position => ({
  node,
  startMs: startsAt.getTime(),
  id,
});
const comparePositions = (a: Position, b: Position) =>
  compareText(a.node, b.node) || a.startMs - b.startMs || compareText(a.id, b.id);

/** Those after `after`, or all. */
function behind(records: readonly SubscriptionRecord[], after: Position | undefined): readonly SubscriptionRecord[] {
  return after === undefined ? records : records.filter((one) => comparePositions(positionOf(one), after) > 0);
}

const dateOf = (text: string | null | undefined) => (text === null || text === undefined ? null : new Date(text));

function checkOrder(startsAt: Date, ends: Record<string, Date | null>): void {
  for (const [field, end] of Object.entries(ends))
    if (end && end <= startsAt) throw new ProblemError("invalid_request", "must be after the start", { field });
}

/** Throws `forbidden` unless the caller may write plans above the node. */
function subscribable(actor: Actor, tree: NodeTree, requested: NodeAddress): NodeAddress {
  const node = resolveNode(actor, tree, requested);
  const record = tree.get(node);
  if (!record || record.kind === "agent" || record.kind === "all")
    throw new ProblemError("invalid_request", `${node} cannot have a subscription`, { field: "node" });
  if (record.parent === null || !isWithinReach(actor, tree, record.parent))
    throw new ProblemError("forbidden", "only nodes above can create its subscription", { field: "node" });
  return node;
}

/** A plan of the node itself or of one above it that the caller may see, and its published version, whose meters are all in use. */
async function choosePlan(
  { postgres: { db }, tree, meterOf }: SubscriptionsRoutesDeps,
  actor: Actor,
  node: NodeAddress,
  id: string,
  version: number | undefined,
): Promise<{ planId: string; version: number }> {
  const plan = await readPlan(db, id);
  const isKnown = plan && (plan.offered || isWithinReach(actor, tree, plan.node));
  if (!isKnown || !tree.isWithin(node, plan.node))
    throw new ProblemError("invalid_request", "this plan does not exist or is not offered to this node", {
      field: "plan",
    });
  const newest = plan.versions.find(({ publishedAt }) => publishedAt !== null);
  if (!newest) throw new ProblemError("invalid_request", "the plan is not published", { field: "plan" });
  const chosen = plan.versions.find((one) => one.version === (version ?? newest.version));
  const retired =
    chosen &&
    unknownMeter(
      chosen.terms.features.filter(({ enabled }) => enabled),
      plan.node,
      meterOf,
    );
  if (retired)
    throw new ProblemError("invalid_request", `the plan is measured by ${retired.meter}, which has been retired`, {
      field: "plan",
    });
  return { planId: id, version: version ?? newest.version };
}

function describe(
  record: SubscriptionRecord,
  tree: Pick<NodeTree, "get">,
  names: ReadonlyMap<string, string>,
  nowMs: number,
): Subscription {
  const { planId, version } = planAt(record, nowMs);
  const nameOf = (id: string) => names.get(id) ?? id;
  const instant = (at: Date | null) => (at ? formatInstant(at.getTime(), record.tz) : null);
  return {
    id: record.id,
    node: record.node,
    node_name: tree.get(record.node)?.name ?? record.node,
    status: statusOf(record, nowMs),
    plan: planId,
    version,
    plan_name: nameOf(planId),
    anchor: record.anchor,
    tz: record.tz,
    starts_at: formatInstant(record.startsAt.getTime(), record.tz),
    trial_ends_at: instant(record.trialEndsAt),
    expires_at: instant(record.expiresAt),
    renews: record.renews,
    cancelled_at: instant(record.cancelledAt),
    created_at: record.createdAt.toISOString(),
    history: record.history.map((since) => ({
      plan: since.planId,
      version: since.version,
      plan_name: nameOf(since.planId),
      valid_from: formatInstant(since.validFrom.getTime(), record.tz),
    })),
  };
}
