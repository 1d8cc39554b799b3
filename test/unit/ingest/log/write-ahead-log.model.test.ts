/** The log against a simulated disk that loses what was not synced, tears writes, fills up and fails. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { LogFailedError, LogFullError } from "../../../../server/ingest/log/log-errors.ts";
import type { LogFile, LogFiles } from "../../../../server/ingest/log/log-files.ts";
import { openWriteAheadLog, type WriteAheadLog } from "../../../../server/ingest/log/write-ahead-log.ts";

const runs = Number(process.env.PROPERTY_RUNS ?? 400);

type Fault = "write-full" | "write-io" | "sync-io";

interface DiskFile {
  durable: Buffer;
  now: Buffer;
}

/** Operations wait until `step` lets them go on, so that a crash can fall between any two of them. */
class Disk {
  durableNames = new Map<string, DiskFile>();
  names = new Map<string, DiskFile>();
  fault: Fault | undefined;
  #waiting: (() => void)[] = [];
  #era = 0;

  async step(count: number): Promise<void> {
    for (let done = 0; done < count; done++) {
      await turn();
      this.#waiting.shift()?.();
    }
    await turn();
  }

  async settle(): Promise<void> {
    for (;;) {
      await turn();
      const next = this.#waiting.shift();
      if (!next) return;
      next();
    }
  }

  /** What was not synced survives as a prefix of any length, its last bytes possibly garbage. */
  crash(keep: number, garbage: boolean): void {
    this.#era++;
    this.#waiting = [];
    this.fault = undefined;
    this.names = new Map(this.durableNames);
    for (const file of this.names.values()) {
      const unsynced = Math.max(0, file.now.length - file.durable.length);
      const kept = Math.floor(unsynced * keep);
      const tail = Buffer.from(file.now.subarray(file.durable.length, file.durable.length + kept));
      if (garbage && tail.length > 0) tail.fill(0, Math.floor(tail.length / 2));
      file.now = Buffer.concat([file.durable, tail]);
      file.durable = file.now;
    }
  }

  async #turn(): Promise<void> {
    const era = this.#era;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (era !== this.#era) await new Promise(() => undefined);
  }

  #takeFault(...faults: Fault[]): Fault | undefined {
    if (!this.fault || !faults.includes(this.fault)) return undefined;
    const fault = this.fault;
    this.fault = undefined;
    return fault;
  }

  files(): LogFiles {
    return {
      list: async () => {
        await this.#turn();
        return [...this.names.keys()];
      },
      open: async (name, mode) => {
        await this.#turn();
        if (mode === "create") {
          if (this.names.has(name)) throw Object.assign(new Error("exists"), { code: "EEXIST" });
          this.names.set(name, { durable: Buffer.alloc(0), now: Buffer.alloc(0) });
        }
        const file = this.names.get(name);
        if (!file) throw Object.assign(new Error("absent"), { code: "ENOENT" });
        return this.#handle(file);
      },
      remove: async (name) => {
        await this.#turn();
        this.names.delete(name);
      },
      syncDirectory: async () => {
        await this.#turn();
        this.durableNames = new Map(this.names);
      },
    };
  }

  #handle(file: DiskFile): LogFile {
    return {
      write: async (buffers, offset) => {
        await this.#turn();
        const all = Buffer.concat(buffers);
        const fault = this.#takeFault("write-full", "write-io");
        const bytes = fault ? all.subarray(0, Math.floor(all.length / 2)) : all;
        const next = Buffer.alloc(Math.max(file.now.length, offset + bytes.length));
        file.now.copy(next);
        bytes.copy(next, offset);
        file.now = next;
        if (fault) throw Object.assign(new Error(fault), { code: fault === "write-full" ? "ENOSPC" : "EIO" });
      },
      read: async (target, offset) => {
        await this.#turn();
        return file.now.copy(target, 0, offset);
      },
      datasync: async () => {
        await this.#turn();
        if (this.#takeFault("sync-io")) throw Object.assign(new Error("sync"), { code: "EIO" });
        file.durable = Buffer.from(file.now);
      },
      truncate: async (length) => {
        await this.#turn();
        const next = Buffer.alloc(length);
        file.now.copy(next);
        file.now = next;
      },
      size: async () => {
        await this.#turn();
        return file.now.length;
      },
      close: () => this.#turn(),
    };
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function run<T>(disk: Disk, work: Promise<T>): Promise<T> {
  let isDone = false;
  const finished = () => {
    isDone = true;
  };
  work.then(finished, finished);
  for (;;) {
    await disk.settle();
    if (isDone) return work;
  }
}

type Action =
  | { do: "append"; bytes: number }
  | { do: "steps"; count: number }
  | { do: "fault"; fault: Fault }
  | { do: "settleHalf" }
  | { do: "crash"; keep: number; garbage: boolean };

const actions: fc.Arbitrary<Action[]> = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.record({ do: fc.constant("append" as const), bytes: fc.integer({ min: 5, max: 60 }) }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant("steps" as const), count: fc.integer({ min: 0, max: 6 }) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant("fault" as const),
        fault: fc.constantFrom<Fault>("write-full", "write-io", "sync-io"),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("settleHalf" as const) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant("crash" as const),
        keep: fc.double({ min: 0, max: 1, noNaN: true }),
        garbage: fc.boolean(),
      }),
    },
  ),
  { minLength: 1, maxLength: 40 },
);

test(
  "what append resolved is never lost, order is kept, and nothing appears that was not appended",
  async () => {
    await fc.assert(
      fc.asyncProperty(actions, async (steps) => {
        const disk = new Disk();
        const appended: number[] = [];
        const acknowledged = new Set<number>();
        const refused = new Set<number>();
        let settledBelow = 0;
        const open = () =>
          run(
            disk,
            openWriteAheadLog({
              directory: "",
              maxBytes: 1e6,
              segmentBytes: 150,
              onFatal: () => undefined,
              files: disk.files(),
            }),
          );
        let log: WriteAheadLog = await open();

        const readBack = async () => {
          const reading = (async () => {
            const records: number[] = [];
            for await (const record of log.read(null)) records.push(record.payload.readUInt32LE(0));
            return records;
          })();
          return run(disk, reading);
        };
        const check = async () => {
          const present = await readBack();
          expect(present).toEqual([...present].sort((a, b) => a - b));
          for (const number of present) expect(appended).toContain(number);
          for (const number of present) expect(refused).not.toContain(number);
          expect([...acknowledged].filter((number) => number >= settledBelow && !present.includes(number))).toEqual([]);
        };
        const crash = async (keep: number, garbage: boolean) => {
          disk.crash(keep, garbage);
          log = await open();
          await check();
        };

        for (const step of steps) {
          if (step.do === "append") {
            const number = appended.length;
            appended.push(number);
            const payload = Buffer.alloc(step.bytes, number & 255);
            payload.writeUInt32LE(number, 0);
            const halves = [payload.subarray(0, 4), payload.subarray(4)];
            log.append(halves).then(
              () => acknowledged.add(number),
              (error: Error) => {
                if (error instanceof LogFullError) refused.add(number);
                else expect(error).toBeInstanceOf(LogFailedError);
              },
            );
          } else if (step.do === "steps") await disk.step(step.count);
          else if (step.do === "fault") disk.fault = step.fault;
          else if (step.do === "settleHalf") {
            await disk.settle();
            const records: { number: number; end: { segment: number; offset: number } }[] = [];
            await run(
              disk,
              (async () => {
                for await (const record of log.read(null))
                  records.push({ number: record.payload.readUInt32LE(0), end: record.end });
              })(),
            );
            const middle = records[Math.floor(records.length / 2)];
            if (middle) {
              await run(disk, log.removeBefore(middle.end));
              settledBelow = Math.max(settledBelow, middle.number + 1);
            }
          } else await crash(step.keep, step.garbage);
        }
        await disk.settle();
        await crash(0, false);
      }),
      { numRuns: runs },
    );
  },
  60_000 + 50 * runs,
);

test.each<Fault>(["sync-io", "write-io"])(
  "after %s nothing more is acknowledged, and the owner is called once",
  async (fault) => {
    const disk = new Disk();
    const fatal: Error[] = [];
    const log = await run(
      disk,
      openWriteAheadLog({ directory: "", maxBytes: 1e6, onFatal: (error) => fatal.push(error), files: disk.files() }),
    );
    disk.fault = fault;
    const outcomes = Promise.allSettled([
      log.append(Buffer.from("in the group")),
      log.append(Buffer.from("behind it")),
    ]);
    expect((await run(disk, outcomes)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    await expect(log.append(Buffer.from("later"))).rejects.toThrow(LogFailedError);
    await expect(log.whenSynced()).rejects.toThrow(LogFailedError);
    expect(fatal).toHaveLength(1);
  },
);

test("a full disk refuses the group and what waits behind it, and takes appends again when there is room", async () => {
  const disk = new Disk();
  const log = await run(
    disk,
    openWriteAheadLog({ directory: "", maxBytes: 1e6, onFatal: () => undefined, files: disk.files() }),
  );
  disk.fault = "write-full";
  const outcomes = Promise.allSettled([
    log.append(Buffer.from("in the group")),
    log.append(Buffer.from("behind it")),
    log.whenSynced(),
  ]);
  for (const outcome of await run(disk, outcomes)) {
    expect(outcome).toMatchObject({ status: "rejected", reason: expect.any(LogFullError) });
  }
  expect(log.backlogBytes).toBe(0);
  await run(disk, log.append(Buffer.from("with room")));
  const records = await run(
    disk,
    (async () => {
      const payloads: string[] = [];
      for await (const { payload } of log.read(null)) payloads.push(payload.toString());
      return payloads;
    })(),
  );
  expect(records).toEqual(["with room"]);
});
