/**
 * `npm run bench:alerts`: how far the evaluation of rules is behind what can be queried, and what it costs: BENCH_RULES rules (10,000), one
 * for each of as many organizations of BENCH_RESELLERS resellers (10), while BENCH_RATE events a second (1,000) come for BENCH_SECONDS
 * (60), beside the same without rules. CPU is the server's own, in µs an event.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { startService } from "../support/service.ts";
import { cpuOf } from "./stages.ts";

const rules = Number(process.env.BENCH_RULES ?? 10_000);
const resellers = Number(process.env.BENCH_RESELLERS ?? 10);
const rate = Number(process.env.BENCH_RATE ?? 1_000);
const seconds = Number(process.env.BENCH_SECONDS ?? 60);
const atOnce = 16;
const perRequest = 100;
const patienceMs = 60_000;

const service = await startService({ TIDEMARK_EVENTS_PER_SECOND: "1000000" });
const authorization = `Bearer ${service.rootKey}`;
const organization = (place: number) => `watched-${place % rules}`;
const event = (place: number) => ({ id: randomUUID(), type: "chat.posted", organization: organization(place) });

/** Waits where the service asks to. */
async function post(path: string, body: unknown): Promise<void> {
  const isTable = typeof body === "string";
  const headers = { authorization, "content-type": isTable ? "text/csv" : "application/json" };
  for (const untilMs = performance.now() + patienceMs; ; ) {
    const sent = { method: "POST", headers, body: isTable ? body : JSON.stringify(body) };
    const answer = await fetch(`${service.url}${path}`, sent);
    const text = await answer.text();
    if (answer.ok) return;
    const isPassing = answer.status === 429 || answer.status === 503;
    if (!isPassing || performance.now() > untilMs)
      throw new Error(`POST ${path} was answered ${answer.status}: ${text}`);
    await delay(Number(answer.headers.get("retry-after") ?? 1) * 1_000);
  }
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${service.url}/metrics`, { headers: { authorization } })).text();
  const lines = text.split("\n").filter((line) => line.startsWith(name));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

async function load(title: string): Promise<void> {
  const [cpuBefore, evaluatedBefore] = [cpuOf(service.pid()), await metric("tidemark_rule_evaluations_total")];
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
  const cpu = cpuOf(service.pid()) - cpuBefore;
  const evaluated = (await metric("tidemark_rule_evaluations_total")) - evaluatedBefore;
  lags.sort((a, b) => a - b);
  const at = (share: number) => (lags[Math.floor(share * (lags.length - 1))] ?? 0).toFixed(2);
  console.log(
    `${title}: ${sent} events, ${(sent / took).toFixed(0)} a second; lag p50 ${at(0.5)} s, p99 ${at(0.99)} s; ${(cpu / sent).toFixed(0)} µs of CPU an event; ${evaluated} evaluated`,
  );
}

/** A tenant may have only so many rules, so the organizations are spread over resellers. */
async function makeOrganizations(): Promise<void> {
  const lines = Array.from({ length: resellers }, (_, place) => `reseller,watching-${place},`);
  for (let place = 0; place < rules; place++)
    lines.push(`organization,${organization(place)},reseller:watching-${place % resellers}`);
  await post("/v1/nodes/import", ["kind,id,parent", ...lines, ""].join("\n"));
  for (let start = 0; start < rules; start += 5_000)
    await post(
      "/v1/events?ack=stored",
      Array.from({ length: Math.min(5_000, rules - start) }, (_, index) => event(start + index)),
    );
  console.log(`${rules} organizations of ${resellers} resellers are there`);
}

async function makeRules(): Promise<void> {
  const startedAtMs = performance.now();
  let [next, made] = [0, 0];
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let place = next++; place < rules; place = next++) {
        await post("/v1/rules", {
          name: `Posts of ${organization(place)}`,
          node: `organization:${organization(place)}`,
          condition: { kind: "threshold", meter: "chat_posts", window: "1h", above: "1000000" },
        });
        made++;
        if (made % Math.ceil(rules / 10) === 0)
          console.log(`${made} rules after ${((performance.now() - startedAtMs) / 1_000).toFixed(0)} s`);
      }
    }),
  );
}

try {
  await makeOrganizations();
  await load("without rules");
  await makeRules();
  await load(`${rules} rules over ${rules} organizations`);
} finally {
  await service.stop();
}
