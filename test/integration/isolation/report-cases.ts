/** Reports, their runs and the files of these. */

import { randomUUID } from "node:crypto";
import { eq } from "drizzle-orm";
import { system } from "../../../server/audit/record-change.ts";
import { reportRuns } from "../../../server/postgres/schema/reports.ts";
import { createAnnotation } from "../../../server/reports/annotations.ts";
import { storeFile } from "../../../server/reports/run-files.ts";
import { createRun } from "../../../server/reports/runs.ts";
import { createReport } from "../../../server/reports/saved-reports.ts";
import { createView } from "../../../server/reports/saved-views.ts";
import { createViewLink } from "../../../server/reports/view-links.ts";
import { askedAbout, inside, type World } from "../../support/isolation-world.ts";
import { askedOf, listWith, ofOne, type RouteCase } from "./route-case.ts";

async function reportInside({ deps: { postgres, tree } }: World): Promise<string> {
  const wanted = { node: inside, name: randomUUID(), kind: "usage" as const, options: {} };
  return (await createReport(postgres, tree, wanted, system)).id;
}

async function viewInside({ deps: { postgres, tree } }: World): Promise<string> {
  const wanted = { node: inside, name: randomUUID(), query: `node=${inside}` };
  return (await createView(postgres, tree, wanted, system)).id;
}

const dashboards = new WeakMap<World, Promise<string>>();

/** Nothing changes it, so one does for all callers: a node has so many views and no more. */
async function dashboardInside(world: World): Promise<string> {
  const { postgres, tree } = world.deps;
  const panels = [{ title: "Posts", query: "meters=chat_posts", width: "half" as const }];
  const make = () => createView(postgres, tree, { node: inside, name: "Posts", query: "", panels }, system);
  const made = dashboards.get(world) ?? make().then(({ id }) => id);
  dashboards.set(world, made);
  return await made;
}

async function linkInside(world: World) {
  const { postgres, tree } = world.deps;
  const { id } = await world.makeKey(["read", "admin"]);
  const by = { kind: "key" as const, id, name: "A key", address: null };
  const wanted = { view: await dashboardInside(world), node: inside, days: 1 };
  return await createViewLink(postgres, tree, wanted, by, Date.now());
}

async function annotationInside({ deps: { postgres, tree } }: World): Promise<string> {
  const wanted = { node: inside, at: "2026-01-05T09:00:00Z", text: "a holiday" };
  return (await createAnnotation(postgres, tree, wanted, system)).id;
}

/** One that is made, of a file that says little. */
async function runInside({ deps: { postgres } }: World): Promise<string> {
  const { db } = postgres;
  const range = { fromMs: Date.UTC(2026, 0, 1), toMs: Date.UTC(2026, 1, 1), tz: "UTC" };
  const question = { report: "usage", name: "Usage summary", kind: "usage" as const, options: {}, node: inside };
  const requestedBy = { id: "usr_test", name: "somebody" };
  const { id } = await createRun(
    db,
    { ...question, ...range, formats: ["csv"], requestedBy, keptDays: 90, reportNode: null },
    Date.now(),
  );
  await storeFile(db, { run: id, format: "csv", section: "totals" }, 0, [Buffer.from(`node\r\n${inside}\r\n`)]);
  const document = { sections: [], watermark: "", made_at: "" };
  await storeFile(db, { run: id, format: "document", section: "" }, 0, [Buffer.from(JSON.stringify(document))]);
  await db.update(reportRuns).set({ state: "done" }).where(eq(reportRuns.id, id));
  return id;
}

const period = { from: "2026-01-01", to: "2026-02-01" };

export const reportCases: readonly RouteCase[] = [
  listWith("GET /v1/reports", "read", reportInside),
  {
    route: "POST /v1/reports",
    needs: "reports:write",
    request: () => ({ body: { name: randomUUID(), node: inside, kind: "usage" } }),
    allowed: 201,
    elsewhere: 403,
  },
  {
    route: "POST /v1/reports/preview",
    needs: "read",
    request: () => ({ body: { report: "usage", node: inside, ...period } }),
    allowed: 200,
    elsewhere: 403,
  },
  ofOne("GET /v1/reports/{id}", "read", 200, reportInside),
  ofOne("PATCH /v1/reports/{id}", "reports:write", 200, reportInside, { options: { limit: 5 } }),
  ofOne("DELETE /v1/reports/{id}", "reports:write", 204, reportInside),
  { route: "GET /v1/report-schema.json", needs: "nothing", allowed: 200, elsewhere: "the same" },
  {
    route: "POST /v1/report-runs",
    needs: "read",
    request: () => ({ body: { report: "usage", node: inside, ...period } }),
    allowed: 202,
    elsewhere: 403,
  },
  listWith("GET /v1/report-runs", "read", runInside),
  ofOne("GET /v1/report-runs/{id}", "read", 200, runInside),
  ofOne("GET /v1/report-runs/{id}/preview", "read", 200, runInside),
  {
    // Who did not ask for a run needs more while it is not over: reports.test.ts.
    route: "POST /v1/report-runs/{id}/cancel",
    needs: "read",
    request: async (world) => ({ path: `/v1/report-runs/${await runInside(world)}/cancel` }),
    allowed: 200,
    elsewhere: 404,
  },
  {
    route: "GET /v1/report-runs/{id}/files/{format}",
    needs: "read",
    request: async (world) => ({ path: `/v1/report-runs/${await runInside(world)}/files/csv` }),
    allowed: 200,
    elsewhere: 404,
  },
  ofOne("GET /v1/report-runs/{id}/differences", "read", 200, runInside),
  {
    route: "GET /v1/views",
    needs: "read",
    request: async (world) => {
      await viewInside(world);
      return { path: `/v1/views?node=${askedAbout}` };
    },
    allowed: 200,
    elsewhere: 403,
  },
  {
    route: "POST /v1/views",
    needs: "reports:write",
    request: () => ({ body: { name: randomUUID(), node: inside, query: "range=7d" } }),
    allowed: 201,
    elsewhere: 403,
  },
  ...(["GET", "PATCH", "DELETE"] as const).map(
    (method): RouteCase => ({
      route: `${method} /v1/views/{id}`,
      needs: method === "GET" ? "read" : "reports:write",
      request: async (world) => ({
        path: `/v1/views/${await viewInside(world)}`,
        ...(method === "PATCH" && { body: { query: "range=90d" } }),
      }),
      allowed: method === "DELETE" ? 204 : 200,
      elsewhere: 404,
    }),
  ),
  {
    route: "GET /v1/views/{id}/links",
    needs: "views:share",
    request: async (world) => ({ path: `/v1/views/${(await linkInside(world)).link.view}/links` }),
    allowed: 200,
    elsewhere: 404,
  },
  ofOne("POST /v1/views/{id}/links", "views:share", 201, dashboardInside, {}),
  {
    route: "DELETE /v1/views/{id}/links/{link}",
    needs: "views:share",
    request: async (world) => {
      const { id, view } = (await linkInside(world)).link;
      return { path: `/v1/views/${view}/links/${id}` };
    },
    allowed: 200,
    elsewhere: 404,
  },
  {
    route: "POST /v1/views/{id}/embed-tokens",
    needs: "read",
    isForKeys: true,
    request: async (world) => ({ path: `/v1/views/${await dashboardInside(world)}/embed-tokens`, body: {} }),
    allowed: 201,
    elsewhere: 404,
  },
  ...[["POST /v1/shared/view", {}] as const, ["POST /v1/shared/figures", { panel: 0 }] as const].map(
    ([route, more]): RouteCase => ({
      route,
      // The token is all it takes, whoever else asks.
      needs: "nothing",
      request: async (world) => ({ body: { token: (await linkInside(world)).token, ...more } }),
      allowed: 200,
      elsewhere: "the same",
    }),
  ),
  {
    route: "GET /v1/annotations",
    needs: "read",
    request: async (world) => {
      await annotationInside(world);
      return { path: `/v1/annotations?node=${inside}` };
    },
    allowed: 200,
    elsewhere: 403,
  },
  {
    route: "POST /v1/annotations",
    needs: "reports:write",
    request: () => ({ body: { node: inside, at: "2026-01-05T09:00:00Z", text: "a holiday" } }),
    allowed: 201,
    elsewhere: 403,
  },
  ...(["GET", "PATCH", "DELETE"] as const).map(
    (method): RouteCase => ({
      route: `${method} /v1/annotations/{id}`,
      needs: method === "GET" ? "read" : "reports:write",
      request: async (world) => ({
        path: `/v1/annotations/${await annotationInside(world)}`,
        ...(method === "PATCH" && { body: { text: "two holidays" } }),
      }),
      allowed: method === "DELETE" ? 204 : 200,
      elsewhere: 404,
    }),
  ),
  askedOf("GET /v1/data-changes", "read", `node=${inside}`),
];
