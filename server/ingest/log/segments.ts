/**
 * The files of the log: numbered without a gap, each a header and then records. Records are added to the last one alone,
 * so that only this one may have a torn end.
 */
import { LogDamagedError } from "./log-errors.ts";
import type { LogFile, LogFiles } from "./log-files.ts";
import { hasRecordBeyond, readRecords } from "./log-records.ts";

const segmentHeader = Buffer.from("TIDEWAL1", "latin1");
/** Where the first record of a segment begins. */
export const segmentHeaderBytes = segmentHeader.length;

export interface Segment {
  number: number;
  /** Offset of the end of the last synced record. */
  end: number;
}

/**
 * The segments that are there, in order, or a first one, and the file of the last; truncates a torn end. Throws
 * LogDamagedError when acknowledged records are damaged.
 */
export async function openSegments(files: LogFiles): Promise<{ segments: Segment[]; active: LogFile }> {
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
    if ((await active.size()) !== lastSegment.end || lastSegment.end === segmentHeaderBytes) {
      await active.truncate(lastSegment.end);
      await active.write([segmentHeader], 0);
    }
    // What the last process wrote but did not see synced is taken over: sync before anything of it is read as durable.
    await active.datasync();
    await files.syncDirectory();
  } else {
    active = await createSegment(files, 1);
    segments.push({ number: 1, end: segmentHeaderBytes });
  }
  return { segments, active };
}

export function segmentName(number: number): string {
  return `${String(number).padStart(12, "0")}.wal`;
}

function segmentNumber(name: string): number | undefined {
  return /^\d{12}\.wal$/.test(name) ? Number(name.slice(0, 12)) : undefined;
}

/** A new segment is durable, header and directory entry, before anything in it is acknowledged. */
export async function createSegment(files: LogFiles, number: number): Promise<LogFile> {
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

/** The end of the last whole record of a segment. Only the last segment of the log may have a torn end. */
async function checkSegment(files: LogFiles, number: number, last: boolean): Promise<number> {
  const name = segmentName(number);
  const file = await files.open(name, "read");
  try {
    const size = await file.size();
    const header = Buffer.alloc(segmentHeaderBytes);
    const got = await file.read(header, 0);
    if (got < header.length || !header.equals(segmentHeader)) {
      // The header is on disk before the first record is written, so without one nothing was ever acknowledged here.
      if (last && size <= segmentHeaderBytes) return segmentHeaderBytes;
      throw new LogDamagedError(`${name} is not a segment of a write-ahead log`);
    }
    let end = segmentHeaderBytes;
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
