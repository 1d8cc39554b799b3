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
  return runLog(files, segments, active, { ...options, segmentBytes: options.segmentBytes ?? defaultSegmentBytes });
}

function runLog(
  files: LogFiles,
  segments: Segment[],
  firstFile: LogFile,
  { maxBytes, segmentBytes, onFatal }: LogOptions & { segmentBytes: number },
): WriteAheadLog {
  let active = firstFile;
  let settled: LogPosition = { segment: segments[0]?.number ?? 1, offset: segmentHeaderBytes };
  let unsyncedBytes = 0;
  let pending: Group | undefined;
  let committing: Group | undefined;
  let failure: Error | undefined;
  let closed = false;
  const listeners = new Set<(end: LogPosition) => void>();
  const current = () => segments.at(-1) as Segment;
  const syncedEnd = (): LogPosition => ({ segment: current().number, offset: current().end });
  // The bytes of synced records that are not settled, kept up to date because every request asks for it.
  let backlog = segments.reduce((sum, segment) => sum + segment.end - segmentHeaderBytes, 0);

  async function commitGroups(): Promise<void> {
    while (pending) {
      const group = pending;
      pending = undefined;
      committing = group;
      try {
        await commit(group);
      } catch (error) {
        rejectAll(group, error);
        if (failure) return;
      }
      committing = undefined;
    }
  }

  async function commit(group: Group): Promise<void> {
    if (current().end >= segmentBytes) await rotate();
    const segment = current();
    const start = segment.end;
    const buffers: Buffer[] = [];
    for (const append of group.appends) {
      buffers.push(frameOf(append.length, start, append.chunks), ...append.chunks);
    }
    try {
      await active.write(buffers, start);
    } catch (error) {
      if (!isDiskFull(error)) throw fatal(error);
      try {
        await active.truncate(start);
        await active.datasync();
      } catch (truncateError) {
        throw fatal(truncateError);
      }
      throw new LogFullError("the disk of the write-ahead log is full", { cause: error });
    }
    try {
      await active.datasync();
    } catch (error) {
      throw fatal(error);
    }
    let offset = start;
    for (const append of group.appends) {
      offset += frameBytes + append.length;
      append.resolve({ segment: segment.number, offset });
    }
    segment.end = offset;
    unsyncedBytes -= group.bytes;
    backlog += group.bytes;
    group.finish();
    const end = syncedEnd();
    for (const listener of listeners) listener(end);
  }

  async function rotate(): Promise<void> {
    const number = current().number + 1;
    let next: LogFile;
    try {
      next = await createSegment(files, number);
    } catch (error) {
      if (!isDiskFull(error)) throw fatal(error);
      try {
        if ((await files.list()).includes(segmentName(number))) await files.remove(segmentName(number));
      } catch (removeError) {
        throw fatal(removeError);
      }
      throw new LogFullError("the disk of the write-ahead log is full", { cause: error });
    }
    const previous = active;
    active = next;
    segments.push({ number, end: segmentHeaderBytes });
    await previous.close();
  }

  function fatal(cause: unknown): Error {
    failure = new LogFailedError("the write-ahead log cannot be written", { cause });
    return failure;
  }

  /**
   * What waits behind a failed group fails with it: a request that was answered "duplicate" because of an append
   * in the failed group must not succeed.
   */
  function rejectAll(group: Group, cause: unknown): void {
    const error = cause instanceof Error ? cause : new LogFailedError(String(cause));
    const behind = pending;
    pending = undefined;
    committing = undefined;
    for (const failed of behind ? [group, behind] : [group]) {
      unsyncedBytes -= failed.bytes;
      for (const append of failed.appends) append.reject(error);
      failed.fail(error);
    }
    if (failure) onFatal(failure);
  }

  return {
    append(payload) {
      const chunks = Array.isArray(payload) ? payload : [payload];
      const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      if (failure) return Promise.reject(failure);
      if (closed) return Promise.reject(new LogFailedError("the write-ahead log is closed"));
      if (length === 0 || length > maxPayloadBytes) {
        return Promise.reject(new RangeError(`a record has 1 to ${maxPayloadBytes} bytes, not ${length}`));
      }
      const bytes = frameBytes + length;
      if (backlog + unsyncedBytes + bytes > maxBytes) {
        return Promise.reject(new LogFullError(`the write-ahead log holds its ${maxBytes} bytes`));
      }
      const isIdle = !pending && !committing;
      pending ??= newGroup();
      const group = pending;
      group.bytes += bytes;
      unsyncedBytes += bytes;
      const written = new Promise<LogPosition>((resolve, reject) => {
        group.appends.push({
          chunks,
          length,
          resolve,
          reject,
        });
      });
      if (isIdle) void commitGroups();
      return written;
    },

    async whenSynced() {
      if (failure) throw failure;
      await Promise.all([committing?.done, pending?.done]);
    },

    async *read(from) {
      const end = syncedEnd();
      for (const { number } of [...segments]) {
        if (from && number < from.segment) continue;
        if (number > end.segment) return;
        const segment = segments.find((kept) => kept.number === number);
        if (!segment) throw new RangeError(`${segmentName(number)} was removed while it was read`);
        const limit = number === end.segment ? end.offset : segment.end;
        const start = from?.segment === number ? Math.max(from.offset, segmentHeaderBytes) : segmentHeaderBytes;
        if (start >= limit) continue;
        const file = await files.open(segmentName(number), "read");
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
    },

    async removeBefore(position) {
      if (comparePositions(position, syncedEnd()) > 0) {
        throw new RangeError("only what is in the log can be settled");
      }
      if (comparePositions(position, settled) <= 0) return;
      settled = position;
      backlog = 0;
      for (const segment of segments) {
        if (segment.number < settled.segment) continue;
        backlog += segment.end - (segment.number === settled.segment ? settled.offset : segmentHeaderBytes);
      }
      while (segments.length > 1 && (segments[0] as Segment).number < position.segment) {
        const segment = segments.shift() as Segment;
        await files.remove(segmentName(segment.number));
        // One by one: a crash never leaves a gap between segments, which `open` would have to take for a loss.
        await files.syncDirectory();
      }
    },

    get backlogBytes() {
      return backlog + unsyncedBytes;
    },
    maxBytes,
    get syncedEnd() {
      return syncedEnd();
    },

    onSynced(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },

    async close() {
      if (closed) return;
      closed = true;
      await Promise.allSettled([committing?.done, pending?.done]);
      await active.close();
    },
  };
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
