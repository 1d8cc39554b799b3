/**
 * One service per data folder. The lock names the process and when that process started, so that a lock left by kill -9
 * is told from one whose process number now belongs to something else.
 */
import { link, mkdir, readFile, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

export class DataFolderInUseError extends Error {
  override name = "DataFolderInUseError";
}

/** Resolves to the function that gives the folder back. Throws DataFolderInUseError while another service has it. */
export async function lockDataFolder(dataDir: string): Promise<() => Promise<void>> {
  await mkdir(dataDir, { recursive: true });
  const path = join(dataDir, "tidemark.lock");
  const mine = `${process.pid} ${await startedAt(process.pid)}\n`;
  const candidate = `${path}.${process.pid}`;
  await writeFile(candidate, mine);
  try {
    for (;;) {
      try {
        // Linking fails when the name exists: of two services that start at once, one gets the folder.
        await link(candidate, path);
        return async () => {
          if ((await readFile(path, "utf8").catch(() => "")) === mine) await unlink(path);
        };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
        const held = await readFile(path, "utf8").catch(() => "");
        const [pid = "", started = ""] = held.trim().split(" ");
        if (held !== "" && (await startedAt(Number(pid))) === started)
          throw new DataFolderInUseError(
            `The data folder ${dataDir} is in use by the service with process number ${pid}.`,
          );
        await unlink(path).catch(() => undefined);
      }
    }
  } finally {
    await unlink(candidate).catch(() => undefined);
  }
}

/** When a living process started, in units that only compare; "" for none. Where there is no /proc: whether it lives. */
async function startedAt(pid: number): Promise<string> {
  if (!Number.isInteger(pid) || pid <= 0) return "none";
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    // The second field is the name in parentheses and may hold spaces; the start time is the 22nd field.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    try {
      process.kill(pid, 0);
      return "alive";
    } catch {
      return "none";
    }
  }
}
