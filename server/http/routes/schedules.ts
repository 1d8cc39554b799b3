/** /v1/schedules: when a report is sent, to whom, and how each time ended. */

import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import {
  changeScheduleSchema,
  createScheduleSchema,
  previewScheduleSchema,
  type Schedule,
  scheduleListSchema,
  schedulePreviewSchema,
  scheduleQuerySchema,
  scheduleSchema,
  slotListSchema,
  slotQuerySchema,
  slotSchema,
  updateScheduleSchema,
} from "../../contract/schedules.ts";
import { readCursor, timedKeySchema, writeCursor } from "../../lists/cursor.ts";
import { ProblemError } from "../../problem.ts";
import { requireKind } from "../../reports/saved-reports.ts";
import { createTest, describeSlot, lastSlots, listSlots } from "../../reports/schedule-slots.ts";
import {
  addedTo,
  changeSchedule,
  checkTiming,
  createSchedule,
  listSchedules,
  pauseSchedule,
  previewSchedule,
  removeSchedule,
  stateOfSchedule,
} from "../../reports/schedules.ts";
import type { ScheduleRecord } from "../../reports/timing.ts";
import { answerList, listed, listTable } from "../answer-list.ts";
import { changesNothing, createRouter, problemResponses } from "../app-pieces.ts";
import { requireScope, resolveNode } from "../authenticate.ts";
import { authorOf } from "../author-of.ts";
import { answerTagged, entityTag, ifMatch } from "../entity-tag.ts";
import type { HttpEnv } from "../http-env.ts";
import { pageOf } from "../page-of.ts";
import { wholeCaller } from "../report-question.ts";
import { idParams, jsonAnswer, jsonBody } from "../route-parts.ts";
import { type ScheduleAccess, type SchedulesRoutesDeps, scheduleAccess } from "../schedule-access.ts";
import { changesOf } from "../sent-back.ts";

const scheduleTable = listTable("schedules", scheduleSchema, { types: { at: "text" } });
const slotTable = listTable("slots", slotSchema, { types: { from: "instant", to: "instant" } });

const listSchedulesRoute = createRoute({
  method: "get",
  path: "/v1/schedules",
  operationId: "listSchedules",
  tags: ["Reports"],
  summary: "List report schedules",
  middleware: requireScope("read"),
  request: { query: scheduleQuerySchema },
  responses: {
    200: listed("The schedules", scheduleListSchema, scheduleSchema),
    ...problemResponses(400, 401, 403, 404, 503),
  },
});

const createScheduleRoute = createRoute({
  method: "post",
  path: "/v1/schedules",
  operationId: "createSchedule",
  tags: ["Reports"],
  summary: "Create a report schedule",
  description:
    "Each report covers the whole period before it and is sent once, after all data of the period can be queried; what a billing cycle costs (`billing`, `financial`) after its statement has closed. Without a recipient and a channel, its slots end as `skipped`, `nobody`. What each person receives is decided when it is sent; addresses without an account receive what the author can see at that time. The number of new addresses without an account is limited per hour. An address that unsubscribed from one schedule of the tenant gets nothing from another until its owner agrees.",
  middleware: requireScope("reports:write"),
  request: { body: jsonBody(createScheduleSchema) },
  responses: {
    201: jsonAnswer("The new schedule", scheduleSchema),
    ...problemResponses(400, 401, 403, 404, 409, 429, 503),
  },
});

const previewScheduleRoute = createRoute({
  method: "post",
  path: "/v1/schedules/preview",
  [changesNothing]: true,
  operationId: "previewSchedule",
  tags: ["Reports"],
  summary: "Preview when a schedule would send",
  middleware: requireScope("read"),
  request: { body: jsonBody(previewScheduleSchema) },
  responses: {
    200: jsonAnswer("The schedule in words, and its next times", schedulePreviewSchema),
    ...problemResponses(400, 401, 403, 404, 503),
  },
});

const getScheduleRoute = createRoute({
  method: "get",
  path: "/v1/schedules/{id}",
  operationId: "getSchedule",
  tags: ["Reports"],
  summary: "Get a report schedule",
  middleware: requireScope("read"),
  request: { params: idParams },
  responses: { 200: jsonAnswer("The schedule", scheduleSchema), ...problemResponses(401, 403, 404, 503) },
});

const updateScheduleRoute = createRoute({
  method: "patch",
  path: "/v1/schedules/{id}",
  operationId: "updateSchedule",
  tags: ["Reports"],
  summary: "Update a report schedule",
  description:
    "The caller becomes its author. A period already sent is not sent again at another time or with another report. The schedule may be sent back whole.",
  middleware: requireScope("reports:write"),
  request: { params: idParams, body: jsonBody(updateScheduleSchema) },
  responses: {
    200: jsonAnswer("The updated schedule", scheduleSchema),
    ...problemResponses(400, 401, 403, 404, 412, 429, 503),
  },
});

const deleteScheduleRoute = createRoute({
  method: "delete",
  path: "/v1/schedules/{id}",
  operationId: "deleteSchedule",
  tags: ["Reports"],
  summary: "Delete a report schedule",
  description: "Also deletes its slots; their runs are kept until they expire.",
  middleware: requireScope("reports:write"),
  request: { params: idParams },
  responses: { 204: { description: "Deleted" }, ...problemResponses(401, 403, 404, 412, 503) },
});

const pausingRoute = (verb: "pause" | "resume", summary: string, description: string) =>
  createRoute({
    method: "post",
    path: `/v1/schedules/{id}/${verb}`,
    operationId: `${verb}Schedule`,
    tags: ["Reports"],
    summary,
    description,
    middleware: requireScope("reports:write"),
    request: { params: idParams },
    responses: {
      200: jsonAnswer("The updated schedule", scheduleSchema),
      ...problemResponses(401, 403, 404, 412, 503),
    },
  });

const pauses = [
  {
    paused: true,
    route: pausingRoute(
      "pause",
      "Pause a report schedule",
      "Anything due until it is resumed is not sent, not even later.",
    ),
  },
  {
    paused: false,
    route: pausingRoute("resume", "Resume a report schedule", "It continues with what is due from now on."),
  },
];

const testScheduleRoute = createRoute({
  method: "post",
  path: "/v1/schedules/{id}/test",
  operationId: "testSchedule",
  tags: ["Reports"],
  summary: "Send a scheduled report to yourself now",
  description:
    "The last period that has ended, as far as its data is known. A key has no address: for a key, the report is created (see `run` of the slot) and not sent.",
  middleware: requireScope("reports:write"),
  request: { params: idParams },
  responses: {
    202: jsonAnswer("The report is on its way", slotSchema),
    ...problemResponses(401, 403, 404, 412, 429, 503),
  },
});

const listScheduleSlotsRoute = createRoute({
  method: "get",
  path: "/v1/schedules/{id}/slots",
  operationId: "listScheduleSlots",
  tags: ["Reports"],
  summary: "List the slots of a report schedule",
  middleware: requireScope("read"),
  request: { params: idParams, query: slotQuerySchema },
  responses: { 200: listed("The slots", slotListSchema, slotSchema), ...problemResponses(400, 401, 403, 404, 503) },
});

export function schedulesRoutes(deps: SchedulesRoutesDeps): OpenAPIHono<HttpEnv> {
  const { postgres, tree, hasBucket = false, now = Date.now } = deps;
  const { db } = postgres;
  const tools = scheduleAccess(deps);
  const { checkChannels, countStrangers, describe, ownSchedule, reportOf, wantedReport } = tools;
  const app = createRouter();

  addList(app, deps, tools);
  app.openapi(createScheduleRoute, async (c) => {
    const { node: requested, report: reference, past_periods: pastPeriods, ...given } = c.req.valid("json");
    const actor = c.get("actor");
    const report = await wantedReport(actor, reference);
    const node = resolveNode(actor, tree, requested ?? report.node);
    requireKind(await wholeCaller(c), report.kind, node, tree);
    const wanted = {
      weekday: null,
      day: null,
      fiscal_start_month: null,
      subject: null,
      ...given,
      report: report.report,
      node,
    };
    checkTiming(given, given.every);
    if (pastPeriods > 0 && given.when_missed === "skip")
      throw new ProblemError("invalid_request", "past periods cannot be sent if missed ones are skipped", {
        field: "past_periods",
      });
    await checkChannels(actor, given.channels, node);
    await countStrangers(actor, addedTo([], given.recipients), "recipients");
    const made = await createSchedule(postgres, tree, { ...wanted, pastPeriods }, authorOf(c), now());
    c.header("etag", await entityTag(c, stateOfSchedule(made)));
    c.header("location", `/v1/schedules/${made.id}`);
    return c.json(await describe(c, made, report.name), 201);
  });

  app.openapi(previewScheduleRoute, async (c) => {
    const { node: requested, report: reference, ...given } = c.req.valid("json");
    const { report } = await wantedReport(c.get("actor"), reference);
    const node = resolveNode(c.get("actor"), tree, requested);
    return c.json(await previewSchedule(db, tree, { ...given, report, node }, { hasBucket, nowMs: now() }), 200);
  });

  app.openapi(getScheduleRoute, async (c) => {
    const { schedule, report } = await ownSchedule(c, c.req.valid("param").id);
    return await answerTagged(c, stateOfSchedule(schedule), await describe(c, schedule, report?.name), 200);
  });

  app.openapi(updateScheduleRoute, async (c) => {
    const { schedule, report: before } = await ownSchedule(c, c.req.valid("param").id);
    const seen = await describe(c, schedule, before?.name);
    const edits = changesOf(c.req.valid("json"), changeScheduleSchema, seen, movingOfSchedule);
    const report = await reportOf(c, { schedule, before, wanted: edits.report });
    const added = edits.channels?.filter((id) => !schedule.channels.includes(id)) ?? [];
    await checkChannels(c.get("actor"), added, schedule.node);
    if (edits.recipients)
      await countStrangers(c.get("actor"), addedTo(schedule.recipients, edits.recipients), "recipients");
    const edit = { by: authorOf(c), check: await ifMatch(c) };
    const wanted = { ...edits, ...(report && { report: report.report }) };
    const changed = await changeSchedule(postgres, tree, schedule.id, wanted, edit, now());
    return await answerTagged(c, stateOfSchedule(changed), await describe(c, changed, report?.name), 200);
  });

  app.openapi(deleteScheduleRoute, async (c) => {
    const { schedule } = await ownSchedule(c, c.req.valid("param").id);
    await removeSchedule(postgres, schedule.id, { by: authorOf(c), check: await ifMatch(c) });
    return c.body(null, 204);
  });

  addActions(app, deps, tools);
  return app;
}

/** What follows from other fields of a schedule, or from what is sent. */
const movingOfSchedule = ["report_name", "in_words", "next", "last", "author"] as const;

function addList(
  app: OpenAPIHono<HttpEnv>,
  { postgres: { db }, tree }: SchedulesRoutesDeps,
  { describeWith }: ScheduleAccess,
): void {
  app.openapi(listSchedulesRoute, async (c) => {
    const query = c.req.valid("query");
    const actor = c.get("actor");
    const whole = await wholeCaller(c);
    const node = resolveNode(actor, tree, query.node);
    const asked = { list: "schedules", node, report: query.report };
    return await answerList(c, scheduleTable, query, async ({ cursor, limit }) => {
      const found = await listSchedules(db, tree, {
        node,
        reader: whole,
        report: query.report,
        after: readCursor(cursor, asked, timedKeySchema),
        limit: limit + 1,
      });
      const { page, last } = pageOf(found, limit);
      const newest = await lastSlots(
        db,
        page.map(({ schedule }) => schedule.id),
      );
      const schedules: Schedule[] = [];
      for (const { schedule, reportName } of page)
        schedules.push(await describeWith(c, schedule, reportName, newest.get(schedule.id)));
      const position = last && { atMs: last.schedule.createdAt.getTime(), id: last.schedule.id };
      return { schedules, next_cursor: position ? writeCursor(asked, position) : null };
    });
  });
}

/** What is done with one schedule, beside changing it. */
function addActions(
  app: OpenAPIHono<HttpEnv>,
  { postgres, tree, now = Date.now }: SchedulesRoutesDeps,
  { describe, ownSchedule }: ScheduleAccess,
): void {
  const { db } = postgres;
  for (const { paused, route } of pauses)
    app.openapi(route, async (c) => {
      const { schedule, report } = await ownSchedule(c, c.req.valid("param").id);
      const edit = { by: authorOf(c), check: await ifMatch(c) };
      const changed = await pauseSchedule(postgres, tree, schedule.id, paused, edit, now());
      return await answerTagged(c, stateOfSchedule(changed), await describe(c, changed, report?.name), 200);
    });

  app.openapi(testScheduleRoute, async (c) => {
    const { schedule } = await ownSchedule(c, c.req.valid("param").id);
    const { kind, name } = c.get("actor");
    const nowMs = now();
    const check = await ifMatch(c);
    const asked = {
      to: kind === "user" ? name : null,
      checkSeen: (seen: ScheduleRecord) => check(stateOfSchedule(seen)),
    };
    const slot = await createTest(postgres, tree, schedule, asked, nowMs);
    return c.json(describeSlot(slot, schedule, nowMs), 202);
  });

  app.openapi(listScheduleSlotsRoute, async (c) => {
    const query = c.req.valid("query");
    const { state, tests } = query;
    const { schedule } = await ownSchedule(c, c.req.valid("param").id);
    const asked = { list: "slots", schedule: schedule.id, state, tests };
    return await answerList(c, slotTable, query, async ({ cursor, limit }) => {
      const found = await listSlots(db, schedule.id, {
        state,
        withTests: tests === "true",
        limit: limit + 1,
        after: readCursor(cursor, asked, timedKeySchema),
      });
      const { page, last } = pageOf(found, limit);
      const position = last && { atMs: last.dueAt.getTime(), id: last.id };
      const nowMs = now();
      return {
        slots: page.map((slot) => describeSlot(slot, schedule, nowMs)),
        next_cursor: position ? writeCursor(asked, position) : null,
      };
    });
  });
}
