/** An event that was read as the row that storage would hold of it. */
import { type EventRow, eventRowSchema } from "../../clickhouse/event-columns.ts";
import { nameOfStored } from "./event-identity.ts";
import { escapeColumn, lineColumns, unescapeColumn } from "./event-row.ts";
import { type ReadEvent, renderEventRow } from "./read-event.ts";

/** `event` must have been read as one that is not plain. */
export function rowOfEvent(
  event: ReadEvent,
  { receivedMs, partner, reseller, key }: { receivedMs: number; partner: string; reseller: string; key: string },
): EventRow {
  const place = {
    organization: escapeColumn(event.organization),
    partner: escapeColumn(partner),
    reseller: escapeColumn(reseller),
    key: escapeColumn(key),
  };
  const columns = renderEventRow(event, true, receivedMs, place, false)
    .split("\t")
    .map((text, index) => [lineColumns[index], text === "\\N" ? null : unescapeColumn(text)]);
  return eventRowSchema.parse({ ...Object.fromEntries(columns), ...nameOfStored(event.id) });
}
