/**
 * A record as it lies in a segment: (length, crc32, durable, payload), where `durable` is the offset up to which the
 * segment was on disk when the record was written. With it, a torn end, which a crash leaves and which was never
 * acknowledged, is told from damage to acknowledged records.
 */
import { crc32 } from "node:zlib";
import type { LogFile } from "./log-files.ts";

export const frameBytes = 12;
/** A request's body is at most 10 MiB, and its rows and quarantine lines stay within a few times that. */
export const maxPayloadBytes = 256 * 1024 * 1024;
const readChunkBytes = 1024 * 1024;

/** What stands before the payload whose parts are `chunks`, of `length` bytes together. */
export function frameOf(length: number, durable: number, chunks: readonly Buffer[]): Buffer {
  const frame = Buffer.allocUnsafe(frameBytes);
  frame.writeUInt32LE(length, 0);
  frame.writeUInt32LE(checksumOf(length, durable, chunks), 4);
  frame.writeUInt32LE(durable, 8);
  return frame;
}

const checksumPrefix = Buffer.alloc(8);
function checksumOf(length: number, durable: number, chunks: readonly Buffer[]): number {
  checksumPrefix.writeUInt32LE(length, 0);
  checksumPrefix.writeUInt32LE(durable, 4);
  let sum = crc32(checksumPrefix);
  for (const chunk of chunks) sum = crc32(chunk, sum);
  return sum;
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
export async function* readRecords(
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

/** Whether some whole record after the bad byte was written when the bad byte was already on disk. */
export async function hasRecordBeyond(file: LogFile, bad: number, size: number): Promise<boolean> {
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
