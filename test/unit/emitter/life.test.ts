/** The whole life of emitters that share a folder: whatever befalls them, what was taken is stored, each event once. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { Emitter } from "../../../server/emitter/emitter.ts";
import { patienceMs } from "../../support/patience.ts";

const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
const program = fileURLToPath(new URL("../../support/spooling-emitter.ts", import.meta.url));

type Mood = "takes" | "is absent" | "refuses the key" | "takes and dies";

/** Counts an event once by its id, as the service does; `mood` is how it meets the next requests. */
async function startSink(): Promise<{ url: string; stored: Set<string>; mood: { now: Mood }; stop(): void }> {
  const stored = new Set<string>();
  const mood: { now: Mood } = { now: "takes" };
  const server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (mood.now === "is absent") return void request.socket.destroy();
    if (mood.now === "refuses the key") return void response.writeHead(401).end("{}");
    const ids = gunzipSync(Buffer.concat(chunks)).toString("utf8").split("\n");
    let duplicates = 0;
    for (const line of ids) {
      const { id } = JSON.parse(line) as { id: string };
      if (stored.has(id)) duplicates++;
      stored.add(id);
    }
    if (mood.now === "takes and dies") return void request.socket.destroy();
    response.writeHead(202).end(JSON.stringify({ accepted: ids.length - duplicates, duplicates, rejected: [] }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    stored,
    mood,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

interface Life {
  mood: Mood;
  events: number;
  /** KiB that a file of this program may have; the disk is full beyond it. */
  fileKiB: number | undefined;
  end: "SIGKILL" | "SIGTERM";
}
const life: fc.Arbitrary<Life> = fc.record({
  mood: fc.constantFrom<Mood>("takes", "is absent", "refuses the key", "takes and dies"),
  events: fc.integer({ min: 1, max: 400 }),
  fileKiB: fc.constantFrom(undefined, undefined, 1, 8),
  end: fc.constantFrom("SIGKILL", "SIGTERM"),
});

test("events that an emitter took are stored once, through kills, an absent service, a wrong key, a full disk and two at once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(life, { minLength: 2, maxLength: 4 }), async (lives) => {
      const directory = mkdtempSync(join(tmpdir(), "tidemark-life-"));
      const sink = await startSink();
      const children: ChildProcess[] = [];
      const taken: string[] = [];
      let printed = "";
      const end = async (child: ChildProcess, signal: NodeJS.Signals) => {
        const ended = once(child, "exit");
        child.kill(signal);
        await ended;
      };
      try {
        for (const [index, { mood, events, fileKiB, end: signal }] of lives.entries()) {
          sink.mood.now = mood;
          const run = `${fileKiB ? `ulimit -f ${fileKiB}; ` : ""}exec "$@"`;
          const child = spawn(
            "bash",
            ["-c", run, "bash", process.execPath, "--import", tsx, program, sink.url, directory, String(events), "100"],
            { stdio: ["ignore", "pipe", "pipe"] },
          );
          children.push(child);
          let said = "";
          child.stderr?.on("data", (chunk) => {
            printed += chunk;
          });
          await new Promise<void>((resolve, reject) => {
            child.once("exit", (code) => reject(new Error(`the program ended with ${code}: ${printed}`)));
            child.stdout?.on("data", (chunk) => {
              said += chunk;
              if (said.includes("offered")) resolve();
            });
          });
          child.removeAllListeners("exit");
          const ids = said.split("\n").filter((line) => /^\d+-\d+$/.test(line));
          taken.push(...ids);
          // What was not taken is said.
          if (ids.length < events)
            await vi.waitFor(() => expect(printed).toMatch(/not accepted/), { timeout: patienceMs });
          // Every other one goes on beside the next.
          if (index % 2 === 0) await end(child, signal);
        }
        for (const child of children)
          if (child.exitCode === null && child.signalCode === null) await end(child, "SIGKILL");
        sink.mood.now = "takes";
        const last = new Emitter({ url: sink.url, key: "k", spool: { directory } });
        await last.flush();
        expect(await last.close()).toEqual({ unsent: 0, rejected: 0 });
        expect([...sink.stored].filter((id) => !taken.includes(id))).toEqual([]);
        expect(taken.filter((id) => !sink.stored.has(id))).toEqual([]);
        await vi.waitFor(() => expect(readdirSync(directory)).toEqual([]), { timeout: patienceMs });
      } finally {
        for (const child of children) child.kill("SIGKILL");
        sink.stop();
        rmSync(directory, { recursive: true, force: true });
      }
    }),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 4), endOnFailure: true },
  );
});
