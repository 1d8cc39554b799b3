/** The one chart that the mail of a report has: of the first figure that has a course. Pure. */
import type { ReportDocument } from "../../contract/reports.ts";
import type { DeliveryMessage } from "../../postgres/schema/delivery.ts";
import { chartWords, panelsOf } from "./chart-panels.ts";

/** More bars than this are thinner than a line. */
const maxBars = 100;

export function chartOfMail({ sections }: Pick<ReportDocument, "sections">): DeliveryMessage["chart"] {
  for (const section of sections) {
    const drawn = panelsOf(section);
    const [panel] = drawn?.panels ?? [];
    if (!drawn || !panel || panel.values.length > maxBars) continue;
    const most = panel.values[panel.most.window] ?? 0;
    const day = (start = "") => start.slice(0, 10);
    return {
      title: `${section.title}: ${panel.title}`,
      text: chartWords(section.title, { ...drawn, panels: [panel] }),
      bars: panel.values.map((value) => Math.max(0, Math.round((1_000 * (value ?? 0)) / most) / 10)),
      first: day(drawn.starts[0]),
      last: day(drawn.starts.at(-1)),
    };
  }
  return undefined;
}
