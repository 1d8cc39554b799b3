/**
 * ClickHouse without a server to install: a child process that runs ClickHouse's own HTTP protocol on a loopback port out
 * of libchdb. The rest of the service knows its URL only.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, open, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Logger } from "pino";
import { type ClickHouseConnection, connectClickHouse } from "../clickhouse/client.ts";
import { keepChild } from "./child-process.ts";
import { serverConfig, usersConfig } from "./clickhouse-config.ts";
import { freeLoopbackPort, keptSecret } from "./loopback.ts";

export interface EmbeddedClickHouse {
  connection: Required<ClickHouseConnection>;
  pid(): number | undefined;
  stop(): Promise<void>;
}

const username = "tidemark";
const database = "tidemark";
/** Answers as long as the listener runs; sleeping one row at a time costs nothing. */
const listenForEver =
  "SYSTEM START LISTEN HTTP; SELECT sleepEachRow(1) FROM system.numbers SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 0 FORMAT Null";

/** Throws with what to do where the library does not exist for this platform. */
function libchdbPath(): string {
  const require = createRequire(import.meta.url);
  const name = `@chdb/lib-${process.platform}-${process.arch}${process.platform === "linux" ? "-gnu" : ""}`;
  try {
    const path = join(dirname(require.resolve(`${name}/package.json`)), "libchdb.so");
    if (existsSync(path)) return path;
  } catch {
    // The message below says the same for a package that is absent and one without its library.
  }
  throw new Error(
    `The embedded ClickHouse needs the package ${name}, which is not installed (there may be none for this platform). Set CLICKHOUSE_URL to a ClickHouse server of version 26.3 or newer instead.`,
  );
}

/** Starts it with its data below `dataDir`/clickhouse; resolves when it answers and its database exists. */
export async function startEmbeddedClickHouse({
  dataDir,
  log,
}: {
  dataDir: string;
  log: Logger;
}): Promise<EmbeddedClickHouse> {
  const library = libchdbPath();
  const home = join(dataDir, "clickhouse");
  await mkdir(join(home, "data"), { recursive: true });
  const password = await keptSecret(join(home, "password"));
  const configPath = join(home, "config.xml");
  const usersPath = join(home, "users.xml");
  const logPath = join(home, "clickhouse.log");
  await writeFile(usersPath, usersConfig({ username, password }), { mode: 0o600 });
  await rm(configPath, { force: true });
  await writeFile(configPath, serverConfig({ logPath, usersPath, username, password }), { mode: 0o600 });
  const port = await freeLoopbackPort();
  const connection = { url: `http://127.0.0.1:${port}`, username, password, database };
  const probe = connectClickHouse({ ...connection, database: "default" });
  const outputPath = join(home, "clickhouse-child.log");
  const outputFile = await open(outputPath, "a");
  const child = await keepChild({
    name: "the embedded ClickHouse",
    start: async () =>
      spawn(
        process.execPath,
        [
          ...childEntry(),
          library,
          `--config-file=${configPath}`,
          `--path=${join(home, "data")}`,
          `--http_port=${port}`,
          "--listen_host=127.0.0.1",
          "--log-level=warning",
          "--query",
          listenForEver,
        ],
        // A session of its own: Ctrl-C in a terminal reaches the service alone, which still needs its store to finish.
        { stdio: ["pipe", outputFile.fd, outputFile.fd], cwd: home, detached: true },
      ),
    probe: () => probe.ping(),
    startWithinMs: 120_000,
    stopSignal: "SIGINT",
    identityFile: join(home, "process.json"),
    logFiles: [logPath, outputPath],
    log,
  });
  await probe.command(`CREATE DATABASE IF NOT EXISTS ${database}`);
  return {
    connection,
    pid: child.pid,
    async stop() {
      await child.stop();
      await probe.close();
      await outputFile.close();
    },
  };
}

/** The built child beside the built server, or the source through tsx in development and tests. */
function childEntry(): string[] {
  const built = fileURLToPath(new URL("./clickhouse-child.js", import.meta.url));
  if (existsSync(built)) return [built];
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  return ["--import", tsx, fileURLToPath(new URL("./clickhouse-child.ts", import.meta.url))];
}
