/**
 * One request as one record of the write-ahead log: a JSON header line, then its event lines, then its quarantine
 * lines. All of a request is in one record, so a crash keeps all of it or nothing.
 */

import { type OutcomeCount, readOutcomes, writeOutcomes } from "./event-outcomes.ts";

export interface RequestRecord {
  receivedAtMs: number;
  /** Lines as server/ingest/event-row.ts renders them, without line ends. */
  events: string[];
  quarantined: string[];
  outcomes: OutcomeCount[];
}

export function renderRequestRecord({ receivedAtMs, events, quarantined, outcomes }: RequestRecord): Buffer {
  const counts = JSON.stringify(writeOutcomes(outcomes));
  const header = `{"received_at":${receivedAtMs},"events":${events.length},"quarantined":${quarantined.length},"outcomes":${counts}}\n`;
  const eventText = events.length > 0 ? `${events.join("\n")}\n` : "";
  const quarantineText = quarantined.length > 0 ? `${quarantined.join("\n")}\n` : "";
  return Buffer.from(header + eventText + quarantineText, "utf8");
}

interface Header {
  received_at: number;
  events: number;
  quarantined: number;
  outcomes: ReturnType<typeof writeOutcomes>;
}

/** Throws when the payload is not one that `renderRequestRecord` made. */
export function parseRequestRecord(payload: Buffer): RequestRecord {
  const lines = payload.toString("utf8").split("\n");
  const header = JSON.parse(lines[0] ?? "") as Header;
  // The text ends with a line end, so the last element is empty.
  if (lines.length !== header.events + header.quarantined + 2 || lines.at(-1) !== "") {
    throw new Error(
      `a record of ${header.events} events and ${header.quarantined} rejected has ${lines.length - 2} lines`,
    );
  }
  return {
    receivedAtMs: header.received_at,
    events: lines.slice(1, 1 + header.events),
    quarantined: lines.slice(1 + header.events, -1),
    outcomes: readOutcomes(header.outcomes),
  };
}
