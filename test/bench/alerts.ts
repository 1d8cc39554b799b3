/**
 * `npm run bench:alerts`: how far the judging of rules is behind what can be queried, and what it costs: BENCH_RULES rules (10,000), one for
 * each of as many organizations, while BENCH_RATE events a second (1,000) come for BENCH_SECONDS (60), beside the same without rules.
 * CPU is the server's own, in µs an event.
 */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { startService } from "../support/service.ts";

const rules = Number(process.env.BENCH_RULES ?? 10_000);
const rate = Number(process.env.BENCH_RATE ?? 1_000);
const seconds = Number(process.env.BENCH_SECONDS ?? 60);
const atOnce = 16;
const perRequest = 100;
const ticksPerSecond = 100;

const service = await startService({ TIDEMARK_EVENTS_PER_SECOND: "1000000" });
const headers = { authorization: `Bearer ${service.rootKey}`, "content-type": "application/json" };
const organization = (place: number) => `watched-${place % rules}`;
const event = (place: number) => ({ id: randomUUID(), type: "chat.posted", organization: organization(place) });

async function post(path: string, body: unknown): Promise<void> {
  const answer = await fetch(`${service.url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`POST ${path} was answered ${answer.status}: ${text}`);
}

/** What the server process has used, in seconds. */
async function cpuSeconds(): Promise<number> {
  const fields = (await readFile(`/proc/${service.pid()}/stat`, "utf8")).split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${service.url}/metrics`, { headers })).text();
  const lines = text.split("\n").filter((line) => line.startsWith(name));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

async function load(title: string): Promise<void> {
  const [cpuBefore, judgedBefore] = [await cpuSeconds(), await metric("tidemark_rule_evaluations_total")];
  const startedAtMs = performance.now();
  const lags: number[] = [];
  let [sent, isOver] = [0, false];
  const sampling = (async () => {
    while (!isOver) {
      lags.push(await metric("tidemark_alert_lag_seconds"));
      await delay(500);
    }
  })();
  while (performance.now() - startedAtMs < seconds * 1_000) {
    await post(
      "/v1/events",
      Array.from({ length: perRequest }, (_, index) => event(Math.floor((sent + index) * 7.13))),
    );
    sent += perRequest;
    await delay(Math.max(0, (sent / rate) * 1_000 - (performance.now() - startedAtMs)));
  }
  const took = (performance.now() - startedAtMs) / 1_000;
  isOver = true;
  await sampling;
  const cpu = (await cpuSeconds()) - cpuBefore;
  const judged = (await metric("tidemark_rule_evaluations_total")) - judgedBefore;
  lags.sort((a, b) => a - b);
  const at = (share: number) => (lags[Math.floor(share * (lags.length - 1))] ?? 0).toFixed(2);
  console.log(
    `${title}: ${sent} events, ${(sent / took).toFixed(0)} a second; lag p50 ${at(0.5)} s, p99 ${at(0.99)} s; ${((cpu / sent) * 1e6).toFixed(0)} µs of CPU an event; ${judged} judged`,
  );
}

try {
  for (let start = 0; start < rules; start += 5_000)
    await post(
      "/v1/events?ack=stored",
      Array.from({ length: Math.min(5_000, rules - start) }, (_, index) => event(start + index)),
    );
  await load("without rules");
  let next = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let place = next++; place < rules; place = next++)
        await post("/v1/rules", {
          name: `Posts of ${organization(place)}`,
          node: `organization:${organization(place)}`,
          condition: { kind: "threshold", meter: "chat_posts", window: "1h", above: "1000000" },
        });
    }),
  );
  await load(`${rules} rules over ${rules} organizations`);
} finally {
  await service.stop();
}
