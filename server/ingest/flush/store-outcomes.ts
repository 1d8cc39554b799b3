/** What became of the events of a batch, into ClickHouse; sending it again writes the same keys. */
import { z } from "zod";
import type { ClickHouse } from "../../clickhouse/client.ts";
import { defineInsert } from "../../clickhouse/define-query.ts";
import type { OutcomeTally } from "../accept/event-outcomes.ts";
import { escapeColumn } from "../accept/event-row.ts";

const storeOutcomeRows = defineInsert("store_outcomes", z.object({ batch: z.number(), version: z.number() }));

/** `version`: what is sent under a larger one stands. */
export async function storeOutcomes(
  clickhouse: ClickHouse,
  tally: OutcomeTally,
  batch: number,
  version: number,
): Promise<void> {
  const rows = tally.list().map((count) => {
    const { partner, reseller, organization, agent, key, outcome, reason, events } = count;
    const texts = [partner, reseller, organization, agent, key, outcome, reason].map(escapeColumn);
    return `${[count.minuteMs / 1000, ...texts, events].join("\t")}\n`;
  });
  if (rows.length > 0) await storeOutcomeRows(clickhouse, [Buffer.from(rows.join(""))], { batch, version });
}
