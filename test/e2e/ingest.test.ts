/** The page of the ingest's health in a real browser, against a whole service of its own. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchBrowser } from "../support/browser.ts";
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
  await page.getByTestId("ingest-reasons").getByText("Rejected: a field that is not known").waitFor();
  const row = page.getByTestId("ingest-groups").locator("tbody tr").first();
  const cells = await row.locator("td").allTextContents();
  expect(cells.slice(-6).map((cell) => cell.trim())).toEqual(["2", "1", "1", "0", "1", "0"]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
});

test("a rejected event is shown as it was sent, and is sent again from the page", async () => {
  const list = page.getByTestId("quarantine-list");
  const entry = list.getByRole("listitem").filter({ hasText: "A field that is not known" });
  await entry.locator("summary").click();
  await entry.getByText('"tiem": 1').waitFor();
  await entry.getByRole("button", { name: "Send again" }).click();
  await page.getByRole("status").getByText("Sent again: 0 accepted, 1 rejected again.").waitFor();
  expect(await list.getByRole("listitem").count()).toBe(1);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
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
