/** /v1/reports: saved reports. Those of the standard kinds exist without being saved. */

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { dayMs } from "../../contract/durations.ts";
import type { NodeAddress } from "../../contract/nodes.ts";
import {
  changeReportSchema,
  createReportSchema,
  previewReportSchema,
  type ReportKind,
  type ReportOptions,
  reportDocumentSchema,
  reportListSchema,
  reportPreviewSchema,
  reportQuerySchema,
  reportSchema,
  standardReports,
  updateReportSchema,
} from "../../contract/reports.ts";
import { readCursor, writeCursor } from "../../lists/cursor.ts";
import { customQuestion, metersOfReport } from "../../reports/custom-question.ts";
import { previewOf, previewRows } from "../../reports/preview.ts";
import type { ReportSource } from "../../reports/report-source.ts";
import {
  changeReport,
  createReport,
  describeReport,
  listReports,
  mayReadKind,
  type ReportRecord,
  readReport,
  removeReport,
  requireKind,
  standardReport,
  stateOfReport,
} from "../../reports/saved-reports.ts";
import { wasWithin } from "../../tree/past-owners.ts";
import { answerList, listed, listTable } from "../answer-list.ts";
import { changesNothing, createRouter, problemResponses } from "../app-pieces.ts";
import { requireScope, resolveNode, withinReach } from "../authenticate.ts";
import { authorOf } from "../author-of.ts";
import { answerTagged, ifMatch } from "../entity-tag.ts";
import type { HttpEnv } from "../http-env.ts";
import { pageOf } from "../page-of.ts";
import { documentNow, readReportQuestion, wholeCaller } from "../report-question.ts";
import { idParams, jsonAnswer, jsonBody } from "../route-parts.ts";
import { changesOf } from "../sent-back.ts";

interface ReportsRoutesDeps {
  source: ReportSource;
  now?: () => number;
}

const positionSchema = z.object({ name: z.string(), id: z.string() });

const reportTable = listTable("reports", reportSchema);

const listReportsRoute = createRoute({
  method: "get",
  path: "/v1/reports",
  operationId: "listReports",
  tags: ["Reports"],
  summary: "List reports",
  middleware: requireScope("read"),
  request: { query: reportQuerySchema },
  responses: {
    200: listed("The reports", reportListSchema, reportSchema),
    ...problemResponses(400, 401, 403, 404, 503),
  },
});

const createReportRoute = createRoute({
  method: "post",
  path: "/v1/reports",
  operationId: "createReport",
  tags: ["Reports"],
  summary: "Create a report",
  description: "`billing` and `financial` need permission to see prices at the node, `audit` to read its audit log.",
  middleware: requireScope("reports:write"),
  request: { body: jsonBody(createReportSchema) },
  responses: { 201: jsonAnswer("The new report", reportSchema), ...problemResponses(400, 401, 403, 404, 409, 503) },
});

const previewReportRoute = createRoute({
  method: "post",
  path: "/v1/reports/preview",
  [changesNothing]: true,
  operationId: "previewReport",
  tags: ["Reports"],
  summary: "Preview a report",
  description: `What a run would show now, with at most ${previewRows} rows per section. Nothing is stored.`,
  middleware: requireScope("read"),
  request: { body: jsonBody(previewReportSchema) },
  responses: {
    200: jsonAnswer("The report", reportPreviewSchema),
    ...problemResponses(400, 401, 403, 404, 409, 429, 503),
  },
});

const getReportRoute = createRoute({
  method: "get",
  path: "/v1/reports/{id}",
  operationId: "getReport",
  tags: ["Reports"],
  summary: "Get a report",
  middleware: requireScope("read"),
  request: { params: idParams },
  responses: { 200: jsonAnswer("The report", reportSchema), ...problemResponses(401, 403, 404, 503) },
});

const updateReportRoute = createRoute({
  method: "patch",
  path: "/v1/reports/{id}",
  operationId: "updateReport",
  tags: ["Reports"],
  summary: "Update a report",
  description: "Existing runs stay as they are.",
  middleware: requireScope("reports:write"),
  request: { params: idParams, body: jsonBody(updateReportSchema) },
  responses: {
    200: jsonAnswer("The updated report", reportSchema),
    ...problemResponses(400, 401, 403, 404, 409, 412, 503),
  },
});

const deleteReportRoute = createRoute({
  method: "delete",
  path: "/v1/reports/{id}",
  operationId: "deleteReport",
  tags: ["Reports"],
  summary: "Delete a report",
  description: "Its runs are kept until they expire.",
  middleware: requireScope("reports:write"),
  request: { params: idParams },
  responses: { 204: { description: "Deleted" }, ...problemResponses(401, 403, 404, 412, 503) },
});

const getReportSchemaRoute = createRoute({
  method: "get",
  path: "/v1/report-schema.json",
  operationId: "getReportSchema",
  tags: ["Reports"],
  summary: "Get the JSON Schema of reports",
  security: [],
  responses: { 200: jsonAnswer("JSON Schema 2020-12", z.looseObject({})) },
});

export function reportsRoutes({ source, now = Date.now }: ReportsRoutesDeps): OpenAPIHono<HttpEnv> {
  const { postgres, tree } = source;
  const { checkMeters, ownReport } = createTools(source, now);
  const described = (c: Context<HttpEnv>, report: ReportRecord) =>
    describeReport(report, wasWithin(tree, c.get("actor").reach));
  const app = createRouter();

  app.openapi(listReportsRoute, async (c) => {
    const query = c.req.valid("query");
    const actor = c.get("actor");
    const whole = await wholeCaller(c);
    const node = resolveNode(actor, tree, query.node);
    const asked = { list: "reports", node, kind: query.kind };
    const standard = shownStandard(whole, query.kind, node, tree);
    return await answerList(c, reportTable, query, async ({ cursor, limit }) => {
      const found = await listReports(postgres.db, tree, {
        node,
        reader: whole,
        kind: query.kind,
        after: readCursor(cursor, asked, positionSchema),
        limit: limit + 1,
      });
      const { page, last } = pageOf(found, limit);
      return {
        reports: page.map((one) => described(c, one)),
        standard: standard.map((kind) => standardReport(kind, node)),
        next_cursor: last ? writeCursor(asked, { name: last.name, id: last.id }) : null,
      };
    });
  });

  app.openapi(createReportRoute, async (c) => {
    const { node: requested, ...wanted } = c.req.valid("json");
    const node = resolveNode(c.get("actor"), tree, requested);
    requireKind(await wholeCaller(c), wanted.kind, node, tree);
    checkMeters(wanted.kind, wanted.options, node);
    const made = await createReport(postgres, tree, { ...wanted, node }, authorOf(c));
    return await answerTagged(c, stateOfReport(made), described(c, made), 201);
  });

  app.openapi(previewReportRoute, async (c) => {
    const nowMs = now();
    const question = await readReportQuestion(c, source, c.req.valid("json"), nowMs);
    return c.json(previewOf(await documentNow(c, source, question, nowMs), previewRows), 200);
  });

  app.openapi(getReportRoute, async (c) => {
    const { id } = c.req.valid("param");
    const kind = standardReports.find((one) => one === id);
    if (kind) {
      const { node } = c.get("actor");
      requireKind(await wholeCaller(c), kind, node, tree);
      return c.json(standardReport(kind, node), 200);
    }
    const found = await ownReport(c, id);
    return await answerTagged(c, stateOfReport(found), described(c, found), 200);
  });

  app.openapi(updateReportRoute, async (c) => {
    const found = await ownReport(c, c.req.valid("param").id);
    const seen = describeReport(found, wasWithin(tree, c.get("actor").reach));
    const edits = changesOf(c.req.valid("json"), changeReportSchema, seen);
    if (edits.options) checkMeters(found.kind, edits.options, found.node);
    const changed = await changeReport(postgres, found.id, edits, { by: authorOf(c), check: await ifMatch(c) });
    return await answerTagged(c, stateOfReport(changed), described(c, changed), 200);
  });

  app.openapi(deleteReportRoute, async (c) => {
    const found = await ownReport(c, c.req.valid("param").id);
    await removeReport(postgres, found.id, { by: authorOf(c), check: await ifMatch(c) });
    return c.body(null, 204);
  });

  app.openapi(getReportSchemaRoute, (c) => c.json(documentSchema, 200));
  return app;
}

function shownStandard(
  whole: Parameters<typeof mayReadKind>[0],
  wanted: ReportKind | undefined,
  node: NodeAddress,
  tree: Parameters<typeof mayReadKind>[3],
) {
  return standardReports.filter(
    (kind) => (wanted === undefined || kind === wanted) && mayReadKind(whole, kind, node, tree),
  );
}

function createTools(source: ReportsRoutesDeps["source"], now: () => number) {
  const { postgres, tree } = source;

  /** Throws `not_found` outside the caller's nodes, `forbidden` where they may not see what it shows. */
  async function ownReport(c: Context<HttpEnv>, id: string): Promise<ReportRecord> {
    const found = withinReach(c.get("actor"), tree, await readReport(postgres.db, id), "report");
    requireKind(await wholeCaller(c), found.kind, found.node, tree);
    return found;
  }

  function checkMeters(kind: ReportKind, options: ReportOptions, node: NodeAddress): void {
    const nowMs = now();
    if (kind === "custom")
      customQuestion(source, { options, node, fromMs: nowMs - dayMs, toMs: nowMs, tz: "UTC" }, nowMs);
    else if (options.meters) metersOfReport(source, { node, toMs: nowMs }, options.meters);
  }

  return { checkMeters, ownReport };
}

const documentSchema = z.toJSONSchema(reportDocumentSchema) as Record<string, unknown>;
