/** Reports: what to show, the runs that make them, and the document that every format is drawn from. */
import { z } from "zod";
import { cursorSchema, nextCursorSchema } from "./cursors.ts";
import { nodeAddressSchema } from "./nodes.ts";
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
    .describe("For `custom` (needed), and for `usage` in place of its own; ranks follow the first"),
  group_by: z.string().min(1).max(256).optional().describe("`custom`: a dimension of every meter"),
  filter: z
    .record(z.string().max(256), z.union([filterValueSchema, z.array(filterValueSchema).min(1).max(1_000)]))
    .optional()
    .describe(
      "`custom`: values by dimension, as `filter[dimension]` of GET /v1/usage, or in a list, where a comma is only a comma; `dimension[not]` and `dimension[prefix]` too",
    ),
  window: z.enum(windowKinds).optional().describe("`custom` (needed)"),
  compare: z.string().max(100).optional().describe("`custom`, `usage`: `previous`, `year` or FROM/TO"),
  limit: z.int().min(1).max(1_000).optional().describe("How many groups or ranks stand for themselves"),
});
export type ReportOptions = z.infer<typeof reportOptionsSchema>;

const maxOptionsBytes = 16 * 1024;
const givenOptionsSchema = reportOptionsSchema.refine(
  (options) => new TextEncoder().encode(JSON.stringify(options)).length <= maxOptionsBytes,
  `are longer than ${maxOptionsBytes / 1024} KiB as JSON`,
);

export const createReportSchema = z.strictObject({
  name: nameSchema,
  node: nodeAddressSchema.optional().describe("What it is about, and whose it is; default: the caller's node"),
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
  standard: z.boolean().describe("It exists without being saved, under its kind as id"),
  created_at: z.string().nullable(),
  created_by: z.string().nullable(),
});
export type Report = z.infer<typeof reportSchema>;

export const reportQuerySchema = z.strictObject({
  node: nodeAddressSchema.optional().describe("This node and all below it; default: the caller's node"),
  kind: z.enum(reportKinds).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  cursor: cursorSchema,
});
export const reportListSchema = z.object({
  reports: z.array(reportSchema).describe("Those that were saved, by name"),
  standard: z.array(reportSchema).describe("Those that the caller may run without saving one"),
  next_cursor: nextCursorSchema,
});
export type ReportList = z.infer<typeof reportListSchema>;

const timeSchema = z.string().min(1).max(100);
const askedReport = {
  report: z.string().min(1).max(100).describe("An id, or the kind of a standard one"),
  node: nodeAddressSchema.optional().describe("Default: that of the report, else the caller's node"),
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
    .refine((formats) => new Set(formats).size === formats.length, "names a format twice"),
});

const storedFile = {
  bytes: z.int(),
  sha256: z.string(),
  url: z.string().describe("Signed: works without credentials until `url_expires_at`"),
};
export type StartRun = z.input<typeof startRunSchema>;

export const previewReportSchema = z.strictObject({
  ...askedReport,
  report: askedReport.report.describe("An id, the kind of a standard one, or `custom` for one that is not saved"),
  options: givenOptionsSchema.optional().describe("In place of the report's own; of `custom` needed"),
});

export const runFileSchema = z.object({
  format: z.enum(reportFormats),
  ...storedFile,
  sections: z
    .array(z.object({ section: z.string(), ...storedFile }))
    .optional()
    .describe("CSV and Parquet: a file each; without `section` the first is given"),
});
export type RunFile = z.infer<typeof runFileSchema>;

export const reportRunSchema = z.object({
  id: z.string(),
  report: z.string().describe("Its kind, as its name is, where the caller may not see the report itself"),
  name: z.string(),
  kind: z.enum(reportKinds),
  options: reportOptionsSchema.describe(
    "Empty where the caller may not see the report itself, which is of another node",
  ),
  node: nodeAddressSchema,
  from: z.string(),
  to: z.string(),
  tz: z.string(),
  formats: z.array(z.enum(reportFormats)),
  state: z.enum(runStates),
  progress: z.int().min(0).max(100).describe("Percent"),
  error: z.string().nullable(),
  watermark: z.string().nullable().describe("Everything accepted until then is in it"),
  made_at: z.string().nullable(),
  requested_at: z.string(),
  requested_by: z.string().describe("`somebody else` where the node was not the reader's then"),
  expires_at: z.string().describe("When it is removed, with its files"),
  url_expires_at: z.string().nullable(),
  files: z.array(runFileSchema),
});
export type ReportRun = z.infer<typeof reportRunSchema>;

export const runQuerySchema = z.strictObject({
  node: nodeAddressSchema.optional().describe("This node and all below it; default: the caller's node"),
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
      "`decimal` and `money` are exact decimals in a string, `integer` and `percent` numbers, `instant` RFC 3339",
    ),
});
export type ReportColumn = z.infer<typeof reportColumnSchema>;

export const reportCellSchema = z.union([z.string(), z.number(), z.boolean(), z.null()]);
export type ReportCell = z.infer<typeof reportCellSchema>;

export const reportSectionSchema = z.strictObject({
  id: z.string(),
  title: z.string(),
  columns: z.array(reportColumnSchema),
  rows: z.array(z.array(reportCellSchema)).describe("A cell for each column"),
  totals: z
    .array(reportCellSchema)
    .describe("The sums of the columns that can be added up, null for the others; empty where none can"),
});
export type ReportSection = z.infer<typeof reportSectionSchema>;

export const reportDocumentSchema = z.strictObject({
  report: z.string().describe("Its id, or the name of a standard one"),
  name: z.string(),
  kind: z.enum(reportKinds),
  node: nodeAddressSchema,
  node_name: z.string(),
  from: z.string().describe("RFC 3339 with the offset of `tz`"),
  to: z.string().describe("Exclusive"),
  tz: z.string(),
  watermark: z.string().describe("Everything accepted until then is in the figures"),
  made_at: z.string(),
  definitions: z.array(z.strictObject({ meter: z.string(), unit: z.string(), how: z.string() })),
  sections: z.array(reportSectionSchema),
});
export type ReportDocument = z.infer<typeof reportDocumentSchema>;

/** A document as it is shown on a screen: of long sections the first rows. */
export const reportPreviewSchema = reportDocumentSchema.extend({
  sections: z.array(
    reportSectionSchema.extend({
      row_count: z.int().describe("How many rows it has; the first of them are given"),
      chart: z
        .object({ svg: z.string(), alt: z.string().describe("What it shows, in words") })
        .nullable()
        .describe("As it stands in the PDF"),
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
      row: z.string().describe("What distinguishes the row from others of its section"),
      column: z.string().nullable().describe("null: the whole row is new or gone"),
      before: reportCellSchema,
      now: reportCellSchema,
      change: z.enum(["changed", "added", "removed"]),
    }),
  ),
  truncated: z.boolean().describe("There are more than are listed"),
});
export type RunDifferences = z.infer<typeof runDifferencesSchema>;
