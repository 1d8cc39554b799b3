import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseProcessIdentity } from "../../server/process/process-identity.ts";

/** The process of a service's embedded ClickHouse, to be stopped and continued. */
export async function clickHousePid(dataDir: string): Promise<number> {
  const identity = parseProcessIdentity(await readFile(join(dataDir, "clickhouse", "process.json"), "utf8"));
  if (!identity) throw new Error("the embedded ClickHouse does not say which process it is");
  return identity.pid;
}
