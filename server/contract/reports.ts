/** Reports: what to show, the runs that make them, and the document that every format is drawn from. */
import { z } from "zod";
import { cursorSchema, nextCursorSchema } from "./cursors.ts";
import { nodeAddressSchema } from "./nodes.ts";
import { changesOrWhole } from "./sent-back.ts";
import { timeZoneSchema } from "./time-zones.ts";
import { windowKinds } from "./usage.ts";

export const reportKinds = ["usage", "billing", "activity", "organizations", "financial", "audit", "custom"] as const;
export type ReportKind = (typeof reportKinds)[number];
/** Those that exist without being saved, by their name. */
export const standardReports = reportKinds.filter((kind) => kind !== "custom");

export const reportFormats = ["csv", "xlsx", "pdf", "json", "parquet"] as const;
export type ReportFormat = (typeof reportFormats)[number];
export const runStates = ["queued", "running", "done", "failed", "cancelled"] as const;
export type RunState = (typeof runStates)[number];

const wellFormed = (text: z.ZodString) =>
  text.refine((value) => value.isWellFormed() && !value.includes("\0"), "must be well-formed Unicode without U+0000");
const nameSchema = wellFormed(z.string().min(1).max(256));
const meterNameSchema = z.string().min(1).max(100);
const filterValueSchema = z.string().max(256);

export const reportOptionsSchema = z.strictObject({
  meters: z
    .array(meterNameSchema)
    .min(1)
    .max(50)
    .optional()
    .describe("For `custom` (required) and `usage` (replaces its own); rankings use the first"),
  group_by: z.string().min(1).max(256).optional().describe("`custom`: a dimension that every meter has"),
  filter: z
    .record(z.string().max(256), z.union([filterValueSchema, z.array(filterValueSchema).min(1).max(1_000)]))
    .optional()
    .describe(
      "`custom`: values by dimension, as `filter[dimension]` in GET /v1/usage, or in a list, where a comma is only a comma; `dimension[not]` and `dimension[prefix]` too",
    ),
  window: z.enum(windowKinds).optional().describe("`custom` (needed)"),
  compare: z.string().max(100).optional().describe("`custom`, `usage`: `previous`, `year` or FROM/TO"),
  limit: z.int().min(1).max(1_000).optional().describe("Number of groups or ranks shown individually"),
});
export type ReportOptions = z.infer<typeof reportOptionsSchema>;

const maxOptionsBytes = 16 * 1024;
const givenOptionsSchema = reportOptionsSchema.refine(
  (options) => new TextEncoder().encode(JSON.stringify(options)).length <= maxOptionsBytes,
  `must be at most ${maxOptionsBytes / 1024} KiB long as JSON`,
);

export const createReportSchema = z.strictObject({
  name: nameSchema,
  node: nodeAddressSchema.optional().describe("The node it covers and belongs to. Default: the caller's node"),
  kind: z.enum(reportKinds),
  options: givenOptionsSchema.default({}),
});
export type CreateReport = z.input<typeof createReportSchema>;

export const changeReportSchema = z.strictObject({
  name: nameSchema.optional(),
  options: givenOptionsSchema.optional(),
});
export type ChangeReport = z.infer<typeof changeReportSchema>;

export const reportSchema = z.object({
  id: z.string(),
  name: z.string(),
  node: nodeAddressSchema,
  kind: z.enum(reportKinds),
  options: reportOptionsSchema,
  standard: z.boolean().describe("It exists without being saved; its kind is its ID"),
  created_at: z.string().nullable(),
  created_by: z.string().nullable(),
});
export type Report = z.infer<typeof reportSchema>;

export const updateReportSchema = changesOrWhole(changeReportSchema, reportSchema);

export const reportQuerySchema = z.strictObject({
  node: nodeAddressSchema.optional().describe("This node and everything below it. Default: the caller's node"),
  kind: z.enum(reportKinds).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  cursor: cursorSchema,
});
export const reportListSchema = z.object({
  reports: z.array(reportSchema).describe("Saved reports, by name"),
  standard: z.array(reportSchema).describe("Standard reports that the caller can run"),
  next_cursor: nextCursorSchema,
});
export type ReportList = z.infer<typeof reportListSchema>;

const timeSchema = z.string().min(1).max(100);
const askedReport = {
  report: z.string().min(1).max(100).describe("An ID, or the kind of a standard report"),
  node: nodeAddressSchema.optional().describe("Default: the report's node, otherwise the caller's node"),
  from: timeSchema.describe("RFC 3339 instant, date (its first instant in `tz`), or `now`"),
  to: timeSchema.describe("Exclusive; the same forms"),
  tz: timeZoneSchema.default("UTC"),
};
export type AskedReport = z.output<z.ZodObject<typeof askedReport>>;

export const startRunSchema = z.strictObject({
  ...askedReport,
  formats: z
    .array(z.enum(reportFormats))
    .min(1)
    .max(reportFormats.length)
    .default(["csv"])
    .refine((formats) => new Set(formats).size === formats.length, "must not repeat a format"),
});

const storedFile = {
  bytes: z.int(),
  sha256: z.string(),
  url: z.string().describe("Signed: works without credentials until `url_expires_at`"),
};
export type StartRun = z.input<typeof startRunSchema>;

export const previewReportSchema = z.strictObject({
  ...askedReport,
  report: askedReport.report.describe("An ID, the kind of a standard report, or `custom` for one that is not saved"),
  options: givenOptionsSchema.optional().describe("Instead of the report's own options; required for `custom`"),
});

export const runFileSchema = z.object({
  format: z.enum(reportFormats),
  ...storedFile,
  sections: z
    .array(z.object({ section: z.string(), ...storedFile }))
    .optional()
    .describe("CSV and Parquet: one file per section; without `section`, the first"),
});
export type RunFile = z.infer<typeof runFileSchema>;

export const reportRunSchema = z.object({
  id: z.string(),
  report: z.string().describe("Its kind instead of its name if the caller cannot see the report itself"),
  name: z.string(),
  kind: z.enum(reportKinds),
  options: reportOptionsSchema.describe(
    "Empty if the caller cannot see the report itself, which belongs to another node",
  ),
  node: nodeAddressSchema,
  from: z.string(),
  to: z.string(),
  tz: z.string(),
  formats: z.array(z.enum(reportFormats)),
  state: z.enum(runStates),
  progress: z.int().min(0).max(100).describe("Percent"),
  error: z.string().nullable(),
  watermark: z.string().nullable().describe("Every event accepted up to this instant is included"),
  made_at: z.string().nullable(),
  requested_at: z.string(),
  requested_by: z.string().describe("`somebody else` if the node did not belong to the reader at the time"),
  expires_at: z.string().describe("When it is deleted, with its files"),
  url_expires_at: z.string().nullable(),
  files: z.array(runFileSchema),
});
export type ReportRun = z.infer<typeof reportRunSchema>;

export const runQuerySchema = z.strictObject({
  node: nodeAddressSchema.optional().describe("This node and everything below it. Default: the caller's node"),
  report: z.string().min(1).max(100).optional(),
  state: z.enum(runStates).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(50),
  cursor: cursorSchema,
});
export const runListSchema = z.object({ runs: z.array(reportRunSchema), next_cursor: nextCursorSchema });
export type RunList = z.infer<typeof runListSchema>;

export const columnTypes = ["text", "instant", "integer", "decimal", "money", "percent", "boolean"] as const;
export type ColumnType = (typeof columnTypes)[number];

export const reportColumnSchema = z.strictObject({
  key: z.string(),
  title: z.string(),
  unit: z.string().nullable(),
  type: z
    .enum(columnTypes)
    .describe(
      "`decimal` and `money` are exact decimals in a string, `integer` and `percent` are numbers, `instant` is RFC 3339",
    ),
});
export type ReportColumn = z.infer<typeof reportColumnSchema>;

export const reportCellSchema = z.union([z.string(), z.number(), z.boolean(), z.null()]);
export type ReportCell = z.infer<typeof reportCellSchema>;

export const reportSectionSchema = z.strictObject({
  id: z.string(),
  title: z.string(),
  columns: z.array(reportColumnSchema),
  rows: z.array(z.array(reportCellSchema)).describe("One cell per column"),
  totals: z
    .array(reportCellSchema)
    .describe("Totals of the columns that can be added up, null for the others; empty if none can"),
});
export type ReportSection = z.infer<typeof reportSectionSchema>;

export const reportDocumentSchema = z.strictObject({
  report: z.string().describe("Its ID, or the name of a standard report"),
  name: z.string(),
  kind: z.enum(reportKinds),
  node: nodeAddressSchema,
  node_name: z.string(),
  from: z.string().describe("RFC 3339 with the offset of `tz`"),
  to: z.string().describe("Exclusive"),
  tz: z.string(),
  watermark: z.string().describe("Every event accepted up to this instant is included"),
  made_at: z.string(),
  definitions: z.array(z.strictObject({ meter: z.string(), unit: z.string(), how: z.string() })),
  sections: z.array(reportSectionSchema),
});
export type ReportDocument = z.infer<typeof reportDocumentSchema>;

/** A document as it is shown on a screen: of long sections the first rows. */
export const reportPreviewSchema = reportDocumentSchema.extend({
  sections: z.array(
    reportSectionSchema.extend({
      row_count: z.int().describe("How many rows it has; only the first are included"),
      chart: z
        .object({ svg: z.string(), alt: z.string().describe("What it shows, in words") })
        .nullable()
        .describe("As it appears in the PDF"),
    }),
  ),
});
export type ReportPreview = z.infer<typeof reportPreviewSchema>;

export const runDifferencesSchema = z.object({
  run: z.string(),
  before: z.object({ watermark: z.string(), made_at: z.string() }),
  now: z.object({ watermark: z.string(), made_at: z.string() }),
  differences: z.array(
    z.object({
      section: z.string(),
      row: z.string().describe("What distinguishes the row from others in its section"),
      column: z.string().nullable().describe("null: the whole row was added or removed"),
      before: reportCellSchema,
      now: reportCellSchema,
      change: z.enum(["changed", "added", "removed"]),
    }),
  ),
  truncated: z.boolean().describe("There are more than those listed"),
});
export type RunDifferences = z.infer<typeof runDifferencesSchema>;
