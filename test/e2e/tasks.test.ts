/** The ten tasks that most people come for, each from its beginning to its end, by keyboard alone and by touch on a phone. */
import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeAgreeingFigures } from "../support/agreeing-figures.ts";
import { expectAccessible, expectFitsWindow, launchBrowser } from "../support/browser.ts";
import { askAsRoot } from "../support/dashboard-page.ts";
import { startService, type TestService } from "../support/service.ts";

let service: TestService;
let browser: Browser;

beforeAll(async () => {
  [service, browser] = await Promise.all([startService(), launchBrowser()]);
  const ask = (method: string, path: string, body?: object) => askAsRoot(service, method, path, body);
  await makeAgreeingFigures(ask);
  // Each walk acknowledges an alert of its own.
  const condition = { kind: "threshold", meter: "transcribed_minutes", window: "cycle", above: "1001" };
  await ask("POST", "/v1/rules", { name: "Many minutes", node: "organization:perihelion", scope: "node", condition });
});
afterAll(async () => {
  await browser?.close();
  await service?.stop();
});

/** How somebody does things. */
interface Hands {
  options: BrowserContextOptions;
  press(page: Page, what: Locator): Promise<void>;
  write(page: Page, field: Locator, text: string): Promise<void>;
  choose(page: Page, select: Locator, label: string): Promise<void>;
}

/** More stops than any page has. */
const maxStops = 250;

/** By Tab alone, as far as the focus has to go. */
async function reach(page: Page, what: Locator): Promise<void> {
  await what.waitFor();
  const hasFocus = () => what.evaluate((element) => element === document.activeElement);
  for (let stops = 0; stops < maxStops; stops++) {
    if (await hasFocus()) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`the focus does not come to ${what}`);
}

const keyboard: Hands = {
  options: { viewport: { width: 1280, height: 800 } },
  async press(page, what) {
    await reach(page, what);
    await page.keyboard.press("Enter");
  },
  async write(page, field, text) {
    await reach(page, field);
    await page.keyboard.press("Control+a");
    await page.keyboard.type(text);
  },
  async choose(page, select, label) {
    await reach(page, select);
    await page.keyboard.type(label);
  },
};

const touch: Hands = {
  options: { viewport: { width: 360, height: 780 }, hasTouch: true, isMobile: true },
  press: (_page, what) => what.tap(),
  async write(_page, field, text) {
    await field.tap();
    await field.fill(text);
  },
  choose: async (_page, select, label) => {
    await select.selectOption({ label });
  },
};

/** From any page, as the palette offers it. */
async function find(page: Page, { press, write }: Hands, typed: string, option: string): Promise<void> {
  await press(page, page.getByTestId("open-palette"));
  const palette = page.getByTestId("palette");
  await write(page, palette.getByRole("combobox"), typed);
  const found = palette.getByRole("option", { name: option }).first();
  await found.waitFor();
  if (touch.press === press) await found.tap();
  else {
    while ((await found.getAttribute("aria-selected")) !== "true") await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
  }
  await palette.waitFor({ state: "hidden" });
}

test.each([
  { by: "keyboard alone", hands: keyboard, organization: "Aphelion" },
  { by: "touch on a phone", hands: touch, organization: "Syzygy" },
])("ten tasks are done by $by", async ({ hands, organization }) => {
  const context = await browser.newContext({ ...hands.options, reducedMotion: "reduce" });
  const page = await context.newPage();
  const press = (what: Locator) => hands.press(page, what);
  const write = (field: Locator, text: string) => hands.write(page, field, text);
  const choose = async (label: string, option: string) => {
    const select = page.getByLabel(label, { exact: true });
    await hands.choose(page, select, option);
    await expect
      .poll(() => select.evaluate((element) => (element as HTMLSelectElement).selectedOptions[0]?.label))
      .toBe(option);
  };

  // Sign in.
  await page.goto(service.url);
  await write(page.getByLabel("Email address"), service.adminEmail);
  await write(page.getByLabel("Password", { exact: true }), service.adminPassword);
  await press(page.getByRole("button", { name: "Sign in", exact: true }));
  await page.getByTestId("live-status").waitFor();

  // Find an organization.
  await find(page, hands, "periheli", "Perihelion");
  await page.waitForURL("**/organizations/perihelion");
  await page.getByRole("heading", { level: 1, name: "Perihelion" }).waitFor();
  await expectFitsWindow(page);

  // Choose a range, and compare it.
  await find(page, hands, "transcribed min", "Transcribed minutes");
  await page.waitForURL("**/usage?meters=transcribed_minutes");
  await press(page.getByTestId("range-picker"));
  await press(page.getByRole("dialog").getByRole("button", { name: /^Last 7 days/ }));
  await page.waitForURL("**range=7d**");
  await press(page.getByTestId("compare-picker"));
  await press(page.getByRole("dialog").getByRole("button", { name: "Previous period" }));
  await page.waitForURL("**compare=previous**");
  await page.getByTestId("compared-name").waitFor();
  await expectFitsWindow(page);

  // Go from a figure to the events behind it.
  await page.goto(`${service.url}/usage?from=now-2h&to=now&window=hour&meters=participation_minutes&by=organization`);
  const groups = page.getByTestId("group-table");
  await press(groups.getByRole("button", { name: "Perihelion" }));
  await press(groups.getByRole("button", { name: "daily" }));
  await press(groups.getByRole("button", { name: "s1" }));
  await press(page.getByTestId("session-list").getByRole("link", { name: "daily" }));
  await press(page.getByTestId("timeline").getByRole("button", { name: /ada/ }));
  await press(page.getByTestId("session-events").locator("summary").first());
  await page.getByText('"session": "s1"').first().waitFor();
  await expectFitsWindow(page);

  // Create an organization.
  await find(page, hands, "new org", "New organization");
  const dialog = page.getByTestId("new-node-dialog");
  await write(dialog.getByLabel("Name"), organization);
  await press(dialog.getByRole("button", { name: "Create organization" }));
  await page.waitForURL(`**/organizations/${organization.toLowerCase()}`);

  // Subscribe it to a plan.
  await find(page, hands, "new subs", "New subscription");
  await press(page.locator("main").getByTestId("node-picker"));
  await write(page.getByRole("combobox", { name: /Search/ }), organization);
  const option = page.getByRole("option", { name: organization });
  await option.waitFor();
  if (hands === touch) await option.tap();
  else {
    await page.getByRole("option", { name: organization, selected: true }).waitFor();
    await page.keyboard.press("Enter");
  }
  await page.waitForURL("**node=organization**");
  await choose("Plan", "Orbit");
  await press(page.getByRole("button", { name: "Subscribe", exact: true }));
  await page.getByTestId("limit-history").waitFor();
  await expectFitsWindow(page);

  // Make a rule.
  await find(page, hands, "new alert", "New alert rule");
  await choose("Kind", "Threshold");
  await write(page.getByLabel("Name", { exact: true }), `${organization} calls`);
  await choose("Meter", "API calls");
  await write(page.getByLabel("Threshold", { exact: true }), "2");
  await press(page.getByRole("button", { name: "Create rule" }));
  await page.getByTestId("rule-list").getByText(`${organization} calls`).first().waitFor();
  await expectFitsWindow(page);

  // Acknowledge an alert.
  await find(page, hands, "alerts", "Alerts");
  const waiting = page.getByTestId("firing-list").getByRole("button", { name: /^Acknowledge / });
  const before = await page.getByTestId("firing-list").getByText("acknowledged by").count();
  await press(waiting.first());
  await expect.poll(() => page.getByTestId("firing-list").getByText("acknowledged by").count()).toBe(before + 1);
  await expectFitsWindow(page);

  // Make a report, and take it along.
  await find(page, hands, "reports", "Reports");
  await press(page.getByTestId("standard-reports").getByRole("link", { name: "Usage summary", exact: true }));
  await page.getByTestId("report-paper").waitFor();
  await press(page.getByTestId("make-files"));
  await press(page.getByRole("button", { name: "Create files" }));
  await page.locator("[data-testid=run-state][data-state=done]").waitFor();
  const file = page.getByTestId("run-files").getByRole("link", { name: /as PDF/ });
  const [download] = await Promise.all([page.waitForEvent("download"), press(file)]);
  expect(download.suggestedFilename()).toMatch(/\.pdf$/);
  await expectFitsWindow(page);

  // Have it sent each month.
  await page.goto(`${service.url}/reports/usage`);
  await press(page.getByRole("link", { name: "Schedule this" }));
  await write(page.getByLabel("Email addresses"), "boss@example.org");
  await press(page.getByRole("button", { name: "Create schedule" }));
  await page.getByRole("button", { name: "Send me a test" }).waitFor();
  await expectFitsWindow(page);
  await expectAccessible(page);
  await context.close();
});
