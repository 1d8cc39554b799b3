/** Which process this is to others that use the same stores. */
import { randomUUID } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { IngestProcess } from "./evaluate-claim.ts";

/** `node`: the operator's name for it; without one it stays with the data folder. */
export async function identifyIngest({
  dataDir,
  node,
  lostNode,
}: {
  dataDir: string;
  node: string | undefined;
  lostNode: string | undefined;
}): Promise<IngestProcess> {
  const folder = await identityOfFolder(dataDir);
  return { name: node ?? folder.slice(0, 8), folder, host: hostname(), process: randomUUID(), lostNode };
}

/** The same for as long as the folder stands. */
async function identityOfFolder(dataDir: string): Promise<string> {
  await mkdir(dataDir, { recursive: true });
  const path = join(dataDir, "node-id");
  const found = await readFile(path, "utf8").catch(() => "");
  if (found !== "") return found.trim();
  const made = randomUUID();
  await writeFile(path, `${made}\n`, { flush: true });
  return made;
}
