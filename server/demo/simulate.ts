/**
 * The demonstration: posts what a partner's and others' resellers with some forty organizations would send, 90 days of history
 * first, then live, and tells the story around it (story.ts). It is an emitter and an administrator like any other and knows only
 * TIDEMARK_URL, TIDEMARK_DEMO_KEY, a key with all rights at `all`, and TIDEMARK_DEMO_WEBHOOK, which takes what alerts and reports
 * send; with TIDEMARK_DEMO_MAILS, where it can read its people's mails, and TIDEMARK_DEMO_PASSWORD they accept their invitations.
 * TIDEMARK_DEMO_SIZE=0.1 has a tenth of the meetings. What it sends follows from the first start's instant, which the service
 * remembers: a later start fills the gap since.
 */

import { setTimeout as delay } from "node:timers/promises";
import { dayMs, hourMs } from "../contract/durations.ts";
import { nodeAddress } from "../contract/node-address.ts";
import { Emitter } from "../emitter/emitter.ts";
import { UsageApi } from "../programs/usage-api.ts";
import { keepBooks } from "./chapters/bills.ts";
import { mistakenEvents } from "./chapters/mistakes.ts";
import { silentOrganization } from "./chapters/rules.ts";
import { makeBranding, makeMoves, makeNodes } from "./chapters/who-is-there.ts";
import { Course } from "./course.ts";
import { demoOrganizations, demoResellers } from "./demo-accounts.ts";
import { historyDays } from "./rhythm.ts";
import { type DemoSettings, keyCaller, patiently, Stage } from "./stage.ts";
import { story } from "./story.ts";
import type { Demonstration } from "./timed-event.ts";
import { eventsOfYearBefore, yearBeforeDays } from "./year-before.ts";

const seed = 1;
const tickMs = 250;
/** A start that was cut short leaves gaps where its last requests were on their way; repeats of the rest are duplicates. */
const repeatedMs = 3 * dayMs;
const historyEventsPerRequest = 5_000;
const visibleWithinMs = 10 * 60_000;
const booksEveryMs = 60_000;
const number = new Intl.NumberFormat("en");

const say = (text: string) => console.log(`Demo: ${text}`);

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

/** Undefined where it is all there. */
async function missingYearBefore(api: UsageApi, demonstration: Demonstration) {
  const events = eventsOfYearBefore(demonstration);
  const { firstMs } = demonstration;
  const answer = await api.usage({
    meter: "documents",
    node: "all",
    window: "total",
    from: new Date(firstMs - (yearBeforeDays + 1) * dayMs).toISOString(),
    to: new Date(firstMs).toISOString(),
  });
  const wanted = events.filter(({ type }) => type === "transcription.completed").length;
  return Number(answer.meters[0]?.total) < wanted ? events : undefined;
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

async function live(course: Course, emitter: Emitter, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await emitter.send(course.take(Date.now()).filter(({ organization }) => organization !== silentOrganization));
    await emitter.flush();
    await delay(tickMs, undefined, { signal });
  }
}

/** Chapter by chapter, then the books as long as it lives. */
async function tell(stage: Stage): Promise<void> {
  const { signal } = stage;
  for (const chapter of story) {
    await patiently(() => chapter.tell(stage), signal);
    say(chapter.title);
  }
  say("live from here on");
  for (;;) {
    await delay(booksEveryMs, undefined, { signal });
    await patiently(() => keepBooks(stage, Date.now()), signal);
  }
}

async function simulate(settings: DemoSettings, signal: AbortSignal): Promise<void> {
  const caller = keyCaller(settings, signal);
  const api = new UsageApi(settings, signal);
  const startedAtMs = await patiently(() => makeNodes(caller), signal);
  const firstMs = Math.floor(startedAtMs / hourMs) * hourMs - historyDays * dayMs;
  await patiently(() => makeMoves(caller, firstMs), signal);
  await patiently(() => makeBranding(caller), signal);
  const demonstration: Demonstration = { seed, firstMs, size: settings.size };
  const fromMs = await patiently(() => presentTo(api, firstMs), signal);
  const liveFromMs = Date.now();
  const course = new Course(demonstration, fromMs, liveFromMs);
  say(
    `${demoResellers.length} resellers, ${demoOrganizations.length} organizations; posting from ${new Date(fromMs).toISOString()} to now`,
  );
  const connection = { url: settings.url, key: settings.key, signal };
  const history = new Emitter({ ...connection, eventsPerRequest: historyEventsPerRequest, concurrency: 3 });
  await history.send((await patiently(() => missingYearBefore(api, demonstration), signal)) ?? []);
  await history.send(mistakenEvents(firstMs));
  await postHistory(course, fromMs, liveFromMs, history);
  await patiently(() => api.whenVisible(visibleWithinMs), signal);
  const stage = new Stage(settings, { startedAtMs, firstMs }, signal);
  await Promise.all([live(course, new Emitter(connection), signal), tell(stage)]);
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

function readSettings(): DemoSettings {
  const { TIDEMARK_URL: url, TIDEMARK_DEMO_KEY: key, TIDEMARK_DEMO_WEBHOOK: webhookUrl } = process.env;
  const { TIDEMARK_DEMO_MAILS: mailsUrl, TIDEMARK_DEMO_PASSWORD: password, TIDEMARK_DEMO_SIZE } = process.env;
  const size = Number(TIDEMARK_DEMO_SIZE || 1);
  if (!url || !key || !webhookUrl) {
    console.error("The demonstration needs TIDEMARK_URL, TIDEMARK_DEMO_KEY and TIDEMARK_DEMO_WEBHOOK.");
    process.exit(2);
  }
  if (!(size > 0 && size <= 1)) {
    console.error("TIDEMARK_DEMO_SIZE must lie above 0 and not above 1.");
    process.exit(2);
  }
  return {
    url: url.replace(/\/+$/, ""),
    key,
    webhookUrl,
    size,
    mailsUrl: mailsUrl || undefined,
    password: password || undefined,
  };
}

const signal = untilStopped();
simulate(readSettings(), signal).then(
  () => process.exit(0),
  (error: unknown) => {
    if (signal.aborted) process.exit(0);
    console.error("Demo: it had to stop:", error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
