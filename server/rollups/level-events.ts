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

const [tab, lineEnd, zero] = [9, 10, 48];

/** Which session an event names. */
export interface SessionName {
  organization: string;
  /** '' where the event named none. */
  session: string;
}

/** A line that says something about an interval. */
export interface LevelLine {
  /** Mostly one object for all lines that name the same session. */
  name: SessionName;
  namesInterval: boolean;
  /** For `eventAt`. */
  place: number;
}

/** A name as the bytes that a line has of it. */
interface WrittenName {
  name: SessionName;
  bytes: Buffer;
  organization: number;
  session: number;
}

/** The lines of stored events. What a line says is read where it is asked for, so that thousands of them take no memory but their own. */
export class LevelLines {
  readonly #pieces: readonly Buffer[];
  /** Where the columns of the line begin that was looked at last, and where its end is. */
  readonly #starts = new Int32Array(lineColumns.length + 1);
  /** By a hash of their bytes: a name that many lines have is made a text once. */
  readonly #names = new Map<number, WrittenName[]>();

  constructor(pieces: readonly Buffer[]) {
    this.#pieces = pieces;
  }

  /** Every line that says something about an interval, in their order. */
  *lines(): Generator<LevelLine> {
    for (const [number, bytes] of this.#pieces.entries()) {
      for (let start = 0; start < bytes.length; ) {
        const end = this.#findColumns(bytes, start);
        // Most events say nothing about an interval: nothing more is read of those.
        if (!this.#isEmpty(column.level)) {
          yield {
            name: this.#nameOf(bytes),
            namesInterval: !this.#isEmpty(column.interval),
            place: number * placesPerPiece + start,
          };
        }
        start = end + 1;
      }
    }
  }

  #nameOf(bytes: Buffer): SessionName {
    const [organization, session] = [this.#startOf(column.organization), this.#startOf(column.session)];
    const hash = hashColumn(bytes, session, hashColumn(bytes, organization, hashSeed));
    const alike = this.#names.get(hash) ?? [];
    if (alike.length === 0) this.#names.set(hash, alike);
    for (const known of alike)
      if (
        isSameColumn(known.bytes, known.organization, bytes, organization) &&
        isSameColumn(known.bytes, known.session, bytes, session)
      )
        return known.name;
    const name = { organization: this.#text(bytes, column.organization), session: this.#text(bytes, column.session) };
    // Who makes many names of one hash only has each of them made a text again.
    if (alike.length < mostAlike) alike.push({ name, bytes, organization, session });
    return name;
  }

  eventAt(place: number): LevelEvent {
    const bytes = this.#pieces[Math.floor(place / placesPerPiece)] as Buffer;
    const start = place % placesPerPiece;
    const end = this.#findColumns(bytes, start);
    // A text of its own for each line: whoever keeps a column of it keeps no more than the line.
    const line = bytes.toString("utf8", start, end);
    const isPlain = line.length === end - start && !this.#isEscaped(line, start);
    const text = (index: number) =>
      isPlain
        ? line.slice(this.#startOf(index) - start, this.#startOf(index + 1) - 1 - start)
        : this.#text(bytes, index);
    const dims = text(column.dims);
    return {
      organization: text(column.organization),
      session: text(column.session),
      room: text(column.room),
      partner: text(column.partner),
      reseller: text(column.reseller),
      agent: text(column.agent),
      user: text(column.user),
      level: text(column.level),
      action: text(column.action),
      interval: text(column.interval),
      timeMs: this.#number(bytes, column.time),
      startedMs: this.#number(bytes, column.started),
      aliveWithinMs: this.#number(bytes, column.aliveWithin),
      dims: dims === "{}" ? "" : dims,
    };
  }

  #isEscaped(line: string, start: number): boolean {
    // An event without a value has `\\N` there, which is no text.
    const first = line.indexOf("\\");
    return first >= 0 && (first !== this.#startOf(column.value) - start || line.includes("\\", first + 1));
  }

  /**
   * Answers where the line ends. Counted from the front: a line that was logged before a column was added is shorter at its end, and one
   * of a later version longer.
   */
  #findColumns(bytes: Buffer, start: number): number {
    const starts = this.#starts;
    starts[0] = start;
    let found = 1;
    let at = start;
    for (; at < bytes.length && bytes[at] !== lineEnd; at++)
      if (bytes[at] === tab && found < starts.length) starts[found++] = at + 1;
    // What the line does not have is empty, whatever the line before it had there.
    starts.fill(at + 1, found);
    return at;
  }

  #startOf(index: number): number {
    return this.#starts[index] as number;
  }

  #isEmpty(index: number): boolean {
    return this.#startOf(index + 1) - 1 <= this.#startOf(index);
  }

  /** Of a column that is a whole number, not below 0. */
  #number(bytes: Buffer, index: number): number {
    let value = 0;
    for (let at = this.#startOf(index); at < this.#startOf(index + 1) - 1; at++)
      value = value * 10 + (bytes[at] as number) - zero;
    return value;
  }

  #text(bytes: Buffer, index: number): string {
    return unescapeColumn(bytes.toString("utf8", this.#startOf(index), this.#startOf(index + 1) - 1));
  }
}

const hashSeed = 0x811c9dc5;
const mostAlike = 8;

/** FNV-1a, up to the end of the column. */
function hashColumn(bytes: Buffer, start: number, seed: number): number {
  let hash = seed;
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    hash = Math.imul(hash ^ byte, 0x01000193);
    if (byte === tab || byte === lineEnd) break;
  }
  return hash;
}

function isSameColumn(a: Buffer, startA: number, b: Buffer, startB: number): boolean {
  for (let offset = 0; ; offset++) {
    const byte = a[startA + offset];
    if (byte !== b[startB + offset]) return false;
    if (byte === tab || byte === lineEnd || byte === undefined) return true;
  }
}

/** More than a piece has bytes. */
const placesPerPiece = 2 ** 32;
