/**
 * The write-ahead log: what `append` resolved is on disk and is read back in the same order after any crash.
 * Appends that arrive while a write and its fdatasync run form the next group, so the cost of a sync is shared by
 * however many requests wait for it. A failed fdatasync is never retried: the kernel may already have dropped the pages.
 *
 * A torn end, which a crash leaves and which was never acknowledged, is cut off; on damage to acknowledged records the log
 * refuses to start.
 */
import { LogDamagedError, LogFailedError, LogFullError } from "./log-errors.ts";
import { directoryFiles, type LogFile, type LogFiles } from "./log-files.ts";
import { frameBytes, frameOf, maxPayloadBytes, readRecords } from "./log-records.ts";
import { createSegment, openSegments, type Segment, segmentHeaderBytes, segmentName } from "./segments.ts";

/** The end of a record: its segment's number and the offset of the first byte after it. */
export interface LogPosition {
  segment: number;
  offset: number;
}

/** Negative when `a` is before `b`, 0 when equal, positive when after. */
export function comparePositions(a: LogPosition, b: LogPosition): number {
  return a.segment - b.segment || a.offset - b.offset;
}

export interface LogRecord {
  payload: Buffer;
  end: LogPosition;
}

export interface WriteAheadLog {
  /**
   * Resolves after fdatasync with the end of the record. Rejects with LogFullError (nothing taken, this append and
   * all that wait behind it) or LogFailedError (the log is dead). An empty payload is refused.
   */
  append(payload: Buffer | Buffer[]): Promise<LogPosition>;
  /** Resolves when everything appended before this call is on disk; rejects when any of that was rejected. */
  whenSynced(): Promise<void>;
  /** The synced records after `from` (null: all that are kept) up to the synced end of this moment, then returns. */
  read(from: LogPosition | null): AsyncGenerator<LogRecord, void, void>;
  /** Declares everything up to `position` settled and deletes the segments that lie wholly before it. */
  removeBefore(position: LogPosition): Promise<void>;
  /** Bytes of records that are not settled, those still being written included. */
  readonly backlogBytes: number;
  readonly maxBytes: number;
  readonly syncedEnd: LogPosition;
  /** Calls `listener` after each synced group; returns the function that ends it. */
  onSynced(listener: (end: LogPosition) => void): () => void;
  /** Syncs what was appended, then refuses further appends. */
  close(): Promise<void>;
}

export interface LogOptions {
  directory: string;
  maxBytes: number;
  segmentBytes?: number;
  /** Called once when a write or sync failed for good: the process must stop acknowledging and restart. */
  onFatal: (error: Error) => void;
  files?: LogFiles;
}

const defaultSegmentBytes = 16 * 1024 * 1024;

interface Append {
  chunks: Buffer[];
  length: number;
  resolve: (position: LogPosition) => void;
  reject: (error: Error) => void;
}

interface Group {
  appends: Append[];
  bytes: number;
  done: Promise<void>;
  finish: () => void;
  fail: (error: Error) => void;
}

/** Opens or creates the log; truncates a torn end. Throws LogDamagedError when acknowledged records are damaged. */
export async function openWriteAheadLog(options: LogOptions): Promise<WriteAheadLog> {
  const files = options.files ?? directoryFiles(options.directory);
  const { segments, active } = await openSegments(files);
  return new GroupCommitLog(files, segments, active, options);
}

class GroupCommitLog implements WriteAheadLog {
  readonly maxBytes: number;
  readonly #segmentBytes: number;
  readonly #onFatal: (error: Error) => void;
  readonly #files: LogFiles;
  readonly #segments: Segment[];
  #active: LogFile;
  #settled: LogPosition;
  /** The bytes of synced records that are not settled, kept up to date because every request asks for it. */
  #backlog: number;
  #unsyncedBytes = 0;
  #pending: Group | undefined;
  #committing: Group | undefined;
  #failure: Error | undefined;
  #isClosed = false;
  readonly #listeners = new Set<(end: LogPosition) => void>();

  constructor(files: LogFiles, segments: Segment[], active: LogFile, options: LogOptions) {
    this.maxBytes = options.maxBytes;
    this.#segmentBytes = options.segmentBytes ?? defaultSegmentBytes;
    this.#onFatal = options.onFatal;
    this.#files = files;
    this.#segments = segments;
    this.#active = active;
    this.#settled = { segment: segments[0]?.number ?? 1, offset: segmentHeaderBytes };
    this.#backlog = segments.reduce((sum, segment) => sum + segment.end - segmentHeaderBytes, 0);
  }

  get backlogBytes(): number {
    return this.#backlog + this.#unsyncedBytes;
  }

  get syncedEnd(): LogPosition {
    const { number, end } = this.#current;
    return { segment: number, offset: end };
  }

  get #current(): Segment {
    return this.#segments.at(-1) as Segment;
  }

  append(payload: Buffer | Buffer[]): Promise<LogPosition> {
    const chunks = Array.isArray(payload) ? payload : [payload];
    const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const refusal = this.#refusalOf(length);
    if (refusal) return Promise.reject(refusal);
    const isIdle = !this.#pending && !this.#committing;
    this.#pending ??= newGroup();
    const group = this.#pending;
    group.bytes += frameBytes + length;
    this.#unsyncedBytes += frameBytes + length;
    const written = new Promise<LogPosition>((resolve, reject) => {
      group.appends.push({ chunks, length, resolve, reject });
    });
    if (isIdle) void this.#commitGroups();
    return written;
  }

  #refusalOf(length: number): Error | undefined {
    if (this.#failure) return this.#failure;
    if (this.#isClosed) return new LogFailedError("the write-ahead log is closed");
    if (length === 0 || length > maxPayloadBytes)
      return new RangeError(`a record has 1 to ${maxPayloadBytes} bytes, not ${length}`);
    if (this.backlogBytes + frameBytes + length > this.maxBytes)
      return new LogFullError(`the write-ahead log holds its ${this.maxBytes} bytes`);
    return undefined;
  }

  async #commitGroups(): Promise<void> {
    while (this.#pending) {
      const group = this.#pending;
      this.#pending = undefined;
      this.#committing = group;
      try {
        await this.#commit(group);
      } catch (error) {
        this.#rejectAll(group, error);
        if (this.#failure) return;
      }
      this.#committing = undefined;
    }
  }

  async #commit(group: Group): Promise<void> {
    if (this.#current.end >= this.#segmentBytes) await this.#rotate();
    const segment = this.#current;
    await this.#write(group.appends, segment.end);
    try {
      await this.#active.datasync();
    } catch (error) {
      throw this.#fatal(error);
    }
    for (const append of group.appends) {
      segment.end += frameBytes + append.length;
      append.resolve({ segment: segment.number, offset: segment.end });
    }
    this.#unsyncedBytes -= group.bytes;
    this.#backlog += group.bytes;
    group.finish();
    const end = this.syncedEnd;
    for (const listener of this.#listeners) listener(end);
  }

  /** All of them or, where the disk is full, nothing: what was written of them is cut off again. */
  async #write(appends: readonly Append[], start: number): Promise<void> {
    const buffers = appends.flatMap(({ length, chunks }) => [frameOf(length, start, chunks), ...chunks]);
    try {
      await this.#active.write(buffers, start);
    } catch (error) {
      await this.#undoOnFullDisk(error, async () => {
        await this.#active.truncate(start);
        await this.#active.datasync();
      });
    }
  }

  async #rotate(): Promise<void> {
    const number = this.#current.number + 1;
    const name = segmentName(number);
    const next = await createSegment(this.#files, number).catch((error: unknown) =>
      this.#undoOnFullDisk(error, async () => {
        if ((await this.#files.list()).includes(name)) await this.#files.remove(name);
      }),
    );
    const previous = this.#active;
    this.#active = next;
    this.#segments.push({ number, end: segmentHeaderBytes });
    await previous.close();
  }

  /** Throws LogFullError once what a full disk left half done is undone; any other error, and one while undoing, is fatal. */
  async #undoOnFullDisk(cause: unknown, undo: () => Promise<void>): Promise<never> {
    if (!isDiskFull(cause)) throw this.#fatal(cause);
    try {
      await undo();
    } catch (error) {
      throw this.#fatal(error);
    }
    throw new LogFullError("the disk of the write-ahead log is full", { cause });
  }

  #fatal(cause: unknown): Error {
    this.#failure = new LogFailedError("the write-ahead log cannot be written", { cause });
    return this.#failure;
  }

  /**
   * What waits behind a failed group fails with it: a request that was answered "duplicate" because of an append
   * in the failed group must not succeed.
   */
  #rejectAll(group: Group, cause: unknown): void {
    const error = cause instanceof Error ? cause : new LogFailedError(String(cause));
    const behind = this.#pending;
    this.#pending = undefined;
    this.#committing = undefined;
    for (const failed of behind ? [group, behind] : [group]) {
      this.#unsyncedBytes -= failed.bytes;
      for (const append of failed.appends) append.reject(error);
      failed.fail(error);
    }
    if (this.#failure) this.#onFatal(this.#failure);
  }

  async whenSynced(): Promise<void> {
    if (this.#failure) throw this.#failure;
    await Promise.all([this.#committing?.done, this.#pending?.done]);
  }

  async *read(from: LogPosition | null): AsyncGenerator<LogRecord, void, void> {
    const end = this.syncedEnd;
    for (const { number } of [...this.#segments]) {
      if (from && number < from.segment) continue;
      if (number > end.segment) return;
      const segment = this.#segments.find((kept) => kept.number === number);
      if (!segment) throw new RangeError(`${segmentName(number)} was removed while it was read`);
      const limit = number === end.segment ? end.offset : segment.end;
      const start = from?.segment === number ? Math.max(from.offset, segmentHeaderBytes) : segmentHeaderBytes;
      if (start >= limit) continue;
      const file = await this.#files.open(segmentName(number), "read");
      try {
        let readTo = start;
        for await (const record of readRecords(file, start, limit)) {
          readTo = record.end;
          yield { payload: record.payload, end: { segment: number, offset: record.end } };
        }
        if (readTo !== limit) throw new LogDamagedError(`${segmentName(number)} is damaged at byte ${readTo}`);
      } finally {
        await file.close();
      }
    }
  }

  async removeBefore(position: LogPosition): Promise<void> {
    if (comparePositions(position, this.syncedEnd) > 0) throw new RangeError("only what is in the log can be settled");
    if (comparePositions(position, this.#settled) <= 0) return;
    this.#settled = position;
    this.#backlog = 0;
    for (const segment of this.#segments) {
      if (segment.number < position.segment) continue;
      this.#backlog += segment.end - (segment.number === position.segment ? position.offset : segmentHeaderBytes);
    }
    while (this.#segments.length > 1 && (this.#segments[0] as Segment).number < position.segment) {
      const segment = this.#segments.shift() as Segment;
      await this.#files.remove(segmentName(segment.number));
      // One by one: a crash never leaves a gap between segments, which `openWriteAheadLog` would have to take for a loss.
      await this.#files.syncDirectory();
    }
  }

  onSynced(listener: (end: LogPosition) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.allSettled([this.#committing?.done, this.#pending?.done]);
    await this.#active.close();
  }
}

function newGroup(): Group {
  let finish: () => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  const done = new Promise<void>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  // Most groups have nobody waiting in whenSynced; each append carries the error to its own caller.
  done.catch(() => undefined);
  return { appends: [], bytes: 0, done, finish, fail };
}

function isDiskFull(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return code === "ENOSPC" || code === "EDQUOT";
}
