import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DataFolderInUseError, lockDataFolder } from "../../server/process/data-folder-lock.ts";
import { identifyProcess } from "../../server/process/process-identity.ts";

let dataDir: string;
const lockFile = () => join(dataDir, "tidemark.lock");

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "tidemark-lock-"));
});

afterEach(() => rm(dataDir, { recursive: true, force: true }));

test("a second service on the folder learns which process has it", async () => {
  const release = await lockDataFolder(dataDir);
  await expect(lockDataFolder(dataDir)).rejects.toThrow(DataFolderInUseError);
  await expect(lockDataFolder(dataDir)).rejects.toThrow(`(process ${process.pid}`);
  await release();
});

test("a folder that was given back can be taken again, and nothing of the lock stays", async () => {
  await (await lockDataFolder(dataDir))();
  await (await lockDataFolder(dataDir))();
  expect(await readdir(dataDir)).toEqual([]);
});

test("a folder that does not exist yet is made", async () => {
  const release = await lockDataFolder(join(dataDir, "new", "folder"));
  await release();
});

test("the lock of a service that was killed is taken over", async () => {
  const killed = spawn("sleep", ["60"], { stdio: "ignore" });
  await once(killed, "spawn");
  await writeFile(lockFile(), JSON.stringify(identifyProcess(killed.pid ?? 0)));
  await expect(lockDataFolder(dataDir)).rejects.toThrow(`(process ${killed.pid}`);
  killed.kill("SIGKILL");
  await once(killed, "exit");
  const release = await lockDataFolder(dataDir);
  expect(await readFile(lockFile(), "utf8")).toContain(String(process.pid));
  await release();
});

test("a lock whose process number now belongs to another process is taken over", async () => {
  await writeFile(lockFile(), JSON.stringify({ pid: process.pid, started: "another boot 1" }));
  await (await lockDataFolder(dataDir))();
});

test("a lock file that a power cut left empty is taken over", async () => {
  await writeFile(lockFile(), "");
  await (await lockDataFolder(dataDir))();
});

test("a folder that everybody could read is closed to all but its owner, with what lies in it", async () => {
  const open = join(dataDir, "wal");
  await mkdir(open, { mode: 0o755 });
  await writeFile(join(dataDir, "node-name"), "x", { mode: 0o644 });
  await chmod(dataDir, 0o755);
  const unlock = await lockDataFolder(dataDir);
  const modeOf = async (path: string) => (await stat(path)).mode & 0o777;
  expect(await modeOf(dataDir)).toBe(0o700);
  expect(await modeOf(open)).toBe(0o700);
  expect(await modeOf(join(dataDir, "node-name"))).toBe(0o600);
  await unlock();
});
