/**
 * The file operations that the write-ahead log stands on, as a small interface: what the log promises can then be
 * tested against a disk that crashes, tears writes, fills up and fails.
 */
import { type FileHandle, mkdir, open, readdir, unlink } from "node:fs/promises";
import { join } from "node:path";

export interface LogFile {
  /** Writes all bytes at `offset`; on an error any part of them may be in the file. */
  write(buffers: Buffer[], offset: number): Promise<void>;
  /** Fills as much of `target` as the file has from `offset`, and returns how many bytes that is. */
  read(target: Buffer, offset: number): Promise<number>;
  /** When it resolves, everything written and the length are on disk. A failure says nothing about what is. */
  datasync(): Promise<void>;
  truncate(length: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

export interface LogFiles {
  /** File names in the directory, in no order; creates the directory when it is absent. */
  list(): Promise<string[]>;
  open(name: string, mode: "create" | "write" | "read"): Promise<LogFile>;
  remove(name: string): Promise<void>;
  /** Makes creations and removals durable. */
  syncDirectory(): Promise<void>;
}

/** The real file system below `directory`. */
export function directoryFiles(directory: string): LogFiles {
  return {
    async list() {
      await mkdir(directory, { recursive: true });
      return readdir(directory);
    },
    async open(name, mode) {
      const flags = mode === "create" ? "wx+" : mode === "write" ? "r+" : "r";
      return handleFile(await open(join(directory, name), flags, 0o600));
    },
    remove: (name) => unlink(join(directory, name)),
    async syncDirectory() {
      const handle = await open(directory, "r");
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    },
  };
}

function handleFile(handle: FileHandle): LogFile {
  return {
    async write(buffers, offset) {
      let rest = buffers;
      let position = offset;
      while (rest.length > 0) {
        // 1,024 is IOV_MAX on Linux and macOS.
        let { bytesWritten } = await handle.writev(rest.slice(0, 1024), position);
        position += bytesWritten;
        let done = 0;
        for (const buffer of rest) {
          if (bytesWritten < buffer.length) break;
          bytesWritten -= buffer.length;
          done++;
        }
        rest = rest.slice(done);
        const first = rest[0];
        if (first && bytesWritten > 0) rest = [first.subarray(bytesWritten), ...rest.slice(1)];
      }
    },
    async read(target, offset) {
      let filled = 0;
      while (filled < target.length) {
        const { bytesRead } = await handle.read(target, filled, target.length - filled, offset + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return filled;
    },
    datasync: () => handle.datasync(),
    truncate: (length) => handle.truncate(length),
    size: async () => (await handle.stat()).size,
    close: () => handle.close(),
  };
}
