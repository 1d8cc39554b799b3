/**
 * What accepting an event costs on the main thread, stage by stage: `npx tsx test/bench/accept.ts`.
 * Prints ns per event at 1,000 events a request, with a real log in a temporary directory.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventType } from "../../server/catalog/catalog.ts";
import { checkEvents, decideEvents } from "../../server/ingest/accept/accept-events.ts";
import { type AcceptDeps, acceptRequest } from "../../server/ingest/accept/accept-request.ts";
import { Admission } from "../../server/ingest/accept/backpressure.ts";
import { hasEventForm } from "../../server/ingest/accept/event-gate.ts";
import { hashText } from "../../server/ingest/accept/event-hash.ts";
import { KnownIds } from "../../server/ingest/accept/known-ids.ts";
import { readBody } from "../../server/ingest/accept/read-body.ts";
import { Claims } from "../../server/ingest/accept/recent-ids.ts";
import { renderRequestRecord } from "../../server/ingest/accept/request-record.ts";
import { openWriteAheadLog } from "../../server/ingest/log/write-ahead-log.ts";

const eventsPerRequest = 1_000;
const requests = 200;
const types = ["participant.joined", "participant.left", "chat.posted", "transcription.completed"];
const sendingKey = { id: "key_bench", node: "all", createOrganizations: true };
const tree = {
  get: () => ({}),
  ancestors: () => [],
  isWithin: () => true,
  effectiveStatus: () => "active",
  pathAt: () => ({ partner: "p1", reseller: "r1" }),
  ensureOrganizations: async () => undefined,
};

let sent = 0;
function body(form: "application/json" | "application/x-ndjson"): Buffer {
  const lines: string[] = [];
  for (let index = 0; index < eventsPerRequest; index++, sent++) {
    const time = new Date(Date.now() - (sent % 100_000)).toISOString();
    lines.push(
      JSON.stringify({
        id: `0192d5a0-7c00-7abc-8def-${String(sent).padStart(12, "0")}`,
        type: types[sent % types.length],
        time,
        organization: `org-${sent % 40}`,
        user: `user-${sent % 5_000}`,
        session: `session-${sent % 900}`,
        room: `room-${sent % 90}`,
        value: sent % 4 === 3 ? "12.5" : undefined,
        properties: { language: "en", model: "standard", device: "mobile" },
      }),
    );
  }
  return Buffer.from(form === "application/json" ? `[${lines.join(",")}]` : lines.join("\n"));
}

const directory = await mkdtemp(join(tmpdir(), "tidemark-bench-"));
const log = await openWriteAheadLog({
  directory,
  maxBytes: 4 * 2 ** 30,
  onFatal: (error) => {
    throw error;
  },
});
const knownIds = new KnownIds({ lookupStored: async () => new Map() });
await knownIds.fillFromStorage((async function* () {})());
const deps: AcceptDeps = {
  log,
  knownIds,
  tree,
  eventType,
  now: Date.now,
  admission: new Admission({ log, eventsPerSecond: 1e9, burstEvents: 1e9 }),
};

const bodies = { json: "application/json", ndjson: "application/x-ndjson" } as const;
for (const [name, type] of Object.entries(bodies)) {
  const headers = new Headers({ "content-type": type });
  const spent = new Map<string, number>();
  const measure = <T>(stage: string, work: () => T): T => {
    const start = process.hrtime.bigint();
    const result = work();
    spent.set(stage, (spent.get(stage) ?? 0) + Number(process.hrtime.bigint() - start));
    return result;
  };
  let bytes = 0;
  for (let request = -50; request < requests; request++) {
    if (request === 0) {
      spent.clear();
      bytes = 0;
    }
    const sentBody = body(type);
    bytes += sentBody.length;
    const form = { type, encoding: "identity" } as const;
    const events = measure("parse", () => readBody(sentBody, form, headers));
    measure("  of which gate (counted again in check)", () =>
      events.events.every((event) => hasEventForm(event, events.isPlain)),
    );
    const checked = measure("check (gate, meaning, two hashes)", () => checkEvents(events, Date.now(), eventType));
    measure("  of which two hashes (counted again)", () => {
      for (const event of checked.readable) {
        hashText(event.identity);
        hashText(event.usage);
      }
    });
    const claims = new Claims();
    measure("ask whether to ask", () => checked.readable.filter((event) => knownIds.mustAsk(event)));
    const decision = measure("decide (identity, row)", () =>
      decideEvents(events, checked, {
        receivedAtMs: Date.now(),
        isAtomic: false,
        sendingKey,
        tree,
        claim: (event) => knownIds.claim(event, undefined, claims),
      }),
    );
    const record = measure("record", () =>
      renderRequestRecord({
        receivedAtMs: Date.now(),
        events: decision.eventRows,
        quarantined: [],
        outcomes: decision.outcomes,
      }),
    );
    const written = measure("append (until it yields)", () => log.append(record));
    claims.logged(await written);
  }
  console.log(`\n${name}: ${Math.round(bytes / requests / eventsPerRequest)} bytes an event`);
  for (const [stage, ns] of spent)
    console.log(`${String(Math.round(ns / requests / eventsPerRequest)).padStart(7)} ns  ${stage}`);
  const whole = [...spent].filter(([stage]) => !stage.startsWith(" ")).reduce((sum, [, ns]) => sum + ns, 0);
  console.log(`${String(Math.round(whole / requests / eventsPerRequest)).padStart(7)} ns  in all`);
}

const sentBodies = Array.from({ length: requests }, () => body("application/json"));
const cpu = process.cpuUsage();
const startedAtMs = performance.now();
const lanes = Array.from({ length: 8 }, async () => {
  for (let next = sentBodies.pop(); next; next = sentBodies.pop()) {
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(next as Buffer);
        controller.close();
      },
    });
    await acceptRequest(deps, {
      headers: new Headers({ "content-type": "application/json" }),
      body: stream,
      sendingKey,
      isAtomic: false,
    });
  }
});
await Promise.all(lanes);
const seconds = (performance.now() - startedAtMs) / 1000;
const { user, system } = process.cpuUsage(cpu);
const events = requests * eventsPerRequest;
console.log(
  `\nwhole requests, 8 at once: ${Math.round(events / seconds)} events/s, ${((user + system) / events).toFixed(2)} µs CPU an event`,
);
await log.close();
await rm(directory, { recursive: true });
