/** /v1/report-runs: the making of reports, and their files. */

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { hourMs } from "../../contract/durations.ts";
import {
  type ReportDocument,
  type ReportRun,
  type RunFile,
  reportFormats,
  reportPreviewSchema,
  reportRunSchema,
  runDifferencesSchema,
  runListSchema,
  runQuerySchema,
  startRunSchema,
} from "../../contract/reports.ts";
import { can } from "../../identity/permissions.ts";
import { readCursor, timedKeySchema, writeCursor } from "../../lists/cursor.ts";
import { ProblemError } from "../../problem.ts";
import { differencesOf } from "../../reports/differences.ts";
import { createFileLinks, type FileLinks } from "../../reports/file-link.ts";
import { fileName } from "../../reports/file-name.ts";
import { previewOf, previewRows } from "../../reports/preview.ts";
import { mediaTypes } from "../../reports/render/render-format.ts";
import type { ReportSource } from "../../reports/report-source.ts";
import { type FileRecord, findFile, listFiles, readDocument, readFile } from "../../reports/run-files.ts";
import {
  cancelRun,
  createRunInTurn,
  describeRun,
  isKept,
  listRuns,
  maxUnfinished,
  questionOfRun,
  type RunRecord,
  readRun,
  seesRun,
  stateOfRun,
} from "../../reports/runs.ts";
import { requireKind } from "../../reports/saved-reports.ts";
import { wasWithin } from "../../tree/past-owners.ts";
import { reportSettingsAt } from "../../tree/report-settings.ts";
import { answerList, listed, listTable } from "../answer-list.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { isWithinReach, requireScope, resolveNode } from "../authenticate.ts";
import { answerTagged, entityTag, ifMatch } from "../entity-tag.ts";
import type { HttpEnv } from "../http-env.ts";
import { streamOf } from "../list-form.ts";
import { pageOf } from "../page-of.ts";
import { rawAnswer } from "../raw-answer.ts";
import { documentNow, readReportQuestion, wholeCaller } from "../report-question.ts";
import { idParams, jsonAnswer, jsonBody } from "../route-parts.ts";
import { sayWatermark } from "../say-watermark.ts";

interface ReportRunsRoutesDeps {
  source: ReportSource;
  /** Begins what is queued now, where this process makes reports; else the next tick of one that does finds it. */
  wake: () => void;
  now?: () => number;
}

/** How long the links in an answer work. */
const linkMs = hourMs;

const createReportRunRoute = createRoute({
  method: "post",
  path: "/v1/report-runs",
  operationId: "createReportRun",
  tags: ["Reports"],
  summary: "Run a report",
  description: `\`billing\` and \`financial\` need permission to see prices at the node, \`audit\` to read its audit log. At most ${maxUnfinished} runs of one caller can be waiting or in progress. A run fails, and says so, if its tenant would keep more files than allowed.`,
  middleware: requireScope("read"),
  request: { body: jsonBody(startRunSchema) },
  responses: { 202: jsonAnswer("The run", reportRunSchema), ...problemResponses(400, 401, 403, 404, 429, 503) },
});

const runTable = listTable("runs", reportRunSchema, { name: "report-runs" });

const listReportRunsRoute = createRoute({
  method: "get",
  path: "/v1/report-runs",
  operationId: "listReportRuns",
  tags: ["Reports"],
  summary: "List report runs, newest first",
  middleware: requireScope("read"),
  request: { query: runQuerySchema },
  responses: { 200: listed("The runs", runListSchema, reportRunSchema), ...problemResponses(400, 401, 403, 404, 503) },
});

const getReportRunRoute = createRoute({
  method: "get",
  path: "/v1/report-runs/{id}",
  operationId: "getReportRun",
  tags: ["Reports"],
  summary: "Get a report run with links to its files",
  middleware: requireScope("read"),
  request: { params: idParams },
  responses: { 200: jsonAnswer("The run", reportRunSchema), ...problemResponses(401, 403, 404, 503) },
});

const getReportRunPreviewRoute = createRoute({
  method: "get",
  path: "/v1/report-runs/{id}/preview",
  operationId: "getReportRunPreview",
  tags: ["Reports"],
  summary: "Get the document of a report run",
  description: `As of the time it was created, with at most ${previewRows} rows per section, whatever its file formats.`,
  middleware: requireScope("read"),
  request: { params: idParams },
  responses: { 200: jsonAnswer("The report", reportPreviewSchema), ...problemResponses(401, 403, 404, 409, 503) },
});

const cancelReportRunRoute = createRoute({
  method: "post",
  path: "/v1/report-runs/{id}/cancel",
  operationId: "cancelReportRun",
  tags: ["Reports"],
  summary: "Cancel a report run",
  description: "Your own, or with permission to write reports at its node, any run. A finished run stays as it is.",
  middleware: requireScope("read"),
  request: { params: idParams },
  responses: { 200: jsonAnswer("The updated run", reportRunSchema), ...problemResponses(401, 403, 404, 412, 503) },
});

const compareReportRunRoute = createRoute({
  method: "get",
  path: "/v1/report-runs/{id}/differences",
  operationId: "compareReportRun",
  tags: ["Reports"],
  summary: "Compare a report run with current data",
  description:
    "Late events, corrections and moves change what a report would show; a run keeps the data as of the time it was created.",
  middleware: requireScope("read"),
  request: { params: idParams },
  responses: {
    200: jsonAnswer("The differences", runDifferencesSchema),
    ...problemResponses(400, 401, 403, 404, 409, 503),
  },
});

export function reportRunsRoutes(deps: ReportRunsRoutesDeps): OpenAPIHono<HttpEnv> {
  const { source, wake, now = Date.now } = deps;
  const { postgres, tree } = source;
  const { db } = postgres;
  const links = createFileLinks(postgres);
  const tools = createTools(deps, links);
  const { describe, describeAll, madeDocument, ownRun } = tools;
  const app = createRouter();

  app.openapi(createReportRunRoute, async (c) => {
    const wanted = c.req.valid("json");
    const actor = c.get("actor");
    const nowMs = now();
    const question = await readReportQuestion(c, source, wanted, nowMs);
    const requestedBy = { id: actor.id, name: actor.name };
    const { keptDays } = await reportSettingsAt(db, tree, question.node);
    const asked = { ...question, formats: wanted.formats, requestedBy, keptDays };
    const run = await createRunInTurn(postgres, tree, asked, nowMs);
    wake();
    c.header("etag", await entityTag(c, stateOfRun(run)));
    c.header("location", `/v1/report-runs/${run.id}`);
    return c.json(await describe(c, run), 202);
  });

  app.openapi(listReportRunsRoute, async (c) => {
    const query = c.req.valid("query");
    const actor = c.get("actor");
    const whole = await wholeCaller(c);
    const node = resolveNode(actor, tree, query.node);
    const asked = { list: "report-runs", node, report: query.report, state: query.state };
    return await answerList(c, runTable, query, async ({ cursor, limit }) => {
      const found = await listRuns(db, tree, {
        node,
        reader: whole,
        report: query.report,
        state: query.state,
        nowMs: now(),
        after: readCursor(cursor, asked, timedKeySchema),
        limit: limit + 1,
      });
      const { page, last } = pageOf(found, limit);
      const position = last && { atMs: last.requestedAt.getTime(), id: last.id };
      const seen = page.filter((run) => seesRun(tree, whole, run));
      return { runs: await describeAll(c, seen), next_cursor: position ? writeCursor(asked, position) : null };
    });
  });

  app.openapi(getReportRunRoute, async (c) => {
    const found = await ownRun(c, c.req.valid("param").id);
    const run = await describe(c, found);
    if (run.watermark !== null) sayWatermark(c, run.watermark);
    return await answerTagged(c, stateOfRun(found), run, 200);
  });

  app.openapi(getReportRunPreviewRoute, async (c) => {
    const run = await ownRun(c, c.req.valid("param").id);
    const preview = previewOf(await madeDocument(c, run), previewRows);
    if (preview.watermark !== null) sayWatermark(c, preview.watermark);
    return c.json(preview, 200);
  });

  app.openapi(cancelReportRunRoute, async (c) => {
    const run = await ownRun(c, c.req.valid("param").id);
    const isOver = run.state !== "queued" && run.state !== "running";
    const isTheirs = run.requestedById === c.get("actor").id;
    if (!isOver && !isTheirs && !can(await wholeCaller(c), "reports:write", run.node, tree))
      throw new ProblemError("forbidden", `this run belongs to someone else; it needs reports:write at ${run.node}`);
    const cancelled = await cancelRun(postgres, run.id, await ifMatch(c));
    return await answerTagged(c, stateOfRun(cancelled), await describe(c, cancelled), 200);
  });

  addFiles(app, { ...deps, links }, tools);
  app.openapi(compareReportRunRoute, async (c) => {
    const run = await ownRun(c, c.req.valid("param").id);
    const then = await madeDocument(c, run);
    const document = await documentNow(c, source, questionOfRun(run), now());
    return c.json(differencesOf(run.id, then, document), 200);
  });
  return app;
}

function addFiles(
  app: OpenAPIHono<HttpEnv>,
  { source, links, now = Date.now }: ReportRunsRoutesDeps & { links: FileLinks },
  { keptRun, ownRun }: ReturnType<typeof createTools>,
): void {
  const { db } = source.postgres;
  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/report-runs/{id}/files/{format}",
      operationId: "getReportFile",
      tags: ["Reports"],
      summary: "Download a file of a report run",
      description:
        "With credentials, or with a link from the run's `files`, which works without them until it expires. `section` applies to CSV and Parquet; `about` contains node, range, time zone, watermark and definitions.",
      middleware: scopeOrLink(links, keptRun, now),
      request: {
        params: idParams.extend({ format: z.enum(reportFormats) }),
        query: z.strictObject({
          section: z.string().max(200).optional(),
          expires: z.string().max(20).optional(),
          signature: z.string().max(100).optional(),
        }),
      },
      responses: {
        200: {
          description: "The file",
          content: Object.fromEntries(Object.values(mediaTypes).map((type) => [type, { schema: z.string() }])),
        },
        ...problemResponses(400, 401, 403, 404, 429, 503),
      },
    }),
    async (c) => {
      const { id, format } = c.req.valid("param");
      const { section, signature } = c.req.valid("query");
      const run = signature === undefined ? await ownRun(c, id) : await keptRun(id);
      const file = run.state === "done" ? await findFile(db, { run: run.id, format, section }) : undefined;
      if (!file)
        throw new ProblemError(
          "not_found",
          run.state === "done" ? "the run has no such file" : `the run is ${run.state}`,
        );
      if (run.watermark) sayWatermark(c, run.watermark);
      c.header("content-type", mediaTypes[format]);
      c.header("content-length", String(file.bytes));
      c.header("content-disposition", `attachment; filename="${fileName(run, file)}"`);
      c.header("cache-control", "private, no-store");
      return rawAnswer(c.body(await streamOf(readFile(db, file), c.get("question")), 200));
    },
  );
}

function createTools({ source, now = Date.now }: ReportRunsRoutesDeps, links: FileLinks) {
  const { tree } = source;
  const { db } = source.postgres;

  /** Read in the turn of large answers, since it is held whole. Throws `conflict` where it is not made. */
  async function madeDocument(c: Context<HttpEnv>, run: RunRecord): Promise<ReportDocument> {
    if (run.state === "done") await c.get("question")?.becomeLarge();
    const document = run.state === "done" ? await readDocument(db, run.id) : undefined;
    if (!document) throw new ProblemError("conflict", `the run is ${run.state}`);
    return document;
  }

  async function keptRun(id: string): Promise<RunRecord> {
    const run = await readRun(db, id);
    if (!run || !isKept(run, now())) throw new ProblemError("not_found", "there is no such run");
    return run;
  }

  /** Throws `not_found` outside the caller's nodes, `forbidden` where they may not see what it shows. */
  async function ownRun(c: Context<HttpEnv>, id: string): Promise<RunRecord> {
    const run = await keptRun(id);
    if (!isWithinReach(c.get("actor"), tree, run.node)) throw new ProblemError("not_found", "there is no such run");
    const whole = await wholeCaller(c);
    requireKind(whole, run.kind, run.node, tree);
    if (!seesRun(tree, whole, run)) throw new ProblemError("not_found", "there is no such run");
    return run;
  }

  async function describe(c: Context<HttpEnv>, run: RunRecord, stored?: readonly FileRecord[]): Promise<ReportRun> {
    const kept = run.state === "done" ? (stored ?? (await listFiles(db, [run.id]))) : [];
    const urlExpiresMs = Math.min(now() + linkMs, run.expiresAt.getTime());
    const files = await linkedFiles(links, kept, urlExpiresMs);
    const seesReport = run.reportNode === null || isWithinReach(c.get("actor"), tree, run.reportNode);
    const sawRequest = wasWithin(tree, c.get("actor").reach)(run.node, run.requestedAt);
    return describeRun(run, { seesReport, sawRequest, files, urlExpiresMs });
  }

  async function describeAll(c: Context<HttpEnv>, page: readonly RunRecord[]): Promise<ReportRun[]> {
    const files = await listFiles(
      db,
      page.map(({ id }) => id),
    );
    return await Promise.all(
      page.map((run) =>
        describe(
          c,
          run,
          files.filter((file) => file.run === run.id),
        ),
      ),
    );
  }

  return { describe, describeAll, keptRun, madeDocument, ownRun };
}

/** By their format; of those with a file for each section the first stands for the format. */
async function linkedFiles(links: FileLinks, files: readonly FileRecord[], expiresMs: number): Promise<RunFile[]> {
  const described = reportFormats.map(async (format): Promise<RunFile[]> => {
    const own = files.filter((file) => file.format === format);
    const [first] = own;
    if (!first) return [];
    const { run, bytes, sha256 } = first;
    const whole = { format, bytes, sha256, url: await links.sign({ run, format }, expiresMs) };
    if (first.section === "") return [whole];
    const sections = await Promise.all(
      own.map(async ({ section, bytes, sha256 }) => {
        return { section, bytes, sha256, url: await links.sign({ run, format, section }, expiresMs) };
      }),
    );
    return [{ ...whole, sections }];
  });
  return (await Promise.all(described)).flat();
}

/**
 * A request that shows a signature is checked by it alone, one without by its credentials. All who have links to a run's files
 * take turns as one caller: a link that was passed on gives nobody more of this process than one caller has.
 */
function scopeOrLink(links: FileLinks, keptRun: (id: string) => Promise<RunRecord>, now: () => number) {
  const byScope = requireScope("read");
  return createMiddleware<HttpEnv>(async (c, next) => {
    const { section, expires = "", signature } = c.req.query();
    if (signature === undefined) return await byScope(c, next);
    const format = reportFormats.find((one) => one === c.req.param("format"));
    const file = { run: c.req.param("id") ?? "", format: format ?? "csv", section };
    if (!format || !(await links.isValid(file, { expires, signature }, now())))
      throw new ProblemError("forbidden", "the link is invalid or has expired", { field: "signature" });
    const { id, node } = await keptRun(file.run);
    const inTurn = c.get("inTurn");
    if (inTurn) await inTurn({ id: `link ${id}`, node }, next);
    else await next();
  });
}
