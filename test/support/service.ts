/** A whole service in a process of its own, with a data folder of its own, driven over HTTP as its users do. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { freeLoopbackPort } from "../../server/embedded/loopback.ts";
import { patienceMs, recoveryPatienceMs } from "./patience.ts";

export interface TestService {
  url: string;
  adminEmail: string;
  adminPassword: string;
  rootKey: string;
  dataDir: string;
  pid(): number;
  /** What the server printed since it was last started. */
  output(): string;
  /** Ends the server process only; SIGTERM by default. Resolves when it is gone. */
  stopServer(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port and data folder; resolves when it is ready. */
  startServer(): Promise<void>;
  /** The same without waiting until it is ready. */
  launchServer(): void;
  isServerRunning(): boolean;
  restart(): Promise<void>;
  /** Ends it and removes its data folder. */
  stop(): Promise<void>;
}

/** The built server beside a built program and in a run of all tests, which builds first; else the source through tsx. */
function serverEntry(): string[] {
  const built = process.env.TIDEMARK_TESTED_SERVER ?? fileURLToPath(new URL("./main.js", import.meta.url));
  if (existsSync(built)) return [built];
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  return ["--import", tsx, fileURLToPath(new URL("../../server/main.ts", import.meta.url))];
}

/** `nodeArguments` stand before the server's entry, `serverArguments` after it; the environment may tell the service its own URL. */
export async function startService(
  environment: Record<string, string> | ((url: string) => Record<string, string>) = {},
  nodeArguments: readonly string[] = [],
  serverArguments: readonly string[] = [],
): Promise<TestService> {
  const dataDir = await mkdtemp(join(tmpdir(), "tidemark-service-"));
  const port = await freeLoopbackPort();
  const url = `http://127.0.0.1:${port}`;
  const rootKey = `root-${randomBytes(16).toString("hex")}`;
  const adminEmail = "admin@example.com";
  const adminPassword = randomBytes(12).toString("base64url");
  let child: ChildProcess | undefined;
  let output = "";

  function launchServer(): ChildProcess {
    output = "";
    const started = spawn(process.execPath, [...nodeArguments, ...serverEntry(), ...serverArguments], {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        PORT: String(port),
        TIDEMARK_DATA_DIR: dataDir,
        TIDEMARK_ROOT_KEY: rootKey,
        TIDEMARK_ADMIN_EMAIL: adminEmail,
        TIDEMARK_ADMIN_PASSWORD: adminPassword,
        LOG_LEVEL: "warn",
        // No balancer is in front.
        TIDEMARK_DRAIN_SECONDS: "0",
        ...(typeof environment === "function" ? environment(url) : environment),
      },
    });
    started.stdout?.on("data", (chunk) => {
      output += chunk;
    });
    started.stderr?.on("data", (chunk) => {
      output += chunk;
    });
    child = started;
    return started;
  }

  async function startServer(): Promise<void> {
    const started = launchServer();
    for (const untilMs = Date.now() + recoveryPatienceMs; ; await delay(50)) {
      if (started.exitCode !== null || started.signalCode !== null)
        throw new Error(`the service ended while starting:\n${output}`);
      if (Date.now() > untilMs)
        throw new Error(`the service was not ready within ${recoveryPatienceMs} ms:\n${output}`);
      const answer = await fetch(`${url}/readyz`).catch(() => undefined);
      await answer?.arrayBuffer();
      if (answer?.ok) return;
    }
  }

  async function stopServer(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }

  try {
    await startServer();
  } catch (error) {
    await stopServer("SIGKILL");
    throw error;
  }
  return {
    url,
    adminEmail,
    adminPassword,
    rootKey,
    dataDir,
    pid: () => child?.pid ?? 0,
    output: () => output,
    stopServer,
    startServer,
    launchServer: () => void launchServer(),
    isServerRunning: () => child !== undefined && child.exitCode === null && child.signalCode === null,
    async restart() {
      await stopServer();
      await startServer();
    },
    async stop() {
      await stopServer();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Asks again until `probe` gives something; fails after `withinMs` with what was being waited for. */
export async function eventually<Result>(
  what: string,
  probe: () => Promise<Result | undefined> | Result | undefined,
  withinMs = patienceMs,
): Promise<Result> {
  for (const untilMs = Date.now() + withinMs; ; await delay(20)) {
    const result = await probe();
    if (result !== undefined) return result;
    if (Date.now() > untilMs) throw new Error(`waited ${withinMs} ms in vain for: ${what}`);
  }
}
