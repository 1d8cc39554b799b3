/**
 * The process that is the embedded ClickHouse: it loads libchdb and hands its only thread over to clickhouse-local, whose
 * query starts ClickHouse's own HTTP listener and then runs for ever. Arguments: the library's path, then those of
 * clickhouse-local. It ends when its standard input does, which is when its parent is gone, however that ended.
 */
import { Worker } from "node:worker_threads";

/** Runs beside the blocked main thread: a read of the pipe returns nothing once the parent's end is closed. */
const watchParent = `
  const { readSync } = require("node:fs");
  const byte = Buffer.alloc(1);
  try { while (readSync(0, byte) > 0); } catch {}
  process.kill(process.pid, "SIGINT");
  setTimeout(() => process.kill(process.pid, "SIGKILL"), 5000);
`;

async function main(): Promise<void> {
  const [library, ...args] = process.argv.slice(2);
  if (!library) throw new Error("usage: clickhouse-child LIBRARY [ARGUMENT ...]");
  new Worker(watchParent, { eval: true }).unref();
  const { DataType, load, open } = await import("ffi-rs");
  open({ library: "chdb", path: library });
  const argv = ["clickhouse", ...args];
  load({
    library: "chdb",
    funcName: "chdb_query_cmdline",
    retType: DataType.I32,
    paramsType: [DataType.I32, DataType.StringArray],
    paramsValue: [argv.length, argv],
  });
  // An orderly exit would wait for the watcher's blocked read; ClickHouse has shut down, nothing is left to lose.
  process.kill(process.pid, "SIGKILL");
}

void main();
