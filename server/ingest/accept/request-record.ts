/**
 * One request as one record of the write-ahead log: a JSON header line, then its event lines, then its quarantine
 * lines. All of a request is in one record, so a crash keeps all of it or nothing. The header says enough about the event
 * lines for storing them as the bytes they are: making texts of them again would cost as much as receiving them did.
 */

import { parseJson } from "../../json/parse-json.ts";
import { type OutcomeCount, readOutcomes, writeOutcomes } from "./event-outcomes.ts";
import { unescapeColumn } from "./event-row.ts";

export interface RequestRecord {
  receivedAtMs: number;
  /** Lines as server/ingest/accept/event-row.ts renders them, without line ends. */
  events: string[];
  quarantined: string[];
  outcomes: OutcomeCount[];
}

/** A record whose lines are not read yet. */
export interface LoggedRequest {
  receivedAtMs: number;
  eventCount: number;
  /** How many of the events were not checked against everything stored and logged before them. */
  unchecked: number;
  /** The organizations of its events. */
  organizations: readonly string[];
  outcomes: OutcomeCount[];
  /** The event lines, each with its line end. */
  eventBytes: Buffer;
  quarantineBytes: Buffer;
}

interface Header {
  received_at: number;
  events: number;
  event_bytes: number;
  unchecked: number;
  organizations: string[];
  quarantine_bytes: number;
  outcomes: ReturnType<typeof writeOutcomes>;
}

export function renderRequestRecord({ receivedAtMs, events, quarantined, outcomes }: RequestRecord): Buffer {
  const eventBytes = bytesOf(events);
  const quarantineBytes = bytesOf(quarantined);
  const { unchecked, organizations } = surveyed(eventBytes);
  const header: Header = {
    received_at: receivedAtMs,
    events: events.length,
    event_bytes: eventBytes.length,
    unchecked,
    organizations,
    quarantine_bytes: quarantineBytes.length,
    outcomes: writeOutcomes(outcomes),
  };
  return Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), eventBytes, quarantineBytes]);
}

/** Lines, each with its line end. */
function bytesOf(lines: readonly string[]): Buffer {
  // One text of all is written once: a line by itself would be made one text of its pieces first, and once more as a part of all.
  return lines.length === 0 ? Buffer.alloc(0) : Buffer.from([...lines, ""].join("\n"));
}

/** What the header says of event lines, from the front of each. */
function surveyed(lines: Buffer): Pick<Header, "unchecked" | "organizations"> {
  const organizations = new Set<string>();
  let unchecked = 0;
  let last = "";
  let [lastFrom, lastTo] = [0, 0];
  for (let start = 0; start < lines.length; start = lines.indexOf(lineEnd, start) + 1) {
    if (lines[start] !== isChecked) unchecked++;
    const from = start + 2;
    const to = lines.indexOf(tab, from);
    // Most lines are of the organization of the line before.
    const isLast = to - from === lastTo - lastFrom && lines.compare(lines, from, to, lastFrom, lastTo) === 0;
    if (!isLast) last = unescapeColumn(lines.toString("utf8", from, to));
    [lastFrom, lastTo] = [from, to];
    organizations.add(last);
  }
  return { unchecked, organizations: [...organizations] };
}

const [tab, lineEnd] = [9, 10];
const isChecked = "1".charCodeAt(0);

/** Throws when the payload is not one that `renderRequestRecord` made, as far as its header can tell. */
export function readLoggedRequest(payload: Buffer): LoggedRequest {
  const eventsAt = payload.indexOf("\n") + 1;
  const header = parseJson(payload.toString("utf8", 0, eventsAt)) as Header;
  const quarantineAt = eventsAt + header.event_bytes;
  if (payload.length !== quarantineAt + header.quarantine_bytes)
    throw new Error(
      `a record with ${header.event_bytes} and ${header.quarantine_bytes} bytes of lines has ${payload.length - eventsAt}`,
    );
  return {
    receivedAtMs: header.received_at,
    eventCount: header.events,
    unchecked: header.unchecked,
    organizations: header.organizations,
    outcomes: readOutcomes(header.outcomes),
    eventBytes: payload.subarray(eventsAt, quarantineAt),
    quarantineBytes: payload.subarray(quarantineAt),
  };
}

/** Throws when the payload is not one that `renderRequestRecord` made. */
export function parseRequestRecord(payload: Buffer): RequestRecord {
  const { receivedAtMs, outcomes, eventCount, eventBytes, quarantineBytes } = readLoggedRequest(payload);
  const events = linesOf(eventBytes);
  if (events.length !== eventCount)
    throw new Error(`a record of ${eventCount} events has ${events.length} lines of them`);
  return { receivedAtMs, events, quarantined: linesOf(quarantineBytes), outcomes };
}

/** The lines of bytes that end with a line end, without their ends. */
export function linesOf(bytes: Buffer): string[] {
  return bytes.length === 0 ? [] : bytes.toString("utf8", 0, bytes.length - 1).split("\n");
}

/** The organization that an event line names. */
export function organizationOf(line: string): string {
  return unescapeColumn(line.slice(2, line.indexOf("\t", 2)));
}
