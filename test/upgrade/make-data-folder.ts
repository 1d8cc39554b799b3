/**
 * Makes the data folder that `upgrade.test.ts` starts, by the version of Tidemark it is run with, and writes down what that
 * version answers: `npx tsx test/upgrade/make-data-folder.ts NAME`. A folder is made once, by a version that people use, and
 * never made again: it stands for what they have on disk. All that is asked about it lies in the past, so answers never age.
 */
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";
import { startService } from "../support/service.ts";

const here = fileURLToPath(new URL(".", import.meta.url));
const name = process.argv[2];
if (!name || existsSync(join(here, `${name}.tar.br`)))
  throw new Error("give the name of a folder that is not there yet");

const rootKey = "root-of-an-upgraded-data-folder";
const service = await startService({ TIDEMARK_ROOT_KEY: rootKey });

async function ask(method: string, path: string, body?: unknown): Promise<unknown> {
  const answer = await fetch(service.url + path, {
    method,
    headers: { authorization: `Bearer ${rootKey}`, "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return JSON.parse(text);
}

const day = (date: number, clock: string) => `2026-03-${String(date).padStart(2, "0")}T${clock}Z`;

await ask("POST", "/v1/nodes", { kind: "partner", id: "p1", name: "Partner One" });
await ask("POST", "/v1/nodes", { kind: "reseller", id: "r1", parent: "partner:p1", name: "Reseller Ü" });
await ask("POST", "/v1/nodes", { kind: "reseller", id: "r2", parent: "partner:p1" });
for (const id of ["acme", "beta", "gamma"])
  await ask("POST", "/v1/nodes", { kind: "organization", id, parent: id === "gamma" ? "reseller:r2" : "reseller:r1" });

const events: object[] = [];
let count = 0;
const add = (event: object) => events.push({ id: `e${++count}`, ...event });
for (const [index, organization] of ["acme", "beta", "gamma"].entries())
  for (let date = 1; date <= 31; date++) {
    const session = `s${date}`;
    const of = { organization, session, room: `room-${date % 3}` };
    for (let user = 0; user < 3 + index; user++) {
      const at = { ...of, user: `u${user}`, agent: `a${user % 2}` };
      add({ ...at, type: "participant.joined", time: day(date, `09:0${user}:00.250`) });
      // One of them is never heard of again: it ends by its timeout.
      if (user !== 2) add({ ...at, type: "participant.left", time: day(date, `10:1${user}:30.125`) });
      else add({ ...at, type: "participant.alive", time: day(date, "09:30:00") });
    }
    add({ ...of, type: "recording.started", interval: `rec${date}`, time: day(date, "09:05:00") });
    add({ ...of, type: "recording.stopped", interval: `rec${date}`, time: day(date, "09:50:00.001") });
    add({
      ...of,
      type: "broadcast.started",
      interval: `b${date}`,
      time: day(date, "09:05:00"),
      properties: { medium: "audio" },
    });
    add({
      ...of,
      type: "broadcast.stopped",
      interval: `b${date}`,
      time: day(date, "09:25:00"),
      properties: { medium: "audio" },
    });
    add({ ...of, type: "session.ended", time: day(date, "23:30:00") });
    add({ organization, type: "recording.stored", value: "12.5", time: day(date, "11:00:00") });
    if (date % 7 === 0) add({ organization, type: "recording.deleted", value: "10", time: day(date, "12:00:00") });
    add({
      organization,
      user: `u${date % 4}`,
      job: `j${date}`,
      type: "transcription.completed",
      value: `${date}.123456789`,
      time: day(date, "14:00:00"),
      properties: {
        language: date % 2 ? "en" : "de",
        model: "standard",
        kind: "transcript",
        accuracy: 90 + (date % 9),
        mode: "batch",
      },
    });
    add({ organization, agent: "a1", type: "call.completed", value: "3.333333333", time: day(date, "15:00:00") });
    add({
      organization,
      type: "chat.posted",
      user: "u1",
      time: day(date, "16:00:00"),
      properties: { visibility: "public" },
    });
    add({ organization, type: "unheard.of", time: day(date, "17:00:00"), properties: { weight: "1.5" } });
  }
await ask("POST", "/v1/events?ack=stored", events);

const plan = (await ask("POST", "/v1/plans", {
  name: "Basic",
  node: "partner:p1",
  offered: true,
  currency: "EUR",
  fixed_fee: { organization: "49.50", reseller: "20" },
  features: [
    {
      key: "calls",
      meter: "call_minutes",
      included: "50",
      overage: "bill",
      prices: { organization: { model: "graduated", tiers: [{ up_to: null, unit_price: "0.07" }] } },
    },
    { key: "participants", meter: "max_concurrent_participants", included: "2", overage: "notify" },
  ],
})) as { id: string };
await ask("POST", `/v1/plans/${plan.id}/publish`);
for (const id of ["acme", "gamma"])
  await ask("POST", "/v1/subscriptions", {
    node: `organization:${id}`,
    plan: plan.id,
    starts_at: "2026-03-01T00:00:00Z",
    tz: "Europe/Berlin",
  });
await ask("POST", "/v1/meters", {
  meter: "weights",
  title: "Weights",
  unit: "kg",
  events: { types: ["unheard.of"], aggregation: "sum", value: "weight" },
});
await ask("PATCH", "/v1/nodes/organization:beta", { parent: "reseller:r2", effective_from: day(16, "09:30:00") });
await ask("POST", "/v1/events/e5/void", { organization: "acme", reason: "sent by mistake" });

const march = "from=2026-03-01&to=2026-04-01";
const all = (await ask("GET", "/v1/meters")) as { meters: { meter: string }[] };
const meters = all.meters.map((meter) => meter.meter).filter((meter) => !/^(live_|active_recordings)/.test(meter));
const questions: string[] = [];
const asked = [
  ...["all", "reseller:r1", "reseller:r2", "organization:beta", "agent:acme/a1"].map((node) => [node, "UTC"]),
  ["all", "America/Chicago"],
];
for (const [node, tz] of asked)
  for (let first = 0; first < meters.length; first += 20)
    questions.push(`/v1/usage?meter=${meters.slice(first, first + 20)}&node=${node}&${march}&window=day&tz=${tz}`);
for (const meter of ["transcribed_minutes", "documents"])
  questions.push(`/v1/usage?meter=${meter}&${march}&window=week&group_by=language&compare=previous`);
for (const path of [`/v1/records?node=organization:acme&${march}&limit=50`, `/v1/sessions?node=reseller:r1&${march}`])
  questions.push(path);
const wait = Date.now() + 120_000;
for (;;) {
  const { statements } = (await ask("GET", "/v1/statements?node=partner:p1")) as { statements: unknown[] };
  if (statements.length > 0) break;
  if (Date.now() > wait) throw new Error("no statement was closed");
  await new Promise((resolve) => setTimeout(resolve, 500));
}
questions.push("/v1/statements?node=partner:p1", "/v1/nodes", "/v1/subscriptions", "/v1/plans");

// Moves and corrections take stored usage along within seconds: settled is what is the same three times with time between.
const moved = ["reseller:r1", "reseller:r2", "organization:acme"].map(
  (node) =>
    `/v1/usage?meter=participation_minutes,call_minutes,max_concurrent_participants&node=${node}&${march}&window=day`,
);
const figures = async () =>
  JSON.stringify(await Promise.all(moved.map((path) => ask("GET", path))), (key, value) =>
    key === "watermark" ? 0 : value,
  );
for (let before = await figures(), same = 0; same < 3; ) {
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const now = await figures();
  same = now === before ? same + 1 : 0;
  before = now;
}
const answers: Record<string, unknown> = {};
for (const path of questions) answers[path] = await ask("GET", path);

await service.stopServer();
const tar = spawnSync("tar", ["--exclude=*.log", "-C", service.dataDir, "-cf", "-", "."], { maxBuffer: 2 ** 31 - 1 });
if (tar.status !== 0) throw new Error(String(tar.stderr));
const params = {
  [constants.BROTLI_PARAM_LARGE_WINDOW]: 1,
  [constants.BROTLI_PARAM_LGWIN]: 28,
  [constants.BROTLI_PARAM_QUALITY]: 9,
};
for (const [file, bytes] of [
  [`${name}.tar.br`, tar.stdout],
  [`${name}.json.br`, Buffer.from(JSON.stringify(answers))],
] as const) {
  const packed = brotliCompressSync(bytes, { params });
  writeFileSync(join(here, file), packed);
  console.log(`${file}: ${bytes.length} bytes packed into ${packed.length}`);
}
await rm(service.dataDir, { recursive: true, force: true });
