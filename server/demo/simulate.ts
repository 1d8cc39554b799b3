/**
 * The demonstration: posts what resellers with some forty organizations would send, 90 days of history first, then live.
 * It is an emitter like any other and knows only TIDEMARK_URL and TIDEMARK_DEMO_KEY, a key at `all` that may make nodes;
 * with TIDEMARK_DEMO_WEBHOOK, which takes what it is sent, also rules, channels and scheduled reports.
 * What it sends follows from the first start's instant, which the service remembers: a later start fills the gap since.
 */

import { setTimeout as delay } from "node:timers/promises";
import { dayMs, hourMs } from "../contract/durations.ts";
import type { UsageEvent } from "../contract/events.ts";
import { nodeAddress } from "../contract/node-address.ts";
import { Emitter } from "../emitter/emitter.ts";
import type { Connection } from "../programs/connection.ts";
import { AnswerError, UsageApi } from "../programs/usage-api.ts";
import { demoOrganizations, demoResellers } from "./demo-accounts.ts";
import { crossings, makeAlerts, silentOrganization, spike } from "./demo-alerts.ts";
import { demoPlans, planOf } from "./demo-plans.ts";
import { makeReports } from "./demo-reports.ts";
import { type Demonstration, eventsOfHour, hourReachMs, type TimedEvent } from "./meetings.ts";
import { historyDays } from "./rhythm.ts";

const seed = 1;
const tickMs = 250;
/** A start that was cut short leaves gaps where its last requests were on their way; repeats of the rest are duplicates. */
const repeatedMs = 3 * dayMs;
const historyEventsPerRequest = 5_000;
const attemptEveryMs = 1_000;
const visibleWithinMs = 10 * 60_000;
/** Who became a customer later than this is on trial. */
const trialFromDay = 60;
const number = new Intl.NumberFormat("en");

const say = (text: string) => console.log(`Demo: ${text}`);

/** Events of all organizations, hour by hour, in the order of their times. */
class Course {
  readonly #demonstration: Demonstration;
  #plannedToMs: number;
  readonly #liveFromMs: number;
  #waiting: TimedEvent[] = [];

  /** Starts with events at `fromMs`; signs of life only from `liveFromMs` on. */
  constructor(demonstration: Demonstration, fromMs: number, liveFromMs: number) {
    this.#demonstration = demonstration;
    this.#liveFromMs = liveFromMs;
    const reachingMs = Math.floor((fromMs - hourReachMs) / hourMs) * hourMs;
    this.#plannedToMs = Math.max(demonstration.firstMs, reachingMs);
    this.#planTo(fromMs);
    this.#waiting = this.#waiting.filter(({ atMs }) => atMs >= fromMs);
  }

  /** The events before `toMs` that were not taken yet. */
  take(toMs: number): UsageEvent[] {
    this.#planTo(toMs);
    let count = 0;
    while (count < this.#waiting.length && (this.#waiting[count] as TimedEvent).atMs < toMs) count++;
    return this.#waiting.splice(0, count).map(({ event }) => event);
  }

  #planTo(toMs: number): void {
    if (this.#plannedToMs >= toMs) return;
    while (this.#plannedToMs < toMs) {
      const hourStartMs = this.#plannedToMs;
      const withSignsOfLife = hourStartMs + hourReachMs > this.#liveFromMs;
      for (const organization of demoOrganizations)
        for (const timed of eventsOfHour(organization, hourStartMs, this.#demonstration, withSignsOfLife))
          if (timed.atMs >= this.#liveFromMs || !timed.event.type.endsWith(".alive")) this.#waiting.push(timed);
      this.#plannedToMs += hourMs;
    }
    this.#waiting.sort((a, b) => a.atMs - b.atMs);
  }
}

/** Makes the nodes that are missing; answers when the demonstration was started for the first time, ms since 1970. */
async function makeNodes(api: UsageApi): Promise<number> {
  let startedAtMs = Number.POSITIVE_INFINITY;
  for (const { id, name } of demoResellers) {
    const node = await api.createNode({ kind: "reseller", id, name, parent: "all" });
    startedAtMs = Math.min(startedAtMs, Date.parse(node.created_at));
  }
  for (const { id, name, reseller } of demoOrganizations)
    await api.createNode({ kind: "organization", id, name, parent: nodeAddress("reseller", reseller) });
  return startedAtMs;
}

/** Up to where every reseller's history is known to be there; `firstMs` when there is none. */
async function presentTo(api: UsageApi, firstMs: number): Promise<number> {
  const lastHours = await Promise.all(
    demoResellers.map(async ({ id }) => {
      const answer = await api.usage({
        meter: "sessions",
        node: nodeAddress("reseller", id),
        from: new Date(firstMs).toISOString(),
        to: "now",
        window: "hour",
        fill: "none",
      });
      const started = answer.meters[0]?.series.filter(({ value }) => Number(value) > 0) ?? [];
      return Date.parse(started.at(-1)?.start ?? new Date(firstMs).toISOString());
    }),
  );
  return Math.max(firstMs, Math.min(...lastHours) - repeatedMs);
}

async function postHistory(course: Course, fromMs: number, toMs: number, emitter: Emitter): Promise<void> {
  const startedAtMs = performance.now();
  let sent = 0;
  let shownTenths = 0;
  for (let fromHourMs = fromMs; fromHourMs < toMs; fromHourMs += hourMs) {
    const events = course.take(Math.min(toMs, fromHourMs + hourMs));
    await emitter.send(events);
    sent += events.length;
    const tenths = Math.floor((10 * (fromHourMs - fromMs)) / (toMs - fromMs));
    if (tenths > shownTenths) say(`${tenths * 10}% of the history, ${number.format(sent)} events`);
    shownTenths = tenths;
  }
  const { accepted, duplicates, rejected } = await emitter.flush();
  const seconds = (performance.now() - startedAtMs) / 1000;
  const speed = number.format(Math.round(sent / seconds));
  say(
    `the history is posted: ${number.format(accepted)} events, ${number.format(duplicates)} known already, ${rejected} rejected; ${speed} events/s`,
  );
}

/**
 * Subscribes those who are not yet. Only after the history can be queried: what a cycle came to is closed as it is known
 * a day after its end, and all of the history's cycles ended long ago.
 */
async function subscribe(api: UsageApi, firstMs: number): Promise<void> {
  const known = (await api.plans()).plans;
  const ids = new Map<string, string>();
  for (const plan of demoPlans)
    ids.set(plan.name, (known.find(({ name }) => name === plan.name) ?? (await api.createPlan(plan))).id);
  const subscribed = new Set((await api.subscriptions()).subscriptions.map(({ node }) => node));
  for (const [place, organization] of demoOrganizations.entries()) {
    const { id, timeZone: tz, joinedOnDay } = organization;
    const node = nodeAddress("organization", id);
    const plan = ids.get(planOf(organization));
    if (plan === undefined || subscribed.has(node)) continue;
    await api.subscribe({
      node,
      plan,
      tz,
      starts_at: new Date(firstMs + joinedOnDay * dayMs).toISOString(),
      anchor: 1 + ((place * 5) % 28),
      ...(joinedOnDay > trialFromDay && { trial_ends_at: new Date(firstMs + (historyDays + 7) * dayMs).toISOString() }),
    });
  }
  say(`${demoPlans.length} plans, and who is subscribed to them`);
}

async function live(course: Course, emitter: Emitter, signal: AbortSignal): Promise<void> {
  say("live from here on");
  while (!signal.aborted) {
    await emitter.send(course.take(Date.now()).filter(({ organization }) => organization !== silentOrganization));
    await emitter.flush();
    await delay(tickMs, undefined, { signal });
  }
}

/** Repeats `ask` while there is no answer or the service is not ready. */
async function patiently<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const isPassing =
        error instanceof AnswerError && (error.status === 0 || error.status === 429 || error.status === 503);
      if (!isPassing) throw error;
      await delay(attemptEveryMs, undefined, { signal });
    }
  }
}

async function simulate(connection: Connection, webhookUrl: string | undefined, signal: AbortSignal): Promise<void> {
  const api = new UsageApi(connection, signal);
  const startedAtMs = await patiently(() => makeNodes(api), signal);
  const firstMs = Math.floor(startedAtMs / hourMs) * hourMs - historyDays * dayMs;
  const fromMs = await patiently(() => presentTo(api, firstMs), signal);
  const liveFromMs = Date.now();
  const course = new Course({ seed, firstMs }, fromMs, liveFromMs);
  say(
    `${demoResellers.length} resellers, ${demoOrganizations.length} organizations; posting from ${new Date(fromMs).toISOString()} to now`,
  );
  const history = new Emitter({ ...connection, signal, eventsPerRequest: historyEventsPerRequest, concurrency: 3 });
  await postHistory(course, fromMs, liveFromMs, history);
  await patiently(() => api.whenVisible(visibleWithinMs), signal);
  await patiently(() => subscribe(api, firstMs), signal);
  const emitter = new Emitter({ ...connection, signal });
  if (webhookUrl !== undefined) {
    await emitter.send(spike(startedAtMs));
    const channels = await patiently(() => makeAlerts(api, webhookUrl), signal);
    await emitter.send(await patiently(() => crossings(api, Date.now()), signal));
    say("rules and channels, one spike, one that went quiet, three that cross a threshold");
    await patiently(() => makeReports(api, channels), signal);
    say("weekly and monthly reports, and those of the weeks before");
  }
  await live(course, emitter, signal);
}

/** SIGTERM, Ctrl-C, or the end of the process that started this one; participants then fall silent and time out. */
function untilStopped(): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => stop.abort());
  process.once("disconnect", () => stop.abort());
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) stop.abort();
  }, 500).unref();
  return stop.signal;
}

const { TIDEMARK_URL: url, TIDEMARK_DEMO_KEY: key, TIDEMARK_DEMO_WEBHOOK: webhook } = process.env;
if (!url || !key) {
  console.error("The demonstration needs TIDEMARK_URL and TIDEMARK_DEMO_KEY.");
  process.exit(2);
}
const signal = untilStopped();
simulate({ url: url.replace(/\/+$/, ""), key }, webhook, signal).then(
  () => process.exit(0),
  (error: unknown) => {
    if (signal.aborted) process.exit(0);
    console.error("Demo: it had to stop:", error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
