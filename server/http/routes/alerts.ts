/** /v1/alerts: what the rules found in the caller's subtree; /v1/notifications: the caller's bell. */

import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { countUnread, describeNotification, listNotifications, markRead } from "../../alerts/notifications.ts";
import {
  type AlertRecord,
  acknowledgeAlert,
  describeAlert,
  handlingOf,
  listAlerts,
  passedWith,
  readAlert,
  snoozeAlert,
} from "../../alerts/read-alerts.ts";
import { nodesOfRules } from "../../alerts/rules.ts";
import { alertsWithin, visibleAlerts } from "../../alerts/visibility.ts";
import {
  type Alert,
  alertListSchema,
  alertQuerySchema,
  alertSchema,
  snoozeAlertSchema,
} from "../../contract/alerts.ts";
import { dayMs } from "../../contract/durations.ts";
import {
  notificationListSchema,
  notificationQuerySchema,
  readNotificationsAnswerSchema,
  readNotificationsSchema,
} from "../../contract/notifications.ts";
import { defaultPageSize } from "../../contract/pages.ts";
import type { Actor } from "../../identity/actor.ts";
import { readCursor, timedKeySchema, writeCursor } from "../../lists/cursor.ts";
import type { Postgres } from "../../postgres/client.ts";
import { ProblemError } from "../../problem.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { wasWithin } from "../../tree/past-owners.ts";
import { answerList, listed, listTable } from "../answer-list.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { isWithinReach, requireScope, resolveNode } from "../authenticate.ts";
import { authorOf } from "../author-of.ts";
import { entityTag, ifMatch } from "../entity-tag.ts";
import type { HttpEnv } from "../http-env.ts";
import { pageOf } from "../page-of.ts";
import { idParams, jsonAnswer, jsonBody } from "../route-parts.ts";
import { readTimeRange } from "../time-range.ts";

const oneAlert = (description: string) => jsonAnswer(description, alertSchema);
const maxSnoozeMs = 366 * dayMs;

interface AlertsRoutesDeps {
  postgres: Postgres;
  tree: NodeTree;
  publicUrl: string;
  now?: () => number;
}

const alertTable = listTable("alerts", alertSchema, {
  types: { threshold: "decimal", value: "decimal", limit: "decimal", percent: "percent", snoozed_until: "instant" },
});

const listAlertsRoute = createRoute({
  method: "get",
  path: "/v1/alerts",
  operationId: "listAlerts",
  tags: ["Alerts"],
  summary: "List alerts, newest first",
  middleware: requireScope("read"),
  request: { query: alertQuerySchema },
  responses: { 200: listed("The alerts", alertListSchema, alertSchema), ...problemResponses(400, 401, 403, 404, 503) },
});

const getAlertRoute = createRoute({
  method: "get",
  path: "/v1/alerts/{id}",
  operationId: "getAlert",
  tags: ["Alerts"],
  summary: "Get an alert",
  middleware: requireScope("read"),
  request: { params: idParams },
  responses: { 200: oneAlert("The alert"), ...problemResponses(401, 403, 404, 503) },
});

const acknowledgeAlertRoute = createRoute({
  method: "post",
  path: "/v1/alerts/{id}/acknowledge",
  operationId: "acknowledgeAlert",
  tags: ["Alerts"],
  summary: "Acknowledge an alert",
  description:
    "Its message is not repeated from then on, but its resolution is still sent. The first person to acknowledge it stays on record. An alert from a rule of a node above can only be acknowledged by people of that node.",
  middleware: requireScope("rules:write"),
  request: { params: idParams },
  responses: { 200: oneAlert("The updated alert"), ...problemResponses(401, 403, 404, 412, 503) },
});

const snoozeAlertRoute = createRoute({
  method: "post",
  path: "/v1/alerts/{id}/snooze",
  operationId: "snoozeAlert",
  tags: ["Alerts"],
  summary: "Snooze an alert",
  description:
    "If it is still firing at that time, its message is sent then. An alert from a rule of a node above can only be snoozed by people of that node.",
  middleware: requireScope("rules:write"),
  request: { params: idParams, body: jsonBody(snoozeAlertSchema) },
  responses: { 200: oneAlert("The updated alert"), ...problemResponses(400, 401, 403, 404, 412, 503) },
});

const listNotificationsRoute = createRoute({
  method: "get",
  path: "/v1/notifications",
  operationId: "listNotifications",
  tags: ["Alerts"],
  summary: "List the caller's notifications, newest first",
  description: "For people; keys have none. Also pushed as `notification:new` on the socket.",
  middleware: requireScope("read"),
  request: { query: notificationQuerySchema },
  responses: { 200: jsonAnswer("The notifications", notificationListSchema), ...problemResponses(400, 401, 403, 503) },
});

const readNotificationsRoute = createRoute({
  method: "post",
  path: "/v1/notifications/read",
  operationId: "readNotifications",
  tags: ["Alerts"],
  summary: "Mark notifications as read",
  middleware: requireScope("read"),
  request: { body: jsonBody(readNotificationsSchema) },
  responses: {
    200: jsonAnswer("How many are still unread", readNotificationsAnswerSchema),
    ...problemResponses(400, 401, 403, 503),
  },
});

export function alertsRoutes({ postgres, tree, publicUrl, now = Date.now }: AlertsRoutesDeps): OpenAPIHono<HttpEnv> {
  const { db } = postgres;
  const app = createRouter();
  async function described(actor: Actor, rows: readonly AlertRecord[]): Promise<Alert[]> {
    const nodes = await nodesOfRules(db, [...new Set(rows.map(({ ruleId }) => ruleId))]);
    const seen = { wasWithin: wasWithin(tree, actor.reach), passed: await passedWith(db, rows) };
    return rows.map((row) => ({
      ...describeAlert(row, publicUrl, seen),
      is_own: isWithinReach(actor, tree, nodes.get(row.ruleId) ?? row.node),
    }));
  }

  async function answered(c: Context<HttpEnv>, row: AlertRecord): Promise<Alert> {
    c.header("etag", await entityTag(c, handlingOf(row)));
    const [one] = await described(c.get("actor"), [row]);
    if (!one) throw new Error("an alert was not described");
    return one;
  }

  /** Whoever is watched from above sees what was found, and silences it for nobody there. */
  async function ownAlert(actor: Actor, id: string): Promise<AlertRecord> {
    const found = await seenAlert({ postgres, tree }, actor, id);
    const top = (await nodesOfRules(db, [found.ruleId])).get(found.ruleId);
    if (top !== undefined && !isWithinReach(actor, tree, top))
      throw new ProblemError(
        "forbidden",
        "the rule belongs to a node above, so only its people can handle this alert",
        { field: "id" },
      );
    return found;
  }

  app.openapi(listAlertsRoute, async (c) => {
    const query = c.req.valid("query");
    const actor = c.get("actor");
    const { state, rule, kind, from, to, tz } = query;
    const node = query.node === undefined ? undefined : resolveNode(actor, tree, query.node);
    const asked = { list: "alerts", node, state, rule, kind, from, to, tz };
    const range = readTimeRange(query, now());
    return await answerList(c, alertTable, query, async ({ cursor, limit }) => {
      const found = await listAlerts(db, {
        ...range,
        state,
        rule,
        kind,
        within: [visibleAlerts(actor, tree), node === undefined ? undefined : alertsWithin([node], tree)],
        after: readCursor(cursor, asked, timedKeySchema),
        limit: limit + 1,
      });
      const { page, last } = pageOf(found, limit);
      const next_cursor = last ? writeCursor(asked, { atMs: last.at.getTime(), id: last.id }) : null;
      return { alerts: await described(actor, page), next_cursor };
    });
  });

  app.openapi(getAlertRoute, async (c) => {
    const found = await seenAlert({ postgres, tree }, c.get("actor"), c.req.valid("param").id);
    return c.json(await answered(c, found), 200);
  });

  app.openapi(acknowledgeAlertRoute, async (c) => {
    const { id } = await ownAlert(c.get("actor"), c.req.valid("param").id);
    const changed = await acknowledgeAlert(postgres, id, { by: authorOf(c), check: await ifMatch(c) });
    return c.json(await answered(c, changed), 200);
  });

  app.openapi(snoozeAlertRoute, async (c) => {
    const until = new Date(c.req.valid("json").until);
    if (until.getTime() <= now() || until.getTime() > now() + maxSnoozeMs)
      throw new ProblemError("invalid_request", "must be in the future, and at most a year ahead", { field: "until" });
    const { id } = await ownAlert(c.get("actor"), c.req.valid("param").id);
    const changed = await snoozeAlert(postgres, id, until, { by: authorOf(c), check: await ifMatch(c) });
    return c.json(await answered(c, changed), 200);
  });

  addNotifications(app, { postgres, tree, publicUrl, now });
  return app;
}

function addNotifications(
  app: OpenAPIHono<HttpEnv>,
  { postgres, tree, publicUrl, now }: Required<AlertsRoutesDeps>,
): void {
  const { db } = postgres;

  app.openapi(listNotificationsRoute, async (c) => {
    const { unread: wanted, cursor, limit = defaultPageSize } = c.req.valid("query");
    const actor = c.get("actor");
    const asked = { list: "notifications", of: actor.id, unread: wanted };
    const seen = visibleAlerts(actor, tree);
    const isUnread = wanted === undefined ? undefined : wanted === "true";
    const after = readCursor(cursor, asked, timedKeySchema);
    const [found, unread] = await Promise.all([
      listNotifications(db, actor.id, { seen, isUnread, after, limit: limit + 1 }),
      countUnread(db, actor.id, seen),
    ]);
    const page = found.slice(0, limit);
    const last = found.length > limit ? page.at(-1)?.notification : undefined;
    const next_cursor = last ? writeCursor(asked, { atMs: last.at.getTime(), id: last.id }) : null;
    const passed = await passedWith(
      db,
      page.map(({ alert }) => alert),
    );
    const reading = { wasWithin: wasWithin(tree, actor.reach), passed };
    return c.json(
      {
        notifications: page.map((one) => describeNotification(one, publicUrl, reading)),
        unread,
        next_cursor,
      },
      200,
    );
  });

  app.openapi(readNotificationsRoute, async (c) => {
    const actor = c.get("actor");
    await markRead(postgres, actor.id, c.req.valid("json"), new Date(now()));
    return c.json({ unread: await countUnread(db, actor.id, visibleAlerts(actor, tree)) }, 200);
  });
}

async function seenAlert(
  { postgres, tree }: Pick<AlertsRoutesDeps, "postgres" | "tree">,
  actor: Actor,
  id: string,
): Promise<AlertRecord> {
  const found = await readAlert(postgres.db, id, visibleAlerts(actor, tree));
  if (!found) throw new ProblemError("not_found", "there is no such alert");
  return found;
}
