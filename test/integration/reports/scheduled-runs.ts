/** Schedules as a test wants them, and their runs made at once, in the place of those who make reports. */
import { eq, inArray } from "drizzle-orm";
import type { ReportDocument } from "../../../server/contract/reports.ts";
import type { Postgres } from "../../../server/postgres/client.ts";
import { reportRuns } from "../../../server/postgres/schema/reports.ts";
import { storeFile } from "../../../server/reports/run-files.ts";
import type { WantedSchedule } from "../../../server/reports/schedules.ts";

export function wanted(given: Partial<WantedSchedule>): WantedSchedule {
  return {
    report: "usage",
    node: "all",
    every: "month",
    at: "02:30",
    tz: "UTC",
    weekday: null,
    day: null,
    fiscal_start_month: null,
    formats: ["csv"],
    recipients: ["a@example.org"],
    channels: [],
    subject: null,
    when_missed: "catch_up",
    when_empty: "send",
    ...given,
  };
}

/** In the place of those who make reports. */
export async function makeQueuedRuns(postgres: Postgres, figure = "12.5"): Promise<void> {
  const queued = await postgres.db.select().from(reportRuns).where(eq(reportRuns.state, "queued"));
  const column = { key: "value", title: "Value", unit: "minutes", type: "decimal" as const };
  const name = { key: "meter", title: "Meter", unit: null, type: "text" as const };
  const section = { id: "totals", title: "Totals", columns: [name, column], rows: [["calls", figure]], totals: [] };
  const about = {
    report: "usage",
    name: "Usage summary",
    kind: "usage" as const,
    node: "all",
    node_name: "All",
    definitions: [],
  };
  for (const run of queued) {
    const [from, to] = [run.fromAt.toISOString(), run.toAt.toISOString()];
    const document: ReportDocument = {
      ...about,
      from,
      to,
      tz: run.tz,
      watermark: to,
      made_at: to,
      sections: [section],
    };
    await storeFile(postgres.db, { run: run.id, format: "document", section: "" }, 0, [
      Buffer.from(JSON.stringify(document)),
    ]);
  }
  const ids = queued.map(({ id }) => id);
  if (ids.length > 0) await postgres.db.update(reportRuns).set({ state: "done" }).where(inArray(reportRuns.id, ids));
}
