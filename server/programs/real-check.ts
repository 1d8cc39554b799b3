/**
 * `npm run test:real -- <folder>`: the flights of folder/flights.csv.gz go through a service of its own, in an empty data
 * folder, and its answers are compared with folder/expected.json.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseJson } from "../json/parse-json.ts";
import { compareUnits } from "./compare-units.ts";
import { type Connection, UsageError } from "./connection.ts";
import { readFlights } from "./flights.ts";
import { compareWithOracle, describeComparison, type Oracle } from "./oracle.ts";
import { runProgram } from "./program.ts";
import { describeReplay, replayFlights } from "./replay-flights.ts";
import { UsageApi } from "./usage-api.ts";

const readyWithinMs = 120_000;
const stoppedWithinMs = 15_000;
/** Characters of what the service printed last, shown when something went wrong. */
const maxPrinted = 10_000;

/** The built service beside this program, or its sources when this runs from them. */
function serviceEntry(): string[] {
  const built = fileURLToPath(new URL("./main.js", import.meta.url));
  if (existsSync(built)) return [built];
  return ["--import", import.meta.resolve("tsx"), fileURLToPath(new URL("../main.ts", import.meta.url))];
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no free port was given");
  return address.port;
}

/** Rejects when the service ends first, or is not ready in time. */
async function whenReady(url: string, service: ChildProcess): Promise<void> {
  const deadline = Date.now() + readyWithinMs;
  while (Date.now() < deadline) {
    if (service.exitCode !== null || service.signalCode !== null)
      throw new Error("the service ended before it was ready");
    const isReady = await fetch(`${url}/readyz`).then(
      (response) => response.ok,
      () => false,
    );
    if (isReady) return;
    await delay(100);
  }
  throw new Error(`the service was not ready within ${readyWithinMs / 1000} s`);
}

async function end(service: ChildProcess): Promise<void> {
  if (service.exitCode !== null || service.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => service.once("exit", () => resolve()));
  service.kill("SIGTERM");
  const timer = setTimeout(() => service.kill("SIGKILL"), stoppedWithinMs);
  await ended;
  clearTimeout(timer);
}

/** Runs `work` against a service that nobody else knows of; it and its data are gone afterwards. */
async function withOwnService<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
  const dataDir = await mkdtemp(join(tmpdir(), "tidemark-real-"));
  const key = randomBytes(24).toString("hex");
  const port = await freePort();
  const service = spawn(process.execPath, serviceEntry(), {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      PATH: process.env.PATH,
      PORT: String(port),
      TIDEMARK_DATA_DIR: dataDir,
      TIDEMARK_ROOT_KEY: key,
      LOG_LEVEL: "error",
    },
  });
  let printed = "";
  service.stdout?.setEncoding("utf8").on("data", (text: string) => {
    printed = (printed + text).slice(-maxPrinted);
  });
  const interrupted = () => void service.kill("SIGTERM");
  process.once("SIGINT", interrupted).once("SIGTERM", interrupted);
  const url = `http://127.0.0.1:${port}`;
  try {
    await whenReady(url, service);
    return await work({ url, key });
  } catch (error) {
    console.error(
      `the service ${service.exitCode === null ? "was running" : "had ended"}; what it printed:\n${printed}`,
    );
    throw error;
  } finally {
    await end(service);
    await rm(dataDir, { recursive: true, force: true, maxRetries: 3 });
  }
}

await runProgram("npm run test:real -- <folder with flights.csv.gz and expected.json>", async ([folder, ...rest]) => {
  if (!folder || rest.length > 0) throw new UsageError("expected one folder");
  const flights = await readFlights(join(folder, "flights.csv.gz"));
  const oracle = parseJson(await readFile(join(folder, "expected.json"), "utf8")) as Oracle;
  return withOwnService(async (connection) => {
    let shownTenths = 0;
    const result = await replayFlights(flights, {
      connection,
      seed: 1,
      onProgress: (sent, total) => {
        const tenths = Math.floor((10 * sent) / total);
        if (tenths > shownTenths) console.log(`posted ${tenths * 10}% of ${total} events`);
        shownTenths = tenths;
      },
      onPosted: () => console.log("waiting until everything can be queried"),
    });
    console.log(describeReplay(result));
    const comparison = await compareWithOracle(oracle, new UsageApi(connection));
    console.log(describeComparison(comparison));
    const units = await compareUnits(flights, connection);
    console.log(`the same flights as calls, in minutes and in seconds:\n${describeComparison(units)}`);
    return result.rejected === 0 && comparison.differences.length === 0 && units.differences.length === 0;
  });
});
