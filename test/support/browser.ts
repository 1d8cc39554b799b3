/** A real browser for the tests of the dashboard: the system's Chromium, else the one that comes by npm. */
import { existsSync } from "node:fs";
import AxeBuilder from "@axe-core/playwright";
import { type Browser, chromium, type Locator, type Page } from "playwright-core";
import { expect } from "vitest";
import { patienceMs } from "./patience.ts";

/** It looks nothing up and reports nothing while a test runs. */
const quiet = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/**
 * With which the packaged one is no browser as people have it: pages send no `Origin`, and it ends with the first context that is
 * closed.
 */
const unlike = new Set([
  "--disable-web-security",
  "--single-process",
  "--no-zygote",
  "--allow-running-insecure-content",
]);
const systemBrowsers = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Its pages wait for `patienceMs` unless a wait says otherwise. */
export async function launchBrowser(): Promise<Browser> {
  const browser = await chromium.launch({ ...(await installedBrowser()), timeout: patienceMs });
  const newContext = browser.newContext.bind(browser);
  browser.newContext = async (options) => {
    const context = await newContext(options);
    context.setDefaultTimeout(patienceMs);
    return context;
  };
  return browser;
}

async function installedBrowser(): Promise<{ executablePath: string; args: string[] }> {
  const installed = systemBrowsers.find((path) => existsSync(path));
  if (installed) return { executablePath: installed, args: quiet };
  const { default: packaged } = await import("@sparticuz/chromium");
  return {
    executablePath: await packaged.executablePath(),
    args: [...packaged.args.filter((one) => !unlike.has(one)), ...quiet],
  };
}

/** Fills in the page on which somebody signs in; what comes after it is for the caller to wait for. */
export async function signIn(page: Page, email: string, password: string): Promise<void> {
  await page.getByLabel("Email address").fill(email);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

/** Shows the page in the theme, as a system does that changes to it. A page that wants little motion changes at once. */
export async function changeTheme(page: Page, colorScheme: "light" | "dark"): Promise<void> {
  await page.emulateMedia({ colorScheme });
  await page.locator(`html[data-theme=${colorScheme}]`).waitFor();
}

/** Waits until nothing of the page reaches beyond its window, which a page that was just resized or filled may do for a moment. */
export async function expectFitsWindow(page: Page): Promise<void> {
  const width = page.viewportSize()?.width;
  if (width === undefined) throw new Error("the page has no viewport of its own");
  await expect
    .poll(() => page.evaluate(() => document.documentElement.scrollWidth), { message: `the width of ${page.url()}` })
    .toBeLessThanOrEqual(width);
}

/** Fails where any of the panel lies beyond the window. */
export async function expectWithinWindow(panel: Locator): Promise<void> {
  const box = await panel.boundingBox();
  const size = panel.page().viewportSize();
  expect(box).not.toBeNull();
  if (!box || !size) return;
  expect(box.x).toBeGreaterThanOrEqual(0);
  expect(box.y).toBeGreaterThanOrEqual(0);
  expect(box.x + box.width).toBeLessThanOrEqual(size.width);
  expect(box.y + box.height).toBeLessThanOrEqual(size.height);
}

/** Waits until what has this test id has the focus: a dialog gives it back once it is gone. */
export async function expectFocus(page: Page, testid: string): Promise<void> {
  await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute("data-testid"))).toBe(testid);
}

/** Fails with what breaks a rule of accessibility on the page as it stands. */
export async function expectAccessible(page: Page): Promise<void> {
  // Its pages have no frames: to gather what was found in them axe would open a page of its own, and load itself there, each time.
  const axe = new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ["violations"] });
  const { violations } = await axe.analyze();
  expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
}
