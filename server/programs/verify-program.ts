/**
 * `npm run audit:verify [SEQUENCE:HASH]`: checks the chain of the audit, and that it still has the entry which an earlier
 * check printed. Reads the settings of the service; a service with the embedded Postgres may run meanwhile.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { verifyAudit } from "../audit/verify-audit.ts";
import { type Config, loadConfig } from "../config.ts";
import { connectPostgres } from "../postgres/client.ts";
import { DataFolderInUseError, lockDataFolder } from "../process/data-folder-lock.ts";
import { createLogger } from "../telemetry/logger.ts";

try {
  const expected = expectedEntry(process.argv[2]);
  const { url, stop } = await openPostgres(loadConfig(process.env));
  const postgres = connectPostgres(url);
  try {
    const { entries, headHash, fault } = await verifyAudit(postgres, expected);
    if (fault === undefined)
      console.log(`The audit log is intact: ${entries} entries. The newest is ${entries}:${headHash}`);
    else console.error(`The audit log was tampered with: ${fault}`);
    process.exitCode = fault === undefined ? 0 : 1;
  } finally {
    await postgres.close();
    await stop();
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}

function expectedEntry(text: string | undefined): { sequence: number; hash: string } | undefined {
  if (text === undefined) return undefined;
  const [, sequence, hash] = /^(\d+):([0-9a-f]{64})$/.exec(text) ?? [];
  if (sequence === undefined || hash === undefined)
    throw new Error(`expected SEQUENCE:HASH as an earlier check printed it, got ${JSON.stringify(text)}`);
  return { sequence: Number(sequence), hash };
}

/** The Postgres of DATABASE_URL, or the embedded one: that of the running service, else started for this check. */
async function openPostgres(config: Config): Promise<{ url: string; stop: () => Promise<void> }> {
  if (config.databaseUrl) return { url: config.databaseUrl, stop: async () => undefined };
  try {
    const unlock = await lockDataFolder(config.dataDir);
    const { startEmbeddedPostgres } = await import("../embedded/embedded-postgres.ts");
    const embedded = await startEmbeddedPostgres({ dataDir: config.dataDir, log: createLogger("warn") });
    return {
      url: embedded.url,
      stop: async () => {
        await embedded.stop();
        await unlock();
      },
    };
  } catch (error) {
    if (!(error instanceof DataFolderInUseError)) throw error;
    const home = join(config.dataDir, "postgres");
    const [password, pidFile] = await Promise.all([
      readFile(join(home, "password"), "utf8"),
      readFile(join(home, "data", "postmaster.pid"), "utf8"),
    ]);
    // The fourth line is the port.
    const port = Number(pidFile.split("\n")[3]);
    return { url: `postgres://tidemark:${password.trim()}@127.0.0.1:${port}/postgres`, stop: async () => undefined };
  }
}
