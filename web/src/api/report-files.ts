import type { ReportFormat } from "@contract/reports.ts";
import { withQuery } from "../with-query.ts";
import { api } from "./client.ts";

/** Where the signed-in browser downloads a file of a run, for as long as the run is kept. */
export function fileAddress(run: string, format: ReportFormat, section?: string): string {
  return withQuery(`${api.getReportRun.address({ path: { id: run } })}/files/${format}`, { section });
}
