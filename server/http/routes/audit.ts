/** GET /v1/audit: who changed what, as far as the caller's subtree goes. */

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { type AuditFilter, type AuditPage, readAudit } from "../../audit/read-audit.ts";
import type { AuditEntry } from "../../audit/record-change.ts";
import type { ClickHouse } from "../../clickhouse/client.ts";
import { type AuditEntryAnswer, auditListSchema, auditQuerySchema } from "../../contract/audit.ts";
import { type AuditReader, describeEntry } from "../../lists/audit-entry.ts";
import type { Postgres } from "../../postgres/client.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { isWithinReach, requireScope, resolveNode } from "../authenticate.ts";
import type { HttpEnv } from "../http-env.ts";
import { listFormOf, listMediaTypes, mapped, streamOf } from "../list-form.ts";
import { isTableForm, sendTable, tableColumns } from "../list-table.ts";
import { rawAnswer } from "../raw-answer.ts";
import { readTimeRange } from "../time-range.ts";

/** Entries that an export reads at a time. */
const exportPage = 1_000;
const columns = ["sequence", "at", "actor", "address", "node", "action", "subject", "before", "after", "hash"] as const;

interface AuditRoutesDeps {
  postgres: Postgres;
  tree: NodeTree;
  /** Writes Parquet. */
  clickhouse: Pick<ClickHouse, "selectFrom">;
}

const listAuditEntriesRoute = createRoute({
  method: "get",
  path: "/v1/audit",
  operationId: "listAuditEntries",
  tags: ["Audit"],
  summary: "List audit entries, newest first",
  description:
    "Shows prices only to readers who can see them, and nodes only within the reader's subtree; for large snapshots, parts and a hash of the rest. A page as JSON, which can have fewer than `limit` entries. With `Accept: text/csv`, `application/x-ndjson`, or the Excel or Parquet media types, everything that matches, regardless of `limit`.",
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
});

export function auditRoutes({ postgres, tree, clickhouse }: AuditRoutesDeps): OpenAPIHono<HttpEnv> {
  const app = createRouter();

  app.openapi(listAuditEntriesRoute, async (c) => {
    const { node, from, to, tz, cursor: given, limit, ...rest } = c.req.valid("query");
    const cursor = given === undefined ? undefined : Number(given);
    const actor = c.get("actor");
    // Somebody who reads the audit by one role may see prices by another.
    const whole = (await c.get("identify")()) ?? actor;
    const reader: AuditReader = { actor: whole, isWithin: (one) => isWithinReach(actor, tree, one) };
    const described = (entry: AuditEntry) => describeEntry(entry, reader);
    const filter: AuditFilter = {
      ...rest,
      reach: actor.reach,
      node: node === undefined ? undefined : resolveNode(actor, tree, node),
      ...readTimeRange({ from, to, tz }, Date.now()),
      before: cursor,
      limit,
    };
    const form = listFormOf(c.req.header("accept"));
    if (form !== "json") {
      const all = async function* () {
        for (let before: number | null | undefined = cursor; before !== null; ) {
          const page: AuditPage = await readAudit(postgres, { ...filter, limit: exportPage, before });
          yield* page.entries.map(described);
          before = page.next;
        }
      };
      if (isTableForm(form)) {
        const table = {
          columns: tableColumns(columns, { sequence: "integer", at: "instant" }),
          rows: mapped(all(), cellsOf),
        };
        return rawAnswer(await sendTable(c, form, { name: "audit", table, clickhouse }));
      }
      c.header("content-type", listMediaTypes[form]);
      c.header("content-disposition", 'attachment; filename="audit.ndjson"');
      const lines = mapped(all(), (entry) => `${JSON.stringify(entry)}\n`);
      return rawAnswer(c.body(await streamOf(lines, c.get("question")), 200));
    }
    const { entries, next } = await readAudit(postgres, filter);
    return c.json({ entries: entries.map(described), next_cursor: next === null ? null : String(next) }, 200);
  });
  return app;
}

function cellsOf(entry: AuditEntryAnswer): string[] {
  return columns.map((column) => {
    const value = column === "actor" ? entry.actor.name : entry[column];
    if (value === null || value === undefined) return "";
    return typeof value === "object" ? JSON.stringify(value) : String(value);
  });
}
