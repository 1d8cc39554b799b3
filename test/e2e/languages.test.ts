/** The dashboard in another language, in a real browser: English made foreign and 40 % longer stands in for all of them. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pseudoText } from "../../web/src/texts/pseudo.ts";
import { expectAccessible, expectFitsWindow, launchBrowser, signIn } from "../support/browser.ts";
import { startService, type TestService } from "../support/service.ts";

let service: TestService;
let browser: Browser;

beforeAll(async () => {
  [service, browser] = await Promise.all([startService(), launchBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await service?.stop();
});

async function openAccount(): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 360, height: 740 }, reducedMotion: "reduce" });
  const page = await context.newPage();
  await page.goto(`${service.url}/account`);
  await signIn(page, service.adminEmail, service.adminPassword);
  // Whoever leaves the page before is not signed in.
  await page.getByRole("heading", { level: 1, name: "Your account" }).waitFor();
  return page;
}
const speak = (page: Page, tag: string) =>
  page.evaluate((chosen) => localStorage.setItem("tidemark-language", chosen), tag);
const languageOf = (page: Page) => page.evaluate(() => [document.documentElement.lang, document.documentElement.dir]);

test("texts 40 % longer have room on a phone", async () => {
  const page = await openAccount();
  await speak(page, "en-XA");
  const headings = { "/account": "Your account", "/rules/new": "New rule", "/people": "People", "/usage": "Usage" };
  for (const [path, heading] of Object.entries(headings)) {
    await page.goto(service.url + path);
    await page.getByRole("heading", { level: 1, name: pseudoText(heading) }).waitFor();
    await page.waitForLoadState("networkidle");
    await expectFitsWindow(page);
    await expectAccessible(page);
  }
  await expect.poll(() => languageOf(page)).toEqual(["en-XA", "ltr"]);
});

test("whoever has chosen a language changes it back under their account", async () => {
  const page = await openAccount();
  await expect.poll(() => languageOf(page)).toEqual(["en", "ltr"]);
  await speak(page, "en-XA");
  await page.reload();
  const choice = page.getByLabel(pseudoText("Dashboard language"));
  await expect.poll(() => choice.inputValue()).toBe("en-XA");
  await choice.selectOption("");
  await page.getByRole("heading", { level: 1, name: "Your account" }).waitFor();
  await expect.poll(() => languageOf(page)).toEqual(["en", "ltr"]);
});
