/** /v1/rules: the rules of the caller's subtree. */

import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { checkRule } from "../../alerts/check-rule.ts";
import { hasPast, previewAt } from "../../alerts/preview.ts";
import { TooManyReadingsError } from "../../alerts/preview-entry.ts";
import { nodesThatFit, type PreviewAsked } from "../../alerts/preview-size.ts";
import {
  changeRule,
  createRule,
  listRulesBelow,
  type RuleRecord,
  readRule,
  removeRule,
  stateOfRule,
} from "../../alerts/rules.ts";
import type { UsageSource } from "../../billing/measure-span.ts";
import type { ClickHouse } from "../../clickhouse/client.ts";
import { dayMs } from "../../contract/durations.ts";
import type { NodeAddress } from "../../contract/nodes.ts";
import {
  type Condition,
  changeRuleSchema,
  createRuleSchema,
  type PreviewAnswer,
  previewAnswerSchema,
  previewLimits,
  previewRuleSchema,
  type Rule,
  ruleListSchema,
  ruleQuerySchema,
  ruleSchema,
  updateRuleSchema,
} from "../../contract/rules.ts";
import type { Actor } from "../../identity/actor.ts";
import { can } from "../../identity/permissions.ts";
import { readCursor, timedKeySchema, writeCursor } from "../../lists/cursor.ts";
import { TooManyFiguresError } from "../../metrics/answer-size.ts";
import type { Postgres } from "../../postgres/client.ts";
import { ProblemError } from "../../problem.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { answerList, listed, listTable } from "../answer-list.ts";
import { changesNothing, createRouter, problemResponses } from "../app-pieces.ts";
import { requireScope, resolveNode, withinReach } from "../authenticate.ts";
import { authorOf } from "../author-of.ts";
import { answerTagged, ifMatch } from "../entity-tag.ts";
import type { HttpEnv } from "../http-env.ts";
import { pageOf } from "../page-of.ts";
import { idParams, jsonAnswer, jsonBody } from "../route-parts.ts";
import { sayWatermark } from "../say-watermark.ts";
import { changesOf } from "../sent-back.ts";
import { storeFor } from "../take-turns.ts";
import { readTimeRange } from "../time-range.ts";

interface RulesRoutesDeps {
  postgres: Postgres;
  tree: NodeTree;
  meterOf: UsageSource["meterOf"];
  clickhouse: ClickHouse;
  watermark: () => Date;
  now?: () => number;
}

const ruleTable = listTable("rules", ruleSchema);

const listRulesRoute = createRoute({
  method: "get",
  path: "/v1/rules",
  operationId: "listRules",
  tags: ["Alerts"],
  summary: "List alert rules",
  middleware: requireScope("read"),
  request: { query: ruleQuerySchema },
  responses: { 200: listed("The rules", ruleListSchema, ruleSchema), ...problemResponses(400, 401, 403, 404, 503) },
});

const createRuleRoute = createRoute({
  method: "post",
  path: "/v1/rules",
  operationId: "createRule",
  tags: ["Alerts"],
  summary: "Create an alert rule",
  description:
    "`system` rules can only be created at `all`; `billing` rules need permission to see prices. Alerts whose condition already holds are sent right away.",
  middleware: requireScope("rules:write"),
  request: { body: jsonBody(createRuleSchema) },
  responses: { 201: jsonAnswer("The new rule", ruleSchema), ...problemResponses(400, 401, 403, 404, 409, 503) },
});

const getRuleRoute = createRoute({
  method: "get",
  path: "/v1/rules/{id}",
  operationId: "getRule",
  tags: ["Alerts"],
  summary: "Get an alert rule",
  middleware: requireScope("read"),
  request: { params: idParams },
  responses: { 200: jsonAnswer("The rule", ruleSchema), ...problemResponses(401, 403, 404, 503) },
});

const updateRuleRoute = createRoute({
  method: "patch",
  path: "/v1/rules/{id}",
  operationId: "updateRule",
  tags: ["Alerts"],
  summary: "Update an alert rule",
  description:
    "With another condition, or when it is enabled again, the rule starts over: alerts whose condition holds are sent once more. A quota threshold that stays the same is still sent only once per cycle. The rule may be sent back whole.",
  middleware: requireScope("rules:write"),
  request: { params: idParams, body: jsonBody(updateRuleSchema) },
  responses: { 200: jsonAnswer("The updated rule", ruleSchema), ...problemResponses(400, 401, 403, 404, 412, 503) },
});

const deleteRuleRoute = createRoute({
  method: "delete",
  path: "/v1/rules/{id}",
  operationId: "deleteRule",
  tags: ["Alerts"],
  summary: "Delete an alert rule",
  description: "Its alerts stay in the history as resolved. A rule it replaced applies again.",
  middleware: requireScope("rules:write"),
  request: { params: idParams },
  responses: { 204: { description: "Deleted" }, ...problemResponses(401, 403, 404, 412, 503) },
});

const previewRuleRoute = createRoute({
  method: "post",
  path: "/v1/rules/preview",
  [changesNothing]: true,
  operationId: "previewRule",
  tags: ["Alerts"],
  summary: "Preview an alert rule on past usage",
  description: `Applies the rule to what really happened, as known now, for at most ${previewLimits.maxDays} days and ${previewLimits.maxNodes} nodes. Nobody is notified. Not stored, and so never found, are the past of the service itself and of what was due soon: trials that were about to end and subscriptions that were about to expire.`,
  middleware: requireScope("read"),
  request: { body: jsonBody(previewRuleSchema) },
  responses: {
    200: jsonAnswer("When it would have fired", previewAnswerSchema),
    ...problemResponses(400, 401, 403, 404, 503),
  },
});

export function rulesRoutes(deps: RulesRoutesDeps): OpenAPIHono<HttpEnv> {
  const { postgres, tree, meterOf } = deps;
  const app = createRouter();

  app.openapi(listRulesRoute, async (c) => {
    const query = c.req.valid("query");
    const { node: requested, kind, enabled } = query;
    const actor = c.get("actor");
    const node = requested === undefined ? undefined : resolveNode(actor, tree, requested);
    const asked = { list: "rules", node, kind, enabled };
    return await answerList(c, ruleTable, query, async ({ cursor, limit }) => {
      const after = readCursor(cursor, asked, timedKeySchema);
      const found = await listRulesBelow(postgres.db, tree, {
        tops: node === undefined ? actor.reach : [node],
        kind,
        after,
        limit: limit + 1,
        enabled: enabled === undefined ? undefined : enabled === "true",
      });
      const { page, last } = pageOf(found, limit, { large: true });
      const next_cursor = last ? writeCursor(asked, { atMs: last.createdAt.getTime(), id: last.id }) : null;
      return { rules: page.map(describeRule), next_cursor };
    });
  });

  app.openapi(createRuleRoute, async (c) => {
    const { node: requested, repeat_hours, ...wanted } = c.req.valid("json");
    const actor = c.get("actor");
    const node = resolveNode(actor, tree, requested);
    refuseUnseenBilling(tree, actor, node, wanted.condition);
    const rule = { ...wanted, node, repeatHours: repeat_hours };
    await checkRule(postgres.db, { tree, meterOf }, rule, actor);
    const made = await createRule(postgres, tree, rule, authorOf(c));
    return await answerTagged(c, stateOfRule(made), describeRule(made), 201);
  });

  app.openapi(getRuleRoute, async (c) => {
    const found = await ownRule(deps, c.get("actor"), c.req.valid("param").id);
    return await answerTagged(c, stateOfRule(found), describeRule(found), 200);
  });

  app.openapi(updateRuleRoute, async (c) => {
    const actor = c.get("actor");
    const rule = await ownRule(deps, actor, c.req.valid("param").id);
    const { repeat_hours, ...wanted } = changesOf(c.req.valid("json"), changeRuleSchema, describeRule(rule));
    if (wanted.condition && wanted.condition.kind !== rule.kind)
      throw new ProblemError("invalid_request", `the kind of a rule cannot be changed: this one is ${rule.kind}`, {
        field: "condition.kind",
      });
    refuseUnseenBilling(tree, actor, rule.node, rule.condition);
    // What it took the place of may be gone by now.
    const replaces = wanted.replaces === rule.replaces ? null : (wanted.replaces ?? null);
    const edited = { ...rule, ...given(wanted), replaces };
    await checkRule(postgres.db, { tree, meterOf }, edited, actor, rule);
    const edit = { ...wanted, repeatHours: repeat_hours };
    const changed = await changeRule(postgres, tree, rule.id, edit, { by: authorOf(c), check: await ifMatch(c) });
    return await answerTagged(c, stateOfRule(changed), describeRule(changed), 200);
  });

  app.openapi(deleteRuleRoute, async (c) => {
    const actor = c.get("actor");
    const rule = await ownRule(deps, actor, c.req.valid("param").id);
    refuseUnseenBilling(tree, actor, rule.node, rule.condition);
    await removeRule(postgres, rule.id, { by: authorOf(c), check: await ifMatch(c) });
    return c.body(null, 204);
  });

  addPreview(app, deps);
  return app;
}

/** So that a store has something to do while another node's answers are put together. */
const previewedAtOnce = 2;

function addPreview(
  app: OpenAPIHono<HttpEnv>,
  { postgres, tree, meterOf, clickhouse, watermark, now = Date.now }: RulesRoutesDeps,
): void {
  app.openapi(previewRuleRoute, async (c) => {
    const { rule: wanted, from, to } = c.req.valid("json");
    const actor = c.get("actor");
    const node = resolveNode(actor, tree, wanted.node, "rule.node");
    refuseUnseenBilling(tree, actor, node, wanted.condition);
    if (wanted.condition.kind === "quota" && wanted.condition.on === "projected")
      throw new ProblemError("invalid_request", "what was projected in the past is not kept: preview it with `used`", {
        field: "rule.condition.on",
      });
    const rule = { ...wanted, node, replaces: null };
    await checkRule(postgres.db, { tree, meterOf }, rule, actor).catch((error: unknown) => {
      if (error instanceof ProblemError && error.field !== undefined)
        throw new ProblemError(error.code, error.message, { field: `rule.${error.field}` });
      throw error;
    });
    const nowMs = now();
    const asOf = watermark();
    const { fromMs = nowMs, toMs = nowMs } = readTimeRange({ from, to, tz: "UTC" }, nowMs);
    if (toMs - fromMs > previewLimits.maxDays * dayMs)
      throw new ProblemError("invalid_request", `at most ${previewLimits.maxDays} days after from`, { field: "to" });
    const span = { fromMs, toMs: Math.min(toMs, asOf.getTime()) };
    const most = { kind: "organization", limit: previewLimits.maxNodes + 1 } as const;
    const nodes = rule.scope === "node" ? [node] : tree.list([node], most).map((one) => one.node);
    const { looked, isLarge } = fitting({ meterOf, condition: rule.condition, nodes, span });
    if (isLarge) await c.get("question")?.becomeLarge();
    const source = { clickhouse: storeFor(c, clickhouse), postgres, tree, meterOf, watermark };
    const would: PreviewAnswer["would"] = [];
    const startedAtMs = performance.now();
    let count = 0;
    while (count < looked.length) {
      // Whoever edits a rule waits for it: some nodes soon are worth more than all of them too late.
      if (count > 0 && performance.now() - startedAtMs > previewLimits.enoughMs) break;
      const some = looked.slice(count, count + previewedAtOnce);
      const isPast = span.fromMs < span.toMs;
      const found = isPast ? some.map((one) => previewOf(source, rule.condition, one, span)) : [];
      would.push(...(await Promise.all(found)).flat());
      count += some.length;
    }
    const is_complete = nodes.length === count && looked.every((one) => hasPast(rule.condition, one));
    return c.json({ would, nodes: count, is_complete, watermark: sayWatermark(c, asOf) }, 200);
  });
}

async function ownRule({ postgres, tree }: RulesRoutesDeps, actor: Actor, id: string): Promise<RuleRecord> {
  return withinReach(actor, tree, await readRule(postgres.db, id), "rule");
}

function refuseUnseenBilling(
  tree: RulesRoutesDeps["tree"],
  actor: Actor,
  node: NodeAddress,
  condition: Condition,
): void {
  if (condition.kind === "billing" && !can(actor, "prices:read", node, tree))
    throw new ProblemError("forbidden", `rules about billing need permission to see prices at ${node}`, {
      field: "condition.kind",
    });
}

/** Throws `invalid_request` where not even one node fits. */
function fitting(asked: PreviewAsked): ReturnType<typeof nodesThatFit> {
  try {
    return nodesThatFit(asked);
  } catch (error) {
    if (error instanceof TooManyFiguresError)
      throw new ProblemError("invalid_request", `${error.message}: request a shorter range`, { field: "to" });
    throw error;
  }
}

async function previewOf(...asked: Parameters<typeof previewAt>): Promise<PreviewAnswer["would"]> {
  try {
    return await previewAt(...asked);
  } catch (error) {
    if (error instanceof TooManyReadingsError)
      throw new ProblemError("invalid_request", `${error.message}: request a shorter range`, { field: "to" });
    throw error;
  }
}

function given<T extends object>(edit: T): { [Field in keyof T]?: Exclude<T[Field], undefined> } {
  const entries = Object.entries(edit).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [Field in keyof T]?: Exclude<T[Field], undefined> };
}

function describeRule(rule: RuleRecord): Rule {
  const { id, name, node, scope, severity, enabled, channels, mute, replaces, condition } = rule;
  return {
    id,
    name,
    node,
    scope,
    severity,
    enabled,
    channels,
    mute,
    replaces,
    condition,
    repeat_hours: rule.repeatHours,
    is_default: rule.isDefault,
    created_at: rule.createdAt.toISOString(),
  };
}
