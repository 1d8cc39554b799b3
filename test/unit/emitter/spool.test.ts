import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Emitter } from "../../../server/emitter/emitter.ts";
import { patienceMs } from "../../support/patience.ts";

let directory: string;
let server: Server;
let url: string;
let isAway: boolean;
/** As often as each id was taken. */
let taken: Map<string, number>;
const children: ChildProcess[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "tidemark-spool-"));
  isAway = false;
  taken = new Map();
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (isAway) return void response.writeHead(503).end("{}");
    if (request.headers.authorization !== "Bearer tmk_test")
      return void response.writeHead(401).end(JSON.stringify({ detail: "there is no such key" }));
    const lines = gunzipSync(Buffer.concat(chunks)).toString("utf8").split("\n");
    if (lines.some((line) => line.includes("too large"))) return void response.writeHead(413).end("{}");
    for (const line of lines) {
      const { id } = JSON.parse(line) as { id: string };
      taken.set(id, (taken.get(id) ?? 0) + 1);
    }
    response.writeHead(202).end(JSON.stringify({ accepted: lines.length, duplicates: 0, rejected: [] }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Resolves when the program has offered `count` events. */
async function startProgram(count: number, ...withinMs: string[]): Promise<ChildProcess> {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  const program = fileURLToPath(new URL("../../support/spooling-emitter.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", tsx, program, url, directory, String(count), ...withinMs], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  let printed = "";
  await new Promise<void>((resolve) => {
    child.stdout?.on("data", (chunk) => {
      printed += chunk;
      if (printed.includes("offered")) resolve();
    });
  });
  return child;
}

const offers = (emitter: Emitter, from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) =>
    emitter.offer({ id: String(from + index), type: "chat.posted", organization: "acme" }),
  );

test("events offered by a killed program are sent by the next one, and answered ones are not kept", async () => {
  isAway = true;
  const child = await startProgram(1_234);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(taken.size).toBe(0);
  isAway = false;
  const emitter = new Emitter({ url, key: "tmk_test", spool: { directory } });
  expect(await emitter.flush()).toMatchObject({ accepted: 1_234 });
  expect(new Set(taken.values())).toEqual(new Set([1]));
  expect(taken.size).toBe(1_234);
  expect(await emitter.close()).toEqual({ unsent: 0, rejected: 0 });
  expect(readdirSync(directory)).toEqual([]);
});

test("two emitters with one folder leave each other's events alone while both run", async () => {
  isAway = true;
  const child = await startProgram(120);
  const first = new Emitter({ url, key: "tmk_test", spool: { directory }, random: () => 0.01 });
  offers(first, 0, 10);
  const second = new Emitter({ url, key: "tmk_test", spool: { directory } });
  expect([first.waiting, second.waiting]).toEqual([10, 0]);
  isAway = false;
  await first.flush();
  expect([...taken.keys()].filter((id) => !id.startsWith(`${child.pid}-`))).toHaveLength(10);
  await Promise.all([first.close(), second.close()]);
});

test("a spool holds more than memory would, up to its own bound, and then refuses new events and keeps the old ones", async () => {
  isAway = true;
  const spool = { directory, maxBytes: 100_000 };
  const emitter = new Emitter({ url, key: "tmk_test", spool, maxHeldBytes: 1, random: () => 0.001 });
  const answers = offers(emitter, 0, 2_000);
  const held = answers.indexOf(false);
  expect(held).toBeGreaterThan(500);
  expect(answers.slice(held)).not.toContain(true);
  isAway = false;
  expect(await emitter.flush()).toMatchObject({ accepted: held, rejected: 0 });
  expect(offers(emitter, 2_000, 2_001)).toEqual([true]);
  expect(await emitter.close()).toEqual({ unsent: 0, rejected: 0 });
});

test("events unanswered when an emitter is closed wait in the spool for the next one", async () => {
  isAway = true;
  const emitter = new Emitter({ url, key: "tmk_test", spool: { directory }, random: () => 0.01 });
  offers(emitter, 0, 30);
  expect(await emitter.close({ withinMs: 50 })).toMatchObject({ unsent: 30 });
  isAway = false;
  const next = new Emitter({ url, key: "tmk_test", spool: { directory } });
  expect(await next.flush()).toMatchObject({ accepted: 30 });
  await next.close();
});

test("a program that is told to end sends what waits, then ends by the same signal", async () => {
  const child = await startProgram(70, "10000");
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  expect(await ended).toEqual([null, "SIGTERM"]);
  expect(taken.size).toBe(70);
  expect(readdirSync(directory)).toEqual([]);
});

test("a refused key empties no spool, whether or not anybody listens, and its events are sent with a good one", async () => {
  for (const [round, onRefused] of [undefined, () => undefined].entries()) {
    const emitter = new Emitter({ url, key: "wrong", spool: { directory }, onRefused, report: () => undefined });
    offers(emitter, round * 2_500, (round + 1) * 2_500);
    expect(await emitter.close({ withinMs: 300 })).toMatchObject({ unsent: 2_500 * (round + 1) });
    expect(taken.size).toBe(0);
  }
  const emitter = new Emitter({ url, key: "tmk_test", spool: { directory } });
  expect(await emitter.flush()).toMatchObject({ accepted: 5_000 });
  expect(await emitter.close()).toEqual({ unsent: 0, rejected: 0 });
  expect(readdirSync(directory)).toEqual([]);
});

test("a program that runs takes over what one that ends meanwhile leaves, whatever number its process had", async () => {
  isAway = true;
  const child = await startProgram(40);
  const emitter = new Emitter({ url, key: "tmk_test", spool: { directory }, report: () => undefined });
  expect(await emitter.flush()).toMatchObject({ accepted: 0 });
  child.kill("SIGKILL");
  await once(child, "exit");
  // As after a restart of a container: its files name a process that lives, this one.
  for (const name of readdirSync(directory)) {
    const [, number] = /\.(\d{12})\.ndjson$/.exec(name) ?? [];
    if (number) renameSync(join(directory, name), join(directory, `${process.pid}.0123456789abcdef.${number}.ndjson`));
  }
  isAway = false;
  await vi.waitFor(() => expect(taken.size).toBe(40), { timeout: patienceMs, interval: 50 });
  await emitter.close();
  expect(readdirSync(directory)).toEqual([]);
});

test("an event larger than any request is rejected by name and set aside in the folder, and its neighbours are sent", async () => {
  const rejected: unknown[] = [];
  const emitter = new Emitter({
    url,
    key: "tmk_test",
    spool: { directory },
    onRejected: ({ code }, { id }) => rejected.push([code, id]),
  });
  emitter.offer({ id: "huge", type: "chat.posted", organization: "acme", room: "too large" });
  offers(emitter, 0, 10);
  expect(await emitter.flush()).toMatchObject({ accepted: 10, rejected: 1 });
  expect(rejected).toEqual([["too_large", "huge"]]);
  await emitter.close();
  expect(readdirSync(directory)).toEqual(["not-taken.ndjson"]);
  expect(readFileSync(join(directory, "not-taken.ndjson"), "utf8")).toContain('"id":"huge"');
});
