/**
 * The process that is the embedded ClickHouse: it loads libchdb and hands its only thread over to clickhouse-local, whose
 * query starts ClickHouse's own HTTP listener and then runs for ever. Arguments: the library's path, then those of
 * clickhouse-local. It ends when its standard input does, which is when its parent is gone, however that ended.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
// Loaded before the watcher starts: while loading it asks Node for a report of all threads, which waits for ever for one
// that is blocked in a read.
import { DataType, load, open } from "ffi-rs";

/**
 * Runs beside the blocked main thread: the parent never writes, so a read of the pipe returns once the parent's end is
 * closed. SIGINT lets ClickHouse finish what it writes.
 */
const watchParent = `
  const { readSync } = require("node:fs");
  const { parentPort } = require("node:worker_threads");
  const wait = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  const byte = Buffer.alloc(1);
  parentPort.postMessage("watching");
  for (;;) {
    try {
      if (readSync(0, byte) === 0) break;
    } catch (error) {
      if (error.code !== "EAGAIN" && error.code !== "EINTR") break;
      wait(200);
    }
  }
  process.kill(process.pid, "SIGINT");
  wait(5000);
  process.kill(process.pid, "SIGKILL");
`;

async function main(): Promise<void> {
  const [library, ...args] = process.argv.slice(2);
  if (!library) throw new Error("usage: clickhouse-child LIBRARY [ARGUMENT ...]");
  await once(new Worker(watchParent, { eval: true, execArgv: [] }), "message");
  open({ library: "chdb", path: library });
  const argv = ["clickhouse", ...args];
  load({
    library: "chdb",
    funcName: "chdb_query_cmdline",
    retType: DataType.I32,
    paramsType: [DataType.I32, DataType.StringArray],
    paramsValue: [argv.length, argv],
  });
  // An orderly exit would wait for the watcher's blocked read and run the library's destructors under its own threads;
  // ClickHouse has shut down, or has written why it could not start: nothing is left to lose.
  process.kill(process.pid, "SIGKILL");
}

void main();
