/**
 * One service per data folder. The lock names the process and when that process started, so that a lock left by kill -9
 * is told from one whose process number now belongs to something else.
 */
import { chmod, link, mkdir, readdir, readFile, rename, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { identifyProcess, isSameProcessRunning, parseProcessIdentity } from "./process-identity.ts";

export class DataFolderInUseError extends Error {
  override name = "DataFolderInUseError";
}

/** Resolves to the function that gives the folder back. Throws DataFolderInUseError while another service has it. */
export async function lockDataFolder(dataDir: string): Promise<() => Promise<void>> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await tighten(dataDir);
  const path = join(dataDir, "tidemark.lock");
  const mine = `${JSON.stringify(identifyProcess(process.pid))}\n`;
  const candidate = `${path}.${process.pid}`;
  await writeFile(candidate, mine);
  try {
    for (;;) {
      try {
        // Linking fails when the name exists: of two services that start at once, one gets the folder.
        await link(candidate, path);
        return async () => {
          if ((await contentOf(path)) === mine) await unlink(path);
        };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
        await removeStaleLock(dataDir, path);
      }
    }
  } finally {
    await unlink(candidate).catch(() => undefined);
  }
}

/** The folder was perhaps made by hand or by a release that let everybody read it; nobody passes it then, whatever lies within. */
async function tighten(dataDir: string): Promise<void> {
  const within = await readdir(dataDir, { withFileTypes: true });
  const folders = [dataDir, ...within.filter((one) => one.isDirectory()).map(({ name }) => join(dataDir, name))];
  const files = within.filter((one) => one.isFile()).map(({ name }) => join(dataDir, name));
  const changes = [...folders.map((path) => chmod(path, 0o700)), ...files.map((path) => chmod(path, 0o600))];
  // A folder of another owner is that owner's to close; a lock of another start may be gone by now.
  for (const { reason } of (await Promise.allSettled(changes)).filter((one) => one.status === "rejected"))
    if (!["EPERM", "ENOENT"].includes((reason as NodeJS.ErrnoException).code ?? "")) throw reason;
}

async function removeStaleLock(dataDir: string, path: string): Promise<void> {
  const held = await contentOf(path);
  const owner = parseProcessIdentity(held);
  if (owner !== undefined && isSameProcessRunning(owner))
    throw new DataFolderInUseError(
      `The data folder ${dataDir} is in use by another service (process ${owner.pid}). Stop that one first, or set TIDEMARK_DATA_DIR to another folder.`,
    );
  const removed = `${path}.${process.pid}.stale`;
  await rename(path, removed).catch(() => undefined);
  // Another service that starts now may have replaced the stale lock in between: then this took a lock that is in force.
  if ((await contentOf(removed)) !== held) await link(removed, path).catch(() => undefined);
  await unlink(removed).catch(() => undefined);
}

function contentOf(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
