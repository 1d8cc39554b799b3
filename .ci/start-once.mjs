/** Starts the built service with its embedded stores, takes an event until it can be queried, and stops it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const probe = createServer().listen(0, "127.0.0.1");
await once(probe, "listening");
const { port } = probe.address();
probe.close();
const dataDir = mkdtempSync(join(tmpdir(), "tidemark-start-"));
const key = "root-key-of-this-one-start";
const service = spawn(process.execPath, ["dist/server/main.js"], {
  stdio: "inherit",
  env: {
    ...process.env,
    PORT: String(port),
    TIDEMARK_DATA_DIR: dataDir,
    TIDEMARK_ROOT_KEY: key,
    TIDEMARK_DRAIN_SECONDS: "0",
  },
});
const ended = once(service, "exit");
let isEnded = false;
ended.then(() => {
  isEnded = true;
});
const url = `http://127.0.0.1:${port}`;
try {
  for (const untilMs = Date.now() + 180_000; ; await delay(100)) {
    if ((await fetch(`${url}/readyz`).catch(() => undefined))?.ok) break;
    if (isEnded || Date.now() > untilMs) throw new Error("the service did not become ready");
  }
  const answer = await fetch(`${url}/v1/events?ack=stored`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ id: "1", type: "chat.posted", organization: "acme", user: "u" }),
  });
  if (answer.status !== 200) throw new Error(`the event was answered ${answer.status}: ${await answer.text()}`);
  console.log(`the service starts, stores and answers on Node.js ${process.versions.node}`);
} finally {
  service.kill("SIGTERM");
  await ended;
  rmSync(dataDir, { recursive: true, force: true });
}
