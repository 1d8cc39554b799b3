/** What a power cut does to the log and kill -9 does not: bytes that were written but not synced are gone. */
import { readdir, readFile, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The same path from here and from a bundle in dist/server. */
const recordSyncs = fileURLToPath(new URL("../../test/chaos/record-syncs.mjs", import.meta.url));

/** With these arguments a server notes what is synced. */
export const noteSyncs = ["--import", recordSyncs];

/**
 * Takes from each segment of a dead server's log what was not synced: all of it, or all but some first bytes, as a disk may
 * have got that far. Resolves with the number of bytes taken.
 */
export async function cutUnsynced(dataDir: string): Promise<number> {
  const folder = join(dataDir, "log");
  let taken = 0;
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    const { size } = await stat(path);
    const synced = Number(await readFile(join(dataDir, "synced", name), "utf8").catch(() => "0"));
    if (size <= synced) continue;
    const kept = synced + (Math.random() < 0.5 ? 0 : Math.floor(Math.random() * (size - synced)));
    await truncate(path, kept);
    taken += size - kept;
  }
  return taken;
}
