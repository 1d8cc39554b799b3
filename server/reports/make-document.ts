/** One making of a report: the document that every format is drawn from. */
import type { ReportDocument } from "../contract/reports.ts";
import { formatInstant } from "../metrics/windows.ts";
import { askReport } from "./ask-reports.ts";
import type { ReportQuestion, ReportSource } from "./report-source.ts";

/** The watermark is taken before anything is read. Throws what `askReport` does. */
export async function makeDocument(
  source: ReportSource,
  question: ReportQuestion,
  { nowMs, signal }: { nowMs: number; signal: AbortSignal },
): Promise<ReportDocument> {
  const watermark = source.watermark();
  const { meters, sections } = await askReport({ source, question, nowMs, watermark, signal });
  const { report, name, kind, node, fromMs, toMs, tz } = question;
  return {
    report,
    name,
    kind,
    node,
    node_name: source.tree.get(node)?.name ?? node,
    from: formatInstant(fromMs, tz),
    to: formatInstant(toMs, tz),
    tz,
    watermark: watermark.toISOString(),
    made_at: new Date(nowMs).toISOString(),
    definitions: meters.map(({ meter, unit, description }) => ({ meter, unit, how: description })),
    sections,
  };
}
