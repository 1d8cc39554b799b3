/** GET /v1/audit: who changed what, as far as the caller's subtree goes. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { stream } from "hono/streaming";
import { describeEntry } from "../../audit/describe-entry.ts";
import { type AuditFilter, readAudit } from "../../audit/read-audit.ts";
import type { AuditEntry } from "../../audit/record-change.ts";
import type { AuditReader } from "../../audit/shown-entry.ts";
import { type AuditEntryAnswer, auditListSchema, auditQuerySchema } from "../../contract/audit.ts";
import type { Postgres } from "../../postgres/client.ts";
import { csvLine } from "../../reports/render/csv-line.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { isWithinReach, requireScope, resolveNode } from "../authenticate.ts";
import type { HttpEnv } from "../http-env.ts";

/** An export reads so many entries at a time. */
const exportPage = 1_000;
const columns = ["sequence", "at", "actor", "address", "node", "action", "subject", "before", "after", "hash"] as const;

export function auditRoutes({ postgres, tree }: { postgres: Postgres; tree: NodeTree }): OpenAPIHono<HttpEnv> {
  const app = createRouter();

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/audit",
      operationId: "listAuditEntries",
      tags: ["Audit"],
      summary: "List audit entries, newest first",
      description:
        "Prices only where the reader sees them, nodes only within the reader's subtree. A page as JSON; with `Accept: text/csv` or `application/x-ndjson` everything that matches, without `limit`.",
      middleware: requireScope("audit:read"),
      request: { query: auditQuerySchema },
      responses: {
        200: {
          description: "The changes",
          content: {
            "application/json": { schema: auditListSchema },
            "text/csv": { schema: z.string() },
            "application/x-ndjson": { schema: z.string() },
          },
        },
        ...problemResponses(400, 401, 403, 404, 503),
      },
    }),
    async (c) => {
      const { node, from, to, cursor, limit, ...rest } = c.req.valid("query");
      const actor = c.get("actor");
      // Who reads the audit by one role may see prices by another.
      const whole = (await c.get("identify")()) ?? actor;
      const reader: AuditReader = { actor: whole, isWithin: (one) => isWithinReach(actor, tree, one) };
      const told = (entry: AuditEntry) => describeEntry(entry, reader);
      const filter: AuditFilter = {
        ...rest,
        reach: actor.reach,
        node: node === undefined ? undefined : resolveNode(actor, tree, node),
        fromMs: from === undefined ? undefined : Date.parse(from),
        toMs: to === undefined ? undefined : Date.parse(to),
        before: cursor,
        limit: limit + 1,
      };
      const format = /\btext\/csv\b|\bapplication\/x-ndjson\b/.exec(c.req.header("accept") ?? "")?.[0];
      if (format !== undefined) {
        // The first page is read before anything is answered: what fails then is still a problem with its status.
        const first = await readAudit(postgres, { ...filter, limit: exportPage });
        c.header("content-type", `${format}; charset=utf-8`);
        const extension = format === "text/csv" ? "csv" : "ndjson";
        c.header("content-disposition", `attachment; filename="audit.${extension}"`);
        const line = (entry: AuditEntryAnswer) =>
          format === "text/csv" ? csvLine(cellsOf(entry)) : `${JSON.stringify(entry)}\n`;
        return stream(c, async (out) => {
          if (format === "text/csv") await out.write(csvLine(columns));
          for (let page = first; page.length > 0; ) {
            await out.write(page.map((entry) => line(told(entry))).join(""));
            if (page.length < exportPage || out.aborted) break;
            page = await readAudit(postgres, { ...filter, limit: exportPage, before: page.at(-1)?.sequence });
          }
        });
      }
      const found = await readAudit(postgres, filter);
      const page = found.slice(0, limit);
      const last = found.length > limit ? page.at(-1) : undefined;
      return c.json({ entries: page.map(told), next_cursor: last?.sequence ?? null }, 200);
    },
  );
  return app;
}

function cellsOf(entry: AuditEntryAnswer): string[] {
  return columns.map((column) => {
    const value = column === "actor" ? entry.actor.name : entry[column];
    if (value === null || value === undefined) return "";
    return typeof value === "object" ? JSON.stringify(value) : String(value);
  });
}
