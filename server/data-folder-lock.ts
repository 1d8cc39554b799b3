/**
 * One service per data folder. The lock names the process and when that process started, so that a lock left by kill -9
 * is told from one whose process number now belongs to something else.
 */
import { link, mkdir, readFile, rename, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { identifyProcess, isSameProcessRunning, parseProcessIdentity } from "./process-identity.ts";

export class DataFolderInUseError extends Error {
  override name = "DataFolderInUseError";
}

/** Resolves to the function that gives the folder back. Throws DataFolderInUseError while another service has it. */
export async function lockDataFolder(dataDir: string): Promise<() => Promise<void>> {
  await mkdir(dataDir, { recursive: true });
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

async function removeStaleLock(dataDir: string, path: string): Promise<void> {
  const held = await contentOf(path);
  const owner = parseProcessIdentity(held);
  if (owner !== undefined && isSameProcessRunning(owner))
    throw new DataFolderInUseError(
      `The data folder ${dataDir} is in use by the service with process number ${owner.pid}. Stop that one first, or set TIDEMARK_DATA_DIR to another folder.`,
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
