/**
 * Events and rejected events as the lines that the log keeps and storage takes: tab separated, escaped as ClickHouse's
 * TabSeparated format reads them. A line is rendered once, at acceptance, and travels unchanged into the INSERT, so the
 * order of the columns here is the order in which storage must name them.
 */

import { eventColumns } from "../../clickhouse/event-columns.ts";
import { amountOf } from "./amount-unit.ts";
import type { GivenEvent } from "./event-gate.ts";
import { nameOfStored } from "./event-identity.ts";
import { namedThings, propertiesOf } from "./event-value.ts";

/** The first column says how far identity was checked; it is for the sealer and is not stored. */
export const lineColumns = ["checked", ...eventColumns] as const;
export type LineColumn = (typeof lineColumns)[number];

export const quarantineColumns = [
  "received_at",
  "organization",
  "id",
  "code",
  "field",
  "message",
  "key",
  "raw",
] as const;

/** How much of a rejected event is kept, in bytes of UTF-8. */
export const maxQuarantinedBytes = 64 * 1024;

export interface QuarantineRow {
  receivedAtMs: number;
  /** Empty unless the key may see the organization that the event named. */
  organization: string;
  id: string;
  code: string;
  field: string;
  message: string;
  key: string;
  raw: string;
}

const special = /[\\\t\n\r\b\f\0]/;
const everySpecial = /[\\\t\n\r\b\f\0]/g;
const escapes: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "\t": "\\t",
  "\n": "\\n",
  "\r": "\\r",
  "\b": "\\b",
  "\f": "\\f",
  "\0": "\\0",
};
const unescapes: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", b: "\b", f: "\f", "0": "\0" };

/** A text as one column. */
export function escapeColumn(text: string): string {
  return special.test(text) ? text.replace(everySpecial, (character) => escapes[character] ?? character) : text;
}

/** The text that a column of a line stands for. */
export function unescapeColumn(column: string): string {
  if (!column.includes("\\")) return column;
  return column.replace(/\\(.)/gs, (_, character: string) => unescapes[character] ?? character);
}

/** The line of a rejected event, without a line end; `raw` is cut at `maxQuarantinedBytes`, between characters. */
export function renderQuarantineRow(row: QuarantineRow): string {
  return [
    String(row.receivedAtMs),
    escapeColumn(row.organization),
    escapeColumn(row.id),
    row.code,
    escapeColumn(row.field),
    escapeColumn(row.message),
    escapeColumn(row.key),
    escapeColumn(cutToBytes(row.raw, maxQuarantinedBytes)),
  ].join("\t");
}

function cutToBytes(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes) return text;
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length <= maxBytes) return text;
  let end = maxBytes;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.toString("utf8", 0, end);
}

export interface EventLine {
  /** Identity was checked against everything stored and logged before this event: it is new. */
  isChecked: boolean;
  organization: string;
  id: string;
  /** UInt64 as decimal digits. */
  bodyHash: string;
  timeMs: number;
  /** The line from `organization` on: what storage takes. */
  stored: string;
}

/** Reads what sealing needs from the front of an event line, which must come from the log. */
export function splitEventLine(line: string): EventLine {
  const organizationAt = line.indexOf("\t") + 1;
  const idAt = line.indexOf("\t", organizationAt) + 1;
  const bodyHashAt = line.indexOf("\t", idAt) + 1;
  const timeAt = line.indexOf("\t", bodyHashAt) + 1;
  const timeEnd = line.indexOf("\t", timeAt);
  if (organizationAt === 0 || idAt === 0 || bodyHashAt === 0 || timeAt === 0 || timeEnd < 0) {
    throw new Error("an event line of the log has too few columns");
  }
  return {
    isChecked: line.startsWith("1"),
    organization: unescapeColumn(line.slice(organizationAt, idAt - 1)),
    id: unescapeColumn(line.slice(idAt, bodyHashAt - 1)),
    bodyHash: line.slice(bodyHashAt, timeAt - 1),
    timeMs: Number(line.slice(timeAt, timeEnd)),
    stored: line.slice(organizationAt),
  };
}

/** What the first version logged; every later one adds columns behind these. */
const columnsAtFirst = lineColumns.indexOf("key") + 1;

/**
 * The event that a line of the log was rendered from, with its time, and who sent it when. A line that was logged before a column
 * was added has nothing there.
 */
export function eventOfLine(line: string): {
  event: GivenEvent;
  source: string | undefined;
  receivedAtMs: number;
  key: string;
} {
  const columns = line.split("\t");
  if (columns.length < columnsAtFirst || columns.length > lineColumns.length)
    throw new Error("an event line of the log has not all of its columns");
  const column = (name: LineColumn) => unescapeColumn(columns[lineColumns.indexOf(name)] ?? "");
  const instant = (name: "time_ms" | "started_ms") => new Date(Number(column(name))).toISOString();
  const { id, source } = nameOfStored(column("id"));
  const event: GivenEvent = {
    id,
    type: column("type"),
    time: instant("time_ms"),
    organization: column("organization"),
  };
  const named = {
    agent: column("agent"),
    user: column("user"),
    session: column("session"),
    room: column("room"),
    interval: column("interval"),
    job: column("job"),
  };
  Object.assign(event, namedThings({ ...named, id, source, type: event.type, organization: event.organization }));
  if (column("started_ms") !== "0") event.started_at = instant("started_ms");
  Object.assign(
    event,
    amountOf(columns[lineColumns.indexOf("value")] === "\\N" ? null : column("value"), column("dims")),
  );
  if (column("properties") !== "{}") event.properties = propertiesOf(column("properties"));
  return { event, source, receivedAtMs: Number(column("received_ms")), key: column("key") };
}
