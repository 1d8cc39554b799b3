/** What events say about intervals, from the lines that were stored: the columns that the view `intervals_mv` reads. */
import { type LineColumn, lineColumns, unescapeColumn } from "../ingest/accept/event-row.ts";

export interface LevelEvent {
  organization: string;
  /** '' where the event named none. */
  session: string;
  room: string;
  partner: string;
  reseller: string;
  agent: string;
  user: string;
  level: string;
  action: string;
  interval: string;
  timeMs: number;
  /** 0: not given. */
  startedMs: number;
  /** 0: not given. */
  aliveWithinMs: number;
  /** Canonical JSON, '' for none. */
  dims: string;
}

const at = (name: LineColumn) => lineColumns.indexOf(name);
const column = {
  organization: at("organization"),
  session: at("session"),
  room: at("room"),
  partner: at("partner"),
  reseller: at("reseller"),
  agent: at("agent"),
  user: at("user"),
  level: at("level"),
  action: at("level_action"),
  interval: at("interval"),
  time: at("time_ms"),
  started: at("started_ms"),
  aliveWithin: at("alive_within_ms"),
  value: at("value"),
  dims: at("dims"),
} as const;

const lineEnd = 10;

/** Every event of the lines that says something about an interval, in their order. */
export function* levelEvents(lines: readonly Buffer[]): Generator<LevelEvent> {
  for (const bytes of lines) {
    for (let start = 0; start < bytes.length; ) {
      const found = bytes.indexOf(lineEnd, start);
      const end = found < 0 ? bytes.length : found;
      // A text of its own for each line: whoever keeps a column of it keeps no more than the line.
      const event = levelEventOf(bytes.toString("utf8", start, end));
      if (event) yield event;
      start = end + 1;
    }
  }
}

/** undefined: the event says nothing about an interval. */
function levelEventOf(line: string): LevelEvent | undefined {
  // Most events say nothing about an interval: nothing more is read of those.
  if (line.charCodeAt(columnStart(line, column.level)) === tab) return undefined;
  const columns = line.split("\t");
  // An event without a value has `\\N` there, which is no text.
  const first = line.indexOf("\\");
  const isEscaped = first >= 0 && (columns[column.value] !== "\\N" || first !== line.lastIndexOf("\\"));
  if (isEscaped)
    for (let index = 0; index < columns.length; index++) columns[index] = unescapeColumn(columns[index] as string);
  const dims = columns[column.dims] as string;
  return {
    organization: columns[column.organization] as string,
    session: columns[column.session] as string,
    room: columns[column.room] as string,
    partner: columns[column.partner] as string,
    reseller: columns[column.reseller] as string,
    agent: columns[column.agent] as string,
    user: columns[column.user] as string,
    level: columns[column.level] as string,
    action: columns[column.action] as string,
    interval: columns[column.interval] as string,
    timeMs: Number(columns[column.time]),
    startedMs: Number(columns[column.started]),
    aliveWithinMs: Number(columns[column.aliveWithin]),
    dims: dims === "{}" ? "" : dims,
  };
}

const tab = 9;

/** Counted from the front: a line that was logged before a column was added is shorter at its end. */
function columnStart(line: string, index: number): number {
  let start = 0;
  for (let at = 0; at < index; at++) start = line.indexOf("\t", start) + 1;
  return start;
}
