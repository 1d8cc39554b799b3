/**
 * The write-ahead log: what `append` resolved is on disk and is read back in the same order after any crash.
 * Appends that arrive while a write and its fdatasync run form the next group, so the cost of a sync is shared by
 * however many requests wait for it. A failed fdatasync is never retried: the kernel may already have dropped the pages.
 *
 * A segment is a header and then records, each framed as (length, crc32, durable, payload): `durable` is the offset up to
 * which the segment was on disk when the record was written. With it, a torn end, which a crash leaves and which was
 * never acknowledged, is told from damage to acknowledged records, on which the log refuses to start.
 */
import { crc32 } from "node:zlib";
import { directoryFiles, type LogFile, type LogFiles } from "./log-files.ts";

/** The end of a record: its segment's number and the offset of the first byte after it. */
export interface LogPosition {
  segment: number;
  offset: number;
}

/** Negative when `a` is before `b`, 0 when equal, positive when after. */
export function comparePositions(a: LogPosition, b: LogPosition): number {
  return a.segment - b.segment || a.offset - b.offset;
}

/** The disk or the log's own bound is full; nothing of the rejected append is in the log, and a later one may succeed. */
export class LogFullError extends Error {
  override name = "LogFullError";
}

/** The log can take nothing more in this process; whether the rejected append is on disk is unknown. */
export class LogFailedError extends Error {
  override name = "LogFailedError";
}

/** Acknowledged records cannot be read back; the file is left as it is. */
export class LogDamagedError extends Error {
  override name = "LogDamagedError";
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

const segmentHeader = Buffer.from("TIDEWAL1", "latin1");
const frameBytes = 12;
/** A request's body is at most 10 MiB, and its rows and quarantine lines stay within a few times that. */
const maxPayloadBytes = 256 * 1024 * 1024;
const readChunkBytes = 1024 * 1024;
const defaultSegmentBytes = 16 * 1024 * 1024;

interface Segment {
  number: number;
  /** Offset of the end of the last synced record. */
  end: number;
}

interface Append {
  chunks: Buffer[];
  length: number;
  checksum: (durable: number) => number;
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
  const segmentBytes = options.segmentBytes ?? defaultSegmentBytes;
  const numbers = (await files.list())
    .map(segmentNumber)
    .filter((number) => number !== undefined)
    .sort((a, b) => a - b);
  const segments: Segment[] = [];
  for (const [index, number] of numbers.entries()) {
    const last = index === numbers.length - 1;
    if (index > 0 && number !== (numbers[index - 1] ?? 0) + 1) {
      throw new LogDamagedError(`${segmentName(number)} does not follow ${segmentName(numbers[index - 1] ?? 0)}`);
    }
    segments.push({ number, end: await checkSegment(files, number, last) });
  }
  let active: LogFile;
  const lastSegment = segments.at(-1);
  if (lastSegment) {
    active = await files.open(segmentName(lastSegment.number), "write");
    if ((await active.size()) !== lastSegment.end || lastSegment.end === segmentHeader.length) {
      await active.truncate(lastSegment.end);
      await active.write([segmentHeader], 0);
    }
    // What the last process wrote but did not see synced is taken over: sync before anything of it is read as durable.
    await active.datasync();
    await files.syncDirectory();
  } else {
    active = await createSegment(files, 1);
    segments.push({ number: 1, end: segmentHeader.length });
  }
  return runLog(files, segments, active, { ...options, segmentBytes });
}

function runLog(
  files: LogFiles,
  segments: Segment[],
  firstFile: LogFile,
  { maxBytes, segmentBytes, onFatal }: LogOptions & { segmentBytes: number },
): WriteAheadLog {
  let active = firstFile;
  let settled: LogPosition = { segment: segments[0]?.number ?? 1, offset: segmentHeader.length };
  let unsyncedBytes = 0;
  let pending: Group | undefined;
  let committing: Group | undefined;
  let failure: Error | undefined;
  let closed = false;
  const listeners = new Set<(end: LogPosition) => void>();
  const current = () => segments.at(-1) as Segment;
  const syncedEnd = (): LogPosition => ({ segment: current().number, offset: current().end });
  // The bytes of synced records that are not settled, kept up to date because every request asks for it.
  let backlog = segments.reduce((sum, segment) => sum + segment.end - segmentHeader.length, 0);

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
      const frame = Buffer.allocUnsafe(frameBytes);
      frame.writeUInt32LE(append.length, 0);
      frame.writeUInt32LE(append.checksum(start), 4);
      frame.writeUInt32LE(start, 8);
      buffers.push(frame, ...append.chunks);
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
    segments.push({ number, end: segmentHeader.length });
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
          checksum: (durable) => checksumOf(length, durable, chunks),
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
        const start = from?.segment === number ? Math.max(from.offset, segmentHeader.length) : segmentHeader.length;
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
        backlog += segment.end - (segment.number === settled.segment ? settled.offset : segmentHeader.length);
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

function segmentName(number: number): string {
  return `${String(number).padStart(12, "0")}.wal`;
}

function segmentNumber(name: string): number | undefined {
  return /^\d{12}\.wal$/.test(name) ? Number(name.slice(0, 12)) : undefined;
}

/** A new segment is durable, header and directory entry, before anything in it is acknowledged. */
async function createSegment(files: LogFiles, number: number): Promise<LogFile> {
  const file = await files.open(segmentName(number), "create");
  try {
    await file.write([segmentHeader], 0);
    await file.datasync();
    await files.syncDirectory();
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

const checksumPrefix = Buffer.alloc(8);
function checksumOf(length: number, durable: number, chunks: readonly Buffer[]): number {
  checksumPrefix.writeUInt32LE(length, 0);
  checksumPrefix.writeUInt32LE(durable, 4);
  let sum = crc32(checksumPrefix);
  for (const chunk of chunks) sum = crc32(chunk, sum);
  return sum;
}

/** The end of the last whole record of a segment. Only the last segment of the log may have a torn end. */
async function checkSegment(files: LogFiles, number: number, last: boolean): Promise<number> {
  const name = segmentName(number);
  const file = await files.open(name, "read");
  try {
    const size = await file.size();
    const header = Buffer.alloc(segmentHeader.length);
    const got = await file.read(header, 0);
    if (got < header.length || !header.equals(segmentHeader)) {
      // The header is on disk before the first record is written, so without one nothing was ever acknowledged here.
      if (last && size <= segmentHeader.length) return segmentHeader.length;
      throw new LogDamagedError(`${name} is not a segment of a write-ahead log`);
    }
    let end = segmentHeader.length;
    for await (const record of readRecords(file, end, size)) end = record.end;
    if (end === size) return end;
    if (!last) throw new LogDamagedError(`${name} is damaged at byte ${end} of ${size}`);
    if (await hasRecordBeyond(file, end, size)) {
      throw new LogDamagedError(
        `${name} is damaged at byte ${end}: records that follow were written after it was on disk`,
      );
    }
    return end;
  } finally {
    await file.close();
  }
}

/** Whether some whole record after the bad byte was written when the bad byte was already on disk. */
async function hasRecordBeyond(file: LogFile, bad: number, size: number): Promise<boolean> {
  const rest = Buffer.alloc(size - bad);
  const length = await file.read(rest, bad);
  for (let at = 1; at + frameBytes < length; at++) {
    const durable = rest.readUInt32LE(at + 8);
    if (durable <= bad || durable > bad + at) continue;
    const record = frameAt(rest.subarray(at, length));
    if (record) return true;
  }
  return false;
}

/** The payload of the whole record that `bytes` begins with; undefined when it is cut, empty or its checksum is wrong. */
function frameAt(bytes: Buffer): Buffer | undefined {
  if (bytes.length < frameBytes) return undefined;
  const length = bytes.readUInt32LE(0);
  if (length === 0 || length > maxPayloadBytes || frameBytes + length > bytes.length) return undefined;
  const payload = bytes.subarray(frameBytes, frameBytes + length);
  return checksumOf(length, bytes.readUInt32LE(8), [payload]) === bytes.readUInt32LE(4) ? payload : undefined;
}

/** The whole records of [start, limit); ends without an error at the first that is not whole. */
async function* readRecords(
  file: LogFile,
  start: number,
  limit: number,
): AsyncGenerator<{ payload: Buffer; end: number }> {
  let at = start;
  let want = readChunkBytes;
  while (at < limit) {
    const chunk = Buffer.allocUnsafeSlow(Math.min(want, limit - at));
    const got = chunk.subarray(0, await file.read(chunk, at));
    let used = 0;
    while (used < got.length) {
      const payload = frameAt(got.subarray(used));
      if (!payload) break;
      used += frameBytes + payload.length;
      yield { payload, end: at + used };
    }
    at += used;
    if (used > 0) {
      want = readChunkBytes;
      continue;
    }
    // The chunk does not hold one whole record: read just that record, unless there is no such record.
    const needed = got.length < frameBytes ? 0 : frameBytes + got.readUInt32LE(0);
    if (needed <= got.length || needed > limit - at) return;
    want = needed;
  }
}
