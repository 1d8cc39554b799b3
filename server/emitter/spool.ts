/**
 * Events held in files of a folder: one file of lines for each request, written event by event, read again when it is its
 * turn, removed when the service has answered for each of its events. Every emitter holds a lock in the folder for as long as
 * it lives; the files of one whose lock is free are taken over, by whoever looks first.
 */
import { createHash, randomBytes } from "node:crypto";
import {
  appendFileSync,
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Batch, Queue, RequestBounds } from "./queue.ts";

interface Segment {
  path: string;
  count: number;
  bytes: number;
}

/** What no service will ever take is kept here for a person to look at. */
const asideName = "not-taken.ndjson";
const lockName = /^([0-9a-f]{12})\.lock$/;
const segmentName = /^([0-9a-f]{12})\.(\d{12})\.ndjson$/;
/** As version 0.1 named its files, for the number of the process; they have no lock. */
const unlockedSegmentName = /^(\d+)\.[0-9a-f]{16}\.(\d{12})\.ndjson$/;
/** The path of a socket has at most 103 bytes on every system. */
const longestSocketPath = 103;

export class SpoolQueue implements Queue {
  heldCount = 0;
  heldBytes = 0;
  readonly keptIn: string;
  readonly #bounds: RequestBounds;
  readonly #mark = randomBytes(6).toString("hex");
  readonly #lock: Server;
  readonly #whole: Segment[] = [];
  #wholeCount = 0;
  #open: (Segment & { file: number }) | undefined;
  #number = 0;

  /** @throws when the folder cannot be made or locked. */
  constructor(directory: string, bounds: RequestBounds) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.keptIn = realpathSync(directory);
    this.#bounds = bounds;
    // Held before the first file is there: nobody may ever see a file of ours without our lock.
    this.#lock = holdLock(lockPath(this.keptIn, this.#mark));
  }

  get count(): number {
    return this.#wholeCount + (this.#open?.count ?? 0);
  }

  async takeOver(): Promise<number> {
    const left: { name: string; order: string }[] = [];
    const names = readdirSync(this.keptIn);
    const free = await this.#freeMarks(names);
    for (const name of names) {
      const [, mark, number] = segmentName.exec(name) ?? [];
      const [, pid, unlockedNumber] = unlockedSegmentName.exec(name) ?? [];
      if (mark !== undefined && free.has(mark)) left.push({ name, order: this.#age(name, number) });
      else if (pid !== undefined && !isRunning(Number(pid)))
        left.push({ name, order: this.#age(name, unlockedNumber) });
    }
    let taken = 0;
    for (const { name } of left.sort((a, b) => (a.order < b.order ? -1 : 1))) {
      const path = this.#nextPath();
      try {
        renameSync(join(this.keptIn, name), path);
      } catch {
        continue; // Another emitter was faster.
      }
      const segment = { path, bytes: statSync(path).size, count: linesOf(path).length };
      this.#keep(segment);
      this.#hold(segment);
      taken += segment.count;
    }
    for (const mark of free) removeLock(lockPath(this.keptIn, mark));
    return taken;
  }

  /** The marks of emitters that have ended. */
  async #freeMarks(names: readonly string[]): Promise<Set<string>> {
    const marks = names.map((name) => (segmentName.exec(name) ?? lockName.exec(name))?.[1]);
    const free = new Set<string>();
    for (const mark of new Set(marks))
      if (mark !== undefined && mark !== this.#mark && (await isLockFree(lockPath(this.keptIn, mark)))) free.add(mark);
    return free;
  }

  add(text: string): void {
    if (!this.#open) {
      const path = this.#nextPath();
      this.#open = { path, file: openSync(path, "wx", 0o600), count: 0, bytes: 0 };
    }
    const segment = this.#open;
    const line = Buffer.from(`${text}\n`, "utf8");
    try {
      for (let done = 0; done < line.length; )
        done += writeSync(segment.file, line, done, line.length - done, segment.bytes + done);
    } catch (error) {
      // A full disk may have taken a part of the line; the next one is written over it.
      ftruncateSync(segment.file, segment.bytes);
      throw error;
    }
    segment.count++;
    segment.bytes += line.length;
    this.#hold({ count: 1, bytes: line.length });
    const { eventsPerRequest, bytesPerRequest } = this.#bounds;
    if (segment.count >= eventsPerRequest || segment.bytes >= bytesPerRequest) this.#closeOpen();
  }

  hasWhole(): boolean {
    return this.#whole.length > 0;
  }

  next(): Batch | undefined {
    if (this.#whole.length === 0) this.#closeOpen();
    const segment = this.#whole.shift();
    if (!segment) return undefined;
    const { path, count, bytes } = segment;
    this.#wholeCount -= count;
    return {
      count,
      read: () => linesOf(path),
      answered: (setAside) => {
        if (setAside.length > 0)
          appendFileSync(join(this.keptIn, asideName), `${setAside.join("\n")}\n`, { mode: 0o600 });
        unlinkSync(path);
        this.#hold({ count: -count, bytes: -bytes });
      },
    };
  }

  close(): void {
    this.#closeOpen();
    this.#lock.close();
  }

  #age(name: string, number: string | undefined): string {
    try {
      return `${statSync(join(this.keptIn, name)).mtimeMs} ${number}`;
    } catch {
      return "";
    }
  }

  #hold({ count, bytes }: { count: number; bytes: number }): void {
    this.heldCount += count;
    this.heldBytes += bytes;
  }

  #closeOpen(): void {
    const segment = this.#open;
    this.#open = undefined;
    if (!segment) return;
    closeSync(segment.file);
    if (segment.count > 0) this.#keep(segment);
    else unlinkSync(segment.path);
  }

  #keep({ path, count, bytes }: Segment): void {
    this.#whole.push({ path, count, bytes });
    this.#wholeCount += count;
  }

  #nextPath(): string {
    return join(this.keptIn, `${this.#mark}.${String(this.#number++).padStart(12, "0")}.ndjson`);
  }
}

/** Whole lines only: what a machine that lost power had not written to its end was never sent, and cannot be. */
function linesOf(path: string): string[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .slice(0, -1)
    .filter((line) => {
      try {
        return typeof JSON.parse(line) === "object";
      } catch {
        return false;
      }
    });
}

/**
 * A lock is a socket that its holder listens on: the system frees it the moment the process is gone, however it ended, and no
 * other process can have it by chance, as it can have the same number. A process that is stopped or busy keeps it.
 */
function lockPath(directory: string, mark: string): string {
  const path = join(directory, `${mark}.lock`);
  const hash = createHash("sha256").update(path).digest("hex").slice(0, 24);
  if (process.platform === "win32") return `\\\\.\\pipe\\tidemark-${hash}`;
  return Buffer.byteLength(path) <= longestSocketPath ? path : join(tmpdir(), `tidemark-${hash}.lock`);
}

function holdLock(path: string): Server {
  const server = createServer((socket) => socket.destroy());
  let failure: Error | undefined;
  server.on("error", (error) => {
    failure = error;
  });
  // `exclusive` binds at once and in this process, also in a worker of node:cluster.
  server.listen({ path, exclusive: true });
  if (!server.listening && failure) throw failure;
  server.unref();
  return server;
}

function isLockFree(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
    // Anything but these does not say that nobody is there.
    socket.once("error", (error: NodeJS.ErrnoException) =>
      resolve(error.code === "ECONNREFUSED" || error.code === "ENOENT"),
    );
  });
}

function removeLock(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It is gone already, or a pipe of Windows, which goes with its process.
  }
}

/** Whether another process has this number. One with this process's own has ended: two cannot have it. */
function isRunning(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
