/**
 * InfluxDB's first write of the same events as line protocol, for comparison: Debian's package `influxdb` (1.x), started
 * on its own data folder. `apt-get install influxdb` brings `influxd`; without it the comparison is left out, and says so.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { UsageEvent } from "../../server/contract/events.ts";

const program = ["/usr/bin/influxd", "/usr/local/bin/influxd"].find((path) => existsSync(path));

export interface Influx {
  write(lines: Buffer): Promise<void>;
  stop(): Promise<void>;
}

/** Undefined where it is not installed. `ports`: two that are free, for HTTP and for backups. */
export async function startInflux(folder: string, ports: readonly [number, number]): Promise<Influx | undefined> {
  if (program === undefined) return undefined;
  const configPath = join(folder, "influxdb.conf");
  const [httpPort, backupPort] = ports;
  const at = (name: string) => JSON.stringify(join(folder, "influx", name));
  await writeFile(
    configPath,
    `reporting-disabled = true
bind-address = "127.0.0.1:${backupPort}"
[meta]
dir = ${at("meta")}
[data]
dir = ${at("data")}
wal-dir = ${at("wal")}
max-series-per-database = 0
max-values-per-tag = 0
[http]
bind-address = "127.0.0.1:${httpPort}"
log-enabled = false
[logging]
level = "error"
`,
  );
  const server = spawn(program, ["-config", configPath], { stdio: "ignore" });
  const url = `http://127.0.0.1:${httpPort}`;
  for (let waitedMs = 0; !(await fetch(`${url}/ping`).catch(() => undefined))?.ok; waitedMs += 100) {
    if (waitedMs > 30_000 || server.exitCode !== null) throw new Error("influxd did not start");
    await delay(100);
  }
  await fetch(`${url}/query`, { method: "POST", body: new URLSearchParams({ q: "CREATE DATABASE bench" }) });
  return {
    async write(lines) {
      const response = await fetch(`${url}/write?db=bench&precision=ms`, {
        method: "POST",
        body: new Uint8Array(lines),
      });
      if (response.status !== 204) throw new Error(`InfluxDB answered ${response.status}: ${await response.text()}`);
    },
    async stop() {
      const ended = new Promise((resolve) => server.once("exit", resolve));
      server.kill("SIGTERM");
      await ended;
    },
  };
}

/** The events with the fields that are grouped by as tags; the id is a field, as an id as a tag would be a series each. */
export function asLineProtocol(events: readonly UsageEvent[]): Buffer {
  const tag = (name: string, value: unknown) =>
    value === undefined ? "" : `,${name}=${String(value).replace(/[ ,=]/g, "\\$&")}`;
  const lines = events.map((event) => {
    const { type, organization, session, room, user, interval, properties = {}, id, time, value = 1 } = event;
    const tags = Object.entries({ organization, room, user, session, interval, ...properties });
    return `${type}${tags.map(([name, tagValue]) => tag(name, tagValue)).join("")} id="${id}",value=${Number(value)} ${Date.parse(time ?? "")}`;
  });
  return Buffer.from(lines.join("\n"));
}
