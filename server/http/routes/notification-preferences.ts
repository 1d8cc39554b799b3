/** /v1/me/notification-preferences: how one wants to be notified of alerts. */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import {
  changePreferences,
  describePreferences,
  type OwnPreferences,
  readOwnPreferences,
  stateOfPreferences,
} from "../../alerts/preferences.ts";
import {
  changeNotificationPreferencesSchema,
  notificationPreferencesSchema,
} from "../../contract/notification-preferences.ts";
import type { Postgres } from "../../postgres/client.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { answerTagged, ifMatch } from "../entity-tag.ts";
import type { HttpEnv } from "../http-env.ts";
import { ofUser } from "../own-account.ts";
import { jsonAnswer, jsonBody } from "../route-parts.ts";

const path = "/v1/me/notification-preferences";

const getPreferencesRoute = createRoute({
  method: "get",
  path,
  operationId: "getNotificationPreferences",
  tags: ["Account"],
  summary: "Get your notification preferences",
  middleware: ofUser,
  responses: { 200: jsonAnswer("The preferences", notificationPreferencesSchema), ...problemResponses(401, 403, 503) },
});

const changePreferencesRoute = createRoute({
  method: "patch",
  path,
  operationId: "changeNotificationPreferences",
  tags: ["Account"],
  summary: "Update your notification preferences",
  description:
    "Channels still get what their rules say. Choosing email where it was off resumes it after unsubscribing.",
  middleware: ofUser,
  request: { body: jsonBody(changeNotificationPreferencesSchema) },
  responses: {
    200: jsonAnswer("The updated preferences", notificationPreferencesSchema),
    ...problemResponses(400, 401, 403, 412, 503),
  },
});

export function notificationPreferencesRoutes({ postgres }: { postgres: Postgres }): OpenAPIHono<HttpEnv> {
  const { db } = postgres;
  const app = createRouter();
  const described = (preferences: OwnPreferences) => describePreferences(preferences, Date.now());

  app.openapi(getPreferencesRoute, async (c) => {
    const { id } = c.get("actor");
    const preferences = await readOwnPreferences(db, id);
    return await answerTagged(c, stateOfPreferences(preferences), await described(preferences), 200);
  });

  app.openapi(changePreferencesRoute, async (c) => {
    const { id } = c.get("actor");
    const who = { userId: id, nowMs: Date.now(), check: await ifMatch(c) };
    const preferences = await changePreferences(postgres, who, c.req.valid("json"));
    return await answerTagged(c, stateOfPreferences(preferences), await described(preferences), 200);
  });
  return app;
}
