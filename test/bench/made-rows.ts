/** Events as the lines that the log keeps and storage takes, as accepting makes them. */
import { eventType } from "../../server/catalog/catalog.ts";
import type { UsageEvent } from "../../server/contract/events.ts";
import { checkEvents, decideEvents } from "../../server/ingest/accept/accept-events.ts";
import { readBody } from "../../server/ingest/accept/read-body.ts";
import { asBody } from "./made-events.ts";

/** Each with its line end. */
export function asRows(events: readonly UsageEvent[]): Buffer {
  const headers = new Headers({ "content-type": "application/x-ndjson" });
  const read = readBody(asBody(events), { type: "application/x-ndjson", encoding: "identity" }, headers);
  const decision = decideEvents(read, checkEvents(read, Date.now(), eventType), {
    receivedAtMs: Date.now(),
    isAtomic: false,
    sendingKey: { id: "key_bench", node: "all", createOrganizations: true },
    tree: {
      get: () => ({}),
      isWithin: () => true,
      ancestors: () => [],
      effectiveStatus: () => "active",
      pathAt: () => ({ partner: "", reseller: "r1" }),
    },
    claim: () => ({ verdict: "new", isChecked: true }),
  });
  return Buffer.from(`${decision.eventRows.join("\n")}\n`);
}
