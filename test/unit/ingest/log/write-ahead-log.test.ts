/** The log on the real file system. */
import { mkdtemp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LogDamagedError, LogFullError } from "../../../../server/ingest/log/log-errors.ts";
import {
  comparePositions,
  type LogPosition,
  openWriteAheadLog,
  type WriteAheadLog,
} from "../../../../server/ingest/log/write-ahead-log.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "tidemark-log-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function openLog(options: { maxBytes?: number; segmentBytes?: number } = {}): Promise<WriteAheadLog> {
  return openWriteAheadLog({
    directory,
    maxBytes: 1e9,
    onFatal: (error) => {
      throw error;
    },
    ...options,
  });
}

async function readAll(log: WriteAheadLog, from: LogPosition | null = null): Promise<string[]> {
  const payloads: string[] = [];
  for await (const { payload } of log.read(from)) payloads.push(payload.toString());
  return payloads;
}

test("records come back in order of append after a reopen, across segments", async () => {
  const log = await openLog({ segmentBytes: 500 });
  const sent = Array.from({ length: 200 }, (_, index) => `record ${index} ${"x".repeat(index)}`);
  for (let at = 0; at < sent.length; at += 7) {
    await Promise.all(sent.slice(at, at + 7).map((text) => log.append(Buffer.from(text))));
  }
  expect((await readdir(directory)).length).toBeGreaterThan(5);
  expect(await readAll(log)).toEqual(sent);
  await log.close();
  const reopened = await openLog({ segmentBytes: 500 });
  expect(await readAll(reopened)).toEqual(sent);
  expect(reopened.syncedEnd).toEqual(log.syncedEnd);
  expect(reopened.backlogBytes).toBe(log.backlogBytes);
  await reopened.close();
});

test("reading goes on from a position, and records larger than a read chunk come back whole", async () => {
  const log = await openLog();
  const positions: LogPosition[] = [];
  for (const size of [10, 3_000_000, 5, 1_048_576, 7]) positions.push(await log.append(Buffer.alloc(size, 97)));
  expect([...positions].sort(comparePositions)).toEqual(positions);
  const lengths = async (from: LogPosition | null) => (await readAll(log, from)).map((text) => text.length);
  expect(await lengths(null)).toEqual([10, 3_000_000, 5, 1_048_576, 7]);
  expect(await lengths(positions[1] as LogPosition)).toEqual([5, 1_048_576, 7]);
  expect(await lengths(positions[4] as LogPosition)).toEqual([]);
  await log.close();
});

test("whenSynced resolves only when every earlier append is on disk", async () => {
  const log = await openLog();
  const order: string[] = [];
  const appends = Array.from({ length: 5 }, (_, index) =>
    log.append(Buffer.from(`${index}`)).then(() => order.push("append")),
  );
  await log.whenSynced().then(() => order.push("synced"));
  await Promise.all(appends);
  expect(order).toEqual(["append", "append", "append", "append", "append", "synced"]);
  await log.whenSynced();
  await log.close();
});

test("settled segments are deleted, the backlog is what is not settled, and the bound refuses without a loss", async () => {
  const log = await openLog({ segmentBytes: 200, maxBytes: 1_000 });
  const ends: LogPosition[] = [];
  const refused = await (async () => {
    for (;;) {
      const end = await log.append(Buffer.alloc(88, 98)).catch((error: Error) => error);
      if (end instanceof Error) return end;
      ends.push(end);
    }
  })();
  expect(refused).toBeInstanceOf(LogFullError);
  expect(ends).toHaveLength(10);
  expect(log.backlogBytes).toBe(1_000);
  await log.removeBefore(ends[6] as LogPosition);
  expect(log.backlogBytes).toBe(300);
  expect(await readAll(log, ends[6] as LogPosition)).toHaveLength(3);
  await log.append(Buffer.alloc(88, 99));
  await log.close();
  const reopened = await openLog({ segmentBytes: 200, maxBytes: 1_000 });
  expect(await readAll(reopened, ends[6] as LogPosition)).toHaveLength(4);
  await reopened.close();
});

test("a torn end is truncated and the log goes on after the last whole record", async () => {
  const log = await openLog();
  await log.append(Buffer.from("kept"));
  await log.append(Buffer.from("torn by a power cut"));
  await log.close();
  const path = join(directory, (await readdir(directory))[0] as string);
  const bytes = await readFile(path);
  for (const end of [bytes.subarray(0, -3), Buffer.concat([bytes.subarray(0, -3), Buffer.alloc(5_000)])]) {
    await writeFile(path, end);
    const reopened = await openLog();
    expect(await readAll(reopened)).toEqual(["kept"]);
    await reopened.close();
  }
  const again = await openLog();
  await again.append(Buffer.from("after"));
  expect(await readAll(again)).toEqual(["kept", "after"]);
  await again.close();
});

test("damage to acknowledged records refuses the start and leaves the file as it is", async () => {
  const log = await openLog({ segmentBytes: 300 });
  for (let index = 0; index < 12; index++) await log.append(Buffer.alloc(50, index + 65));
  await log.close();
  const names = (await readdir(directory)).sort();
  for (const name of [names[0], names.at(-1)]) {
    const path = join(directory, name as string);
    const bytes = await readFile(path);
    const damaged = Buffer.from(bytes);
    damaged[30] = (damaged[30] as number) ^ 1;
    await writeFile(path, damaged);
    await expect(openLog()).rejects.toThrow(LogDamagedError);
    expect(await readFile(path)).toEqual(damaged);
    await writeFile(path, bytes);
  }
  await rm(join(directory, names[1] as string));
  await expect(openLog()).rejects.toThrow(LogDamagedError);
});

test("a segment whose creation was cut is taken as empty", async () => {
  const log = await openLog();
  await log.append(Buffer.from("kept"));
  await log.close();
  const cut = await open(join(directory, "000000000002.wal"), "w");
  await cut.close();
  const reopened = await openLog();
  await reopened.append(Buffer.from("next"));
  expect(await readAll(reopened)).toEqual(["kept", "next"]);
  await reopened.close();
});

test("a closed log refuses appends after syncing what it took", async () => {
  const log = await openLog();
  const taken = log.append(Buffer.from("taken"));
  await log.close();
  await taken;
  await expect(log.append(Buffer.from("late"))).rejects.toThrow("closed");
  const reopened = await openLog();
  expect(await readAll(reopened)).toEqual(["taken"]);
  await reopened.close();
});
