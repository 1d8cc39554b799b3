import type { ReportFormat } from "@contract/reports.ts";
import { api } from "./client.ts";

/** Where the signed-in browser downloads a file of a run, for as long as the run is kept. */
export function fileAddress(run: string, format: ReportFormat, section?: string): string {
  const search = section === undefined ? "" : `?${new URLSearchParams({ section })}`;
  return `${api.getReportRun.address({ path: { id: run } })}/files/${format}${search}`;
}
