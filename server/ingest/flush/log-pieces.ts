/** The pieces in which the log is read to become batches. */
import { comparePositions, type LogPosition, type LogRecord, type WriteAheadLog } from "../log/write-ahead-log.ts";

/** A batch is closed at this many bytes of records, which bounds the memory of a flush and stays one block of ClickHouse. */
export const maxBatchBytes = 8 * 1024 * 1024;

/** Infinite where a segment ends between them. */
export function bytesBetween(from: LogPosition | null, to: LogPosition): number {
  return from?.segment === to.segment ? to.offset - from.offset : Number.POSITIVE_INFINITY;
}

/** Whether a whole batch waits between two positions; between segments it does, or soon will. */
export function fillsBatch(from: LogPosition | null, to: LogPosition): boolean {
  return bytesBetween(from, to) >= maxBatchBytes;
}

export async function readPiece(log: WriteAheadLog, from: LogPosition | null, to: LogPosition): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for await (const record of log.read(from)) {
    if (comparePositions(record.end, to) > 0) break;
    records.push(record);
  }
  return records;
}

export async function isAllRead(log: WriteAheadLog, from: LogPosition | null): Promise<boolean> {
  for await (const _ of log.read(from)) return false;
  return true;
}

/** What the next batch is made of. */
export async function readNextPiece(log: WriteAheadLog, from: LogPosition | null) {
  const records: LogRecord[] = [];
  let bytes = 0;
  for await (const record of log.read(from)) {
    records.push(record);
    bytes += record.payload.length;
    if (bytes >= maxBatchBytes) break;
  }
  return { records, isFull: bytes >= maxBatchBytes };
}
