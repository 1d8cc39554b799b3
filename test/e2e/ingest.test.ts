/** What comes in, and what is live by it, in a real browser, against a whole service of its own. */
import { randomUUID } from "node:crypto";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectAccessible, expectFitsWindow, launchBrowser } from "../support/browser.ts";
import { openPage, postEvents, waitForState } from "../support/dashboard-page.ts";
import { parseExposition, sumOf } from "../support/exposition.ts";
import { startService, type TestService } from "../support/service.ts";

let service: TestService;
let browser: Browser;
let page: Page;
beforeAll(async () => {
  [service, browser] = await Promise.all([startService(), launchBrowser()]);
  const answer = await fetch(`${service.url}/v1/session`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: service.url },
    body: JSON.stringify({ email: service.adminEmail, password: service.adminPassword }),
  });
  const [name = "", value = ""] = (answer.headers.get("set-cookie") ?? "").split(";")[0]?.split("=") ?? [];
  const context = await browser.newContext({ viewport: { width: 360, height: 800 } });
  await context.addCookies([{ name, value, url: service.url }]);
  page = await context.newPage();
});
afterAll(async () => {
  await browser?.close();
  await service?.stop();
});

test("the page says that nothing came, then shows by itself what became of events, within the width of a phone", async () => {
  await page.goto(`${service.url}/ingest`);
  await page.getByTestId("ingest-empty").waitFor();
  const event = { id: "1", type: "chat.posted", organization: "acme" };
  const answer = await fetch(`${service.url}/v1/events?ack=stored`, {
    method: "POST",
    headers: { authorization: `Bearer ${service.rootKey}`, "content-type": "application/json" },
    body: JSON.stringify([event, event, { ...event, id: "2", tiem: 1 }, { ...event, id: "3", type: "made.up" }]),
  });
  expect(answer.status).toBe(200);
  await page.getByTestId("ingest-reasons").getByText("Rejected: an unknown field").waitFor();
  const row = page.getByTestId("ingest-groups").locator("tbody tr").first();
  const cells = await row.locator("td").allTextContents();
  expect(cells.slice(-6).map((cell) => cell.trim())).toEqual(["2", "1", "1", "0", "1", "0"]);
  await expectFitsWindow(page);
});

test("a rejected event is shown as it was sent, and is sent again from the page", async () => {
  const list = page.getByTestId("quarantine-list");
  const entry = list.getByRole("listitem").filter({ hasText: "An unknown field" });
  await entry.locator("summary").click();
  await entry.getByText('"tiem": 1').waitFor();
  await entry.getByRole("button", { name: "Send again" }).click();
  await page.getByRole("status").getByText("Sent again: 0 accepted, 1 rejected again.").waitFor();
  await expect.poll(() => list.getByRole("listitem").count()).toBe(1);
  await expectFitsWindow(page);
});

test("a running service gives Prometheus figures of its jobs, sockets and log", async () => {
  await page.goto(service.url);
  await page.getByTestId("live-status").waitFor();
  await expect
    .poll(async () => {
      const samples = parseExposition(await (await fetch(`${service.url}/metrics`)).text());
      expect(sumOf(samples, "tidemark_wal_max_bytes")).toBeGreaterThan(0);
      expect(sumOf(samples, "tidemark_watermark_age_seconds")).toBeGreaterThanOrEqual(0);
      const sockets = sumOf(samples, "tidemark_sockets");
      return sockets > 0 && sumOf(samples, "tidemark_job_duration_seconds_count", { outcome: "done" }) > 0;
    })
    .toBe(true);
});

const openWide = async (path: string): Promise<Page> =>
  openPage(browser, service.url + path, { storageState: await page.context().storageState() });

/** Runs in the page: notes what is to stay lit. */
const noteLocks = () => {
  const asked: string[] = [];
  Object.assign(window, { askedLocks: asked });
  navigator.wakeLock.request = async (type) => {
    asked.push(type ?? "");
    return { released: false, release: async () => {} } as WakeLockSentinel;
  };
};

test("the wall shows every room by age or size without a way to other pages, keeps the screen lit, and pauses as a whole", async () => {
  const crowd = randomUUID();
  await postEvents(service, [
    ...Array.from({ length: 101 }, (_, place) => ({
      type: "participant.joined",
      session: randomUUID(),
      user: "u1",
      organization: "walled",
      room: `room ${place}`,
      time: new Date(Date.now() - (place + 2) * 60_000).toISOString(),
    })),
    { type: "participant.joined", session: crowd, user: "u1", organization: "walled", room: "crowd" },
    { type: "participant.joined", session: crowd, user: "u2", organization: "walled", room: "crowd" },
  ]);
  const page = await openWide("/?node=organization:walled");
  await waitForState(page, "live");
  await page.evaluate(noteLocks);
  await page.getByTestId("open-wall").click();
  await page.waitForURL("**wall=1**");
  const wall = page.getByTestId("live-wall");
  await wall.getByText("102 rooms").waitFor();
  const rows = wall.getByTestId("live-rooms").locator("tbody tr");
  await expect.poll(() => rows.count()).toBe(102);
  await rows.first().getByText("room 100", { exact: true }).waitFor();
  await wall.getByRole("button", { name: "Participants" }).click();
  await rows.first().getByText("crowd", { exact: true }).waitFor();
  expect(await rows.and(wall.locator(".flash")).count()).toBe(0);
  await postEvents(service, [
    { type: "participant.joined", session: crowd, user: "u3", organization: "walled", room: "crowd" },
  ]);
  await rows.and(wall.locator(".flash")).getByText("crowd", { exact: true }).waitFor();
  expect(await rows.and(wall.locator(".flash")).count()).toBe(1);
  expect(await page.getByRole("navigation").count()).toBe(0);
  await expect
    .poll(() => page.evaluate(() => (window as unknown as { askedLocks: string[] }).askedLocks))
    .toContain("screen");
  for (const fact of ["peak-participants", "peak-sessions", "event-rate", "ingest-lag"])
    await wall
      .locator(`[data-fact=${fact}]`)
      .getByText(/^[\d,.]+( s)?$/)
      .first()
      .waitFor();
  await expectAccessible(page);
  await wall.getByRole("heading", { level: 1 }).click();
  await page.keyboard.press("Space");
  await waitForState(page, "paused");
  const ages = () => rows.locator("td:last-child").allTextContents();
  const before = await ages();
  // The age of the data shows that time goes on.
  const age = page.getByTestId("data-as-of").locator("xpath=following-sibling::span");
  const shown = await age.textContent();
  await expect.poll(() => age.textContent()).not.toBe(shown);
  expect(await ages()).toEqual(before);
  await page.keyboard.press("Escape");
  await page.getByRole("navigation", { name: "Pages" }).waitFor();
});

test("the wall takes a newer release by itself", async () => {
  const page = await openWide("/");
  await waitForState(page, "live");
  await page.clock.install();
  await page.goto(`${service.url}/?wall=1`);
  await page.getByTestId("live-wall").waitFor();
  await page.route("**/index.html", (route) => route.fulfill({ contentType: "text/html", body: "a newer release" }));
  const reloaded = page.waitForEvent("load");
  await page.clock.fastForward("06:00");
  await reloaded;
  await page.getByTestId("live-wall").waitFor();
});

test("the wall turns to each pinned customer and back to everything, and stays where it is paused", async () => {
  await postEvents(service, [
    { type: "participant.joined", session: randomUUID(), user: "u1", organization: "turned-to", room: "pinned room" },
  ]);
  const page = await openWide("/");
  await waitForState(page, "live");
  await page.evaluate(() => localStorage.setItem("tidemark-pins", '["organization:turned-to"]'));
  await page.clock.install();
  await page.goto(`${service.url}/?wall=1`);
  const heading = (name: string) => page.getByTestId("live-wall").getByRole("heading", { level: 1, name });
  await heading("All organizations").waitFor();
  await page.getByRole("button", { name: "Rotate" }).click();
  await page.waitForURL("**rotate=1**");
  await page.clock.fastForward("00:31");
  await heading("turned-to").waitFor();
  await page.getByTestId("live-rooms").getByText("pinned room").waitFor();
  await page.clock.fastForward("00:31");
  await heading("All organizations").waitFor();
  await page.keyboard.press("Space");
  await waitForState(page, "paused");
  await page.clock.fastForward("01:00");
  expect(new URL(page.url()).searchParams.get("node")).toBeNull();
});
