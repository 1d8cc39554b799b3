/** A thin slice of `npm run test:pages`: pages with figures in forced colours and on a wide screen. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Findings, inspect } from "../screenshots/inspect-page.ts";
import { comeToRest } from "../screenshots/places.ts";
import { makeAgreeingFigures } from "../support/agreeing-figures.ts";
import { launchBrowser, signIn } from "../support/browser.ts";
import { askAsRoot } from "../support/dashboard-page.ts";
import { startService, type TestService } from "../support/service.ts";

let service: TestService;
let browser: Browser;

beforeAll(async () => {
  [service, browser] = await Promise.all([startService(), launchBrowser()]);
  await makeAgreeingFigures((method, path, body) => askAsRoot(service, method, path, body));
});
afterAll(async () => {
  await browser?.close();
  await service?.stop();
});

const pages = ["/", "/overview", "/usage?by=organization", "/organizations", "/period", "/alerts"];

test("pages with figures break no rule of accessibility, overflow nowhere and log nothing in forced colours and at 1920 px", async () => {
  const context = await browser.newContext({
    forcedColors: "active",
    reducedMotion: "reduce",
    viewport: { width: 1920, height: 1080 },
  });
  const page = await context.newPage();
  const findings = new Findings();
  let where = "/";
  await page.goto(service.url);
  await signIn(page, service.adminEmail, service.adminPassword);
  await page.getByTestId("live-status").waitFor();
  page.on("console", (message) => findings.note(where, `logs ${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => findings.note(where, `throws ${error.message}`));
  for (where of pages) {
    await page.goto(service.url + where);
    await comeToRest(page);
    await inspect(page, where, findings);
  }
  expect(findings.all).toEqual([]);
});
