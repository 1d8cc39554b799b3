/** A service of its own for a benchmark, in a process whose CPU can be told apart, and requests to it. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { Agent, request } from "node:http";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Verdict } from "../../server/contract/events.ts";

export const agent = new Agent({ keepAlive: true, maxSockets: 64 });

export function post(url: string, key: string, body: Buffer): Promise<Verdict> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/x-ndjson" };
    const sent = request(`${url}/v1/events`, { method: "POST", agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        if (response.statusCode !== 202) return reject(new Error(`POST was answered ${response.statusCode}: ${text}`));
        const verdict = JSON.parse(text) as Verdict;
        if (verdict.rejected.length > 0) return reject(new Error(`an event was rejected: ${text.slice(0, 500)}`));
        resolve(verdict);
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no free port was given");
  return address.port;
}

export async function startService(dataDir: string, clickhouseUrl: string, key: string) {
  const port = await freePort();
  const built = fileURLToPath(new URL("./main.js", import.meta.url));
  const source = fileURLToPath(new URL("../../server/main.ts", import.meta.url));
  const service = spawn(
    process.execPath,
    existsSync(built) ? [built] : ["--import", import.meta.resolve("tsx"), source],
    {
      stdio: ["ignore", "ignore", "inherit"],
      env: {
        PATH: process.env.PATH,
        PORT: String(port),
        TIDEMARK_DATA_DIR: dataDir,
        TIDEMARK_ROOT_KEY: key,
        CLICKHOUSE_URL: clickhouseUrl,
        TIDEMARK_EVENTS_PER_SECOND: "100000000",
      },
    },
  );
  const url = `http://127.0.0.1:${port}`;
  for (let waitedMs = 0; ; waitedMs += 100) {
    if (service.exitCode !== null || waitedMs > 60_000) throw new Error("the service did not start");
    const response = await fetch(`${url}/readyz`).catch(() => undefined);
    if (response?.ok) return { url, service };
    await delay(100);
  }
}

export async function stop(service: ChildProcess): Promise<void> {
  if (service.exitCode !== null) return;
  const ended = new Promise((resolve) => service.once("exit", resolve));
  service.kill("SIGTERM");
  await ended;
}
