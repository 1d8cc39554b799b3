/**
 * `npm run bench:web`: what the dashboard costs whoever opens it. Bytes of each page's script and style, gzip; the time until its
 * data stand still, with a quick line and with a slow one and a slow processor; time of a frame while twelve charts are drawn
 * four times a second; scrolling a table of 10,000 rows; a month by minute in one chart. Figures of answers are made up in the
 * browser's stead, so that what is measured is the page. A program renders without a graphics card here: use the ratios.
 */
import { randomUUID } from "node:crypto";
import { gzipSync } from "node:zlib";
import type { Browser, BrowserContext, Page } from "playwright-core";
import type { UsageAnswer } from "../../server/contract/usage.ts";
import { places } from "../screenshots/places.ts";
import { launchBrowser, signIn } from "../support/browser.ts";
import { startService, type TestService } from "../support/service.ts";

const minuteMs = 60_000;
const updatesPerSecond = 4;
const updates = 40;
const slowLine = { offline: false, latency: 150, downloadThroughput: 200_000, uploadThroughput: 90_000 };
const slowProcessor = 4;

/** Deterministic, with a gap. */
function madeUp(points: number, windowMs: number): UsageAnswer {
  const fromMs = Date.UTC(2026, 2, 1);
  const at = (place: number) => new Date(fromMs + place * windowMs).toISOString();
  const series = Array.from({ length: points }, (_, place) => ({
    start: at(place),
    end: at(place + 1),
    partial: false,
    value: place % 97 === 0 ? null : ((place * 7919) % 1000) + Math.round(500 * Math.sin(place / 60)),
  }));
  const [from, to] = [at(0), at(points)];
  const meters = [{ meter: "chat_posts", unit: "count", total: 0, series }];
  return { node: "all", from, to, tz: "UTC", window: "minute", watermark: to, meters } as unknown as UsageAnswer;
}

async function answerWith(page: Page, answer: UsageAnswer): Promise<void> {
  const body = JSON.stringify(answer);
  await page.route(/\/v1\/usage\?/, (route) => route.fulfill({ contentType: "application/json", body }));
}

/** The longest and the usual time between two frames, in ms, while `act` runs `times` times. */
async function frames(page: Page, act: (place: number) => Promise<unknown>, times: number): Promise<string> {
  await page.evaluate(() => {
    const seen = window as unknown as { frameTimes: number[]; isMeasured: boolean };
    seen.frameTimes = [];
    seen.isMeasured = true;
    let beforeMs = performance.now();
    // A method: tsx gives functions their names by a helper that the page does not have.
    const clock = {
      frame(nowMs: number) {
        seen.frameTimes.push(nowMs - beforeMs);
        beforeMs = nowMs;
        if (seen.isMeasured) requestAnimationFrame(clock.frame);
      },
    };
    requestAnimationFrame(clock.frame);
  });
  for (let place = 0; place < times; place++) {
    await act(place);
    await page.waitForTimeout(1_000 / updatesPerSecond);
  }
  const found = await page.evaluate(() => {
    const seen = window as unknown as { frameTimes: number[]; isMeasured: boolean };
    seen.isMeasured = false;
    return seen.frameTimes.sort((a, b) => a - b);
  });
  const share = (part: number) => (found[Math.min(found.length - 1, Math.floor(found.length * part))] ?? 0).toFixed(1);
  return `p50 ${share(0.5)} ms, p95 ${share(0.95)} ms, longest ${share(1)} ms (${found.length} frames)`;
}

/** How long the page's own thread works on what `act` does, in ms: the work of a frame, without the wait for it. */
async function workOf(page: Page, act: string, times: number): Promise<string> {
  const found = await page.evaluate(
    async ({ act, times }) => {
      const work: number[] = [];
      for (let place = 0; place < times; place++) {
        const startMs = performance.now();
        new Function("place", act)(place);
        await Promise.resolve();
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        work.push(performance.now() - startMs);
      }
      return work.sort((a, b) => a - b);
    },
    { act, times },
  );
  return `p50 ${(found[Math.floor(times / 2)] ?? 0).toFixed(1)} ms, longest ${(found.at(-1) ?? 0).toFixed(1)} ms`;
}

async function weigh(context: BrowserContext, url: string): Promise<void> {
  const page = await context.newPage();
  const bytesOf = new Map<string, number>();
  const weightOf = async (path: string) => {
    await page.goto("about:blank");
    await page.goto(url + path);
    await page.locator("main h1").first().waitFor({ state: "attached" });
    await page.waitForLoadState("networkidle");
    const names = await page.evaluate(() =>
      performance
        .getEntriesByType("resource")
        .map(({ name }) => name)
        .filter((name) => /\.(js|css)$/.test(new URL(name).pathname)),
    );
    let sum = 0;
    for (const name of new Set(names)) {
      if (!bytesOf.has(name)) bytesOf.set(name, gzipSync(Buffer.from(await (await fetch(name)).arrayBuffer())).length);
      sum += bytesOf.get(name) ?? 0;
    }
    return sum;
  };
  console.log("gzip kB of script and style until a page has come to rest");
  for (const { name, path } of places)
    console.log(`  ${name.padEnd(16)} ${((await weightOf(path)) / 1000).toFixed(1)}`);
  await page.close();
}

async function timeUntilData(browser: Browser, signed: Signed): Promise<void> {
  console.log("ms from opening an address until its data are there: quick, slow line and processor");
  const shown: Readonly<Record<string, string>> = {
    "/": "[data-testid=live-participants][data-value], [data-testid=empty-state]",
    "/overview": "[data-testid=overview]",
    "/usage?meters=chat_posts": "[data-testid=usage-table]",
    "/period": "main h1",
    "/organizations": "[data-testid=organizations], [data-testid=no-organizations]",
  };
  for (const [path, selector] of Object.entries(shown)) {
    const times: number[] = [];
    for (const isSlow of [false, true]) {
      const context = await browser.newContext({ storageState: signed.storageState, reducedMotion: "reduce" });
      const page = await context.newPage();
      if (isSlow) {
        const session = await context.newCDPSession(page);
        await session.send("Network.enable");
        await session.send("Network.emulateNetworkConditions", slowLine);
        await session.send("Emulation.setCPUThrottlingRate", { rate: slowProcessor });
      }
      const startMs = performance.now();
      await page.goto(signed.url + path, { waitUntil: "commit" });
      await page.locator(selector).first().waitFor();
      times.push(performance.now() - startMs);
      await context.close();
    }
    console.log(`  ${path.padEnd(26)} ${times.map((ms) => ms.toFixed(0).padStart(6)).join("")}`);
  }
}

async function twelveCharts(context: BrowserContext, service: TestService): Promise<void> {
  const panels = Array.from({ length: 12 }, (_, place) => ({
    title: `Panel ${place + 1}`,
    query: "meters=chat_posts",
    width: "half",
  }));
  const answer = await fetch(`${service.url}/v1/views`, {
    method: "POST",
    headers: { authorization: `Bearer ${service.rootKey}`, "content-type": "application/json" },
    body: JSON.stringify({ name: `Bench ${randomUUID()}`, query: "range=7d&tz=UTC", panels }),
  });
  const { id } = (await answer.json()) as { id: string };
  const page = await context.newPage();
  await answerWith(page, madeUp(168, 60 * minuteMs));
  await page.goto(`${service.url}/dashboards/${id}`);
  await page.locator("[data-testid=panels] li:nth-child(12) canvas[width]").waitFor();
  console.log(`12 charts of 168 windows, ${updatesPerSecond} updates a second`);
  // Every chart asks again, and draws what comes.
  const ask = (place: number) =>
    page.evaluate(
      (range) => {
        history.replaceState(null, "", `?range=${range}&tz=UTC`);
        dispatchEvent(new PopStateEvent("popstate"));
      },
      place % 2 === 0 ? "30d" : "7d",
    );
  console.log(`  other figures:     ${await frames(page, ask, updates)}`);
  const box = await page.locator("[data-testid=panels] canvas").first().boundingBox();
  const point = (place: number) => page.mouse.move((box?.x ?? 0) + 40 + place * 6, (box?.y ?? 0) + 60);
  console.log(`  crosshair on all:  ${await frames(page, point, updates)}`);
  await page.close();
}

async function longOnes(context: BrowserContext, url: string): Promise<void> {
  const page = await context.newPage();
  for (const [name, points] of [
    ["10,000 rows", 10_000],
    ["a month by minute, 43,200 points", 43_200],
  ] as const) {
    await page.unrouteAll();
    await answerWith(page, madeUp(points, minuteMs));
    const startMs = performance.now();
    await page.goto(`${url}/usage?meters=chat_posts&range=custom&from=2026-03-01&through=2026-03-31&tz=UTC`);
    await page.locator("[data-testid=usage-table] tbody tr").first().waitFor();
    await page.locator("[data-testid=chart] canvas[width]").first().waitFor();
    console.log(`${name}: there after ${(performance.now() - startMs).toFixed(0)} ms`);
    const scroll = "document.querySelector('[data-testid=usage-table]').parentElement.scrollTop = place * 700";
    console.log(`  scrolling:         ${await workOf(page, scroll, 60)}`);
    const keys =
      "document.querySelector('[data-testid=chart]').dispatchEvent(new KeyboardEvent('keydown', { key: place % 2 ? 'ArrowLeft' : 'End', bubbles: true, cancelable: true }))";
    console.log(`  crosshair:         ${await workOf(page, keys, 40)}`);
  }
  await page.close();
}

interface Signed {
  url: string;
  storageState: Awaited<ReturnType<BrowserContext["storageState"]>>;
}

async function main(): Promise<void> {
  const service = await startService();
  const browser = await launchBrowser();
  try {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, bypassCSP: true });
    const first = await context.newPage();
    await first.goto(service.url);
    await signIn(first, service.adminEmail, service.adminPassword);
    await first.getByTestId("live-status").waitFor();
    const signed = { url: service.url, storageState: await context.storageState() };
    await first.close();
    await weigh(context, service.url);
    await timeUntilData(browser, signed);
    await twelveCharts(context, service);
    await longOnes(context, service.url);
  } finally {
    await browser.close();
    await service.stop();
  }
}

await main();
