/** The program: settings from the environment, one service, and a clean end. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { setFlagsFromString } from "node:v8";
import { ClaimRefusedError } from "./cluster/claim-stores.ts";
import { ConfigError, loadConfig } from "./config.ts";
import { openSinks } from "./demo/sinks.ts";
import { StoreRefusedError } from "./health/await-store.ts";
import { isStoreUnavailable, storeTrouble } from "./health/store-trouble.ts";
import { DataFolderInUseError } from "./process/data-folder-lock.ts";
import { createLogger } from "./telemetry/logger.ts";
import { type Service, startService } from "./wiring/service.ts";
import { withSinks } from "./wiring/with-sinks.ts";

/**
 * Garbage is collected when the heap has grown by half since the last time, not by several times what is in use: under three
 * times the load it can take the process stays below 400 MB instead of 550, and takes as many events a second.
 */
setFlagsFromString("--heap-growing-percent=50");

/** Longer than any part may take to stop; then the process ends anyway, and the next start recovers. */
const stopWithinMs = 9_500;

async function main(): Promise<void> {
  // What this process and its children make is its owner's alone: usage, logs, secrets.
  process.umask(0o077);
  const sinks = process.argv.includes("--demo") ? await openSinks() : undefined;
  const config = sinks ? withSinks(loadConfig(process.env), sinks) : loadConfig(process.env);
  const log = createLogger(config.logLevel);
  let simulator: ChildProcess | undefined;
  let service: Service | undefined;
  let isStopping = false;

  async function end(code: number, drain: boolean): Promise<void> {
    if (isStopping) return;
    isStopping = true;
    if (drain) await service?.drain();
    setTimeout(() => {
      log.error(
        "the service could not stop in time; what it acknowledged is in its data folder, and stored at the next start",
      );
      process.exit(code === 0 ? 1 : code);
    }, stopWithinMs).unref();
    simulator?.kill("SIGTERM");
    await service?.stop();
    process.exit(code);
  }
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => {
      if (isStopping) process.exit(1);
      log.info({ signal }, "stopping");
      // Whoever presses Ctrl-C waits in front of it; SIGTERM comes from what restarts services behind balancers.
      void end(0, signal === "SIGTERM");
    });
  process.on("unhandledRejection", (error) => log.error({ err: error }, "a rejection was not handled"));

  service = await startService(config, log, (error) => {
    if (error instanceof ClaimRefusedError) {
      log.fatal(error.message);
      return void end(1, false);
    }
    log.fatal({ err: error }, "the write-ahead log failed; the service ends, what it acknowledged is on disk");
    process.exit(1);
  });
  if (isStopping) return void (await service.stop());
  const lines = [``, `  Tidemark is ready: ${service.url}`];
  if (service.generatedAdminPassword)
    lines.push(
      `  Sign in as ${config.adminEmail} with the password ${service.generatedAdminPassword} (shown this once)`,
    );
  console.log(`${lines.join("\n")}\n`);
  if (!sinks) return;
  simulator = startSimulator({
    TIDEMARK_URL: service.url,
    TIDEMARK_DEMO_KEY: await service.keys.createDemoKey(),
    TIDEMARK_DEMO_WEBHOOK: sinks.webhookUrl,
    TIDEMARK_DEMO_MAILS: config.smtpUrl === sinks.smtpUrl ? sinks.mailsUrl : "",
    // For the first start; later ones find its people there.
    TIDEMARK_DEMO_PASSWORD: config.adminPassword ?? service.generatedAdminPassword ?? "",
  });
}

/** A process of its own that knows only the service's URL and a key, as any emitter. */
function startSimulator(settings: Record<string, string>): ChildProcess {
  const built = fileURLToPath(new URL("./simulate.js", import.meta.url));
  const entry = existsSync(built)
    ? [built]
    : [
        "--import",
        pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href,
        fileURLToPath(new URL("./demo/simulate.ts", import.meta.url)),
      ];
  return spawn(process.execPath, entry, {
    stdio: "inherit",
    env: { ...process.env, ...settings },
  });
}

main().catch((error: unknown) => {
  const isForOperator = [ConfigError, DataFolderInUseError, ClaimRefusedError, StoreRefusedError].some(
    (kind) => error instanceof kind,
  );
  if (isForOperator) console.error((error as Error).message);
  else if (isStoreUnavailable(error))
    console.error(`Tidemark could not start: a store was lost meanwhile (${storeTrouble(error).words}).`);
  else if ((error as NodeJS.ErrnoException).code === "EADDRINUSE")
    console.error("Tidemark could not start: another process listens on PORT already.");
  else console.error("Tidemark could not start:", error);
  process.exit(1);
});
