/** The reseller's pages: the overview and the list of organizations, in a browser. */
import { randomUUID } from "node:crypto";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { askAt } from "../support/accounts.ts";
import { expectAccessible, expectFitsWindow, launchBrowser } from "../support/browser.ts";
import { startService, type TestService } from "../support/service.ts";

let service: TestService;
let browser: Browser;
let page: Page;
const startedMs = Date.now();
/** All usage lies in the month that runs, also in its first hours: lists and ranks are of that month. */
const monthMs = Date.UTC(new Date(startedMs).getUTCFullYear(), new Date(startedMs).getUTCMonth());
const mostEvents = 12;
const stepMs = Math.min(9_000_000, (startedMs - monthMs) / (mostEvents + 1));
const names = ["Acme Corporation", "Nordlicht Energie", "Blue River Media", "Kestrel Law", "Clover Health"];

beforeAll(async () => {
  service = await startService();
  browser = await launchBrowser();
  const ask = askAt(service.url);
  const key = service.rootKey;
  const feature = { key: "minutes", meter: "transcribed_minutes", included: 100, overage: "bill" };
  const price = { organization: { model: "graduated", tiers: [{ up_to: null, unit_price: "0.05" }] } };
  const plan = await ask("POST", "/v1/plans", {
    key,
    body: {
      name: "Standard",
      currency: "EUR",
      fixed_fee: { organization: "49" },
      features: [{ ...feature, prices: price }],
    },
  });
  await ask("POST", `/v1/plans/${plan.body.id}/publish`, { key });
  const events: object[] = [];
  for (const [index, name] of names.entries()) {
    const id = name.split(" ")[0]?.toLowerCase() ?? "";
    await ask("POST", "/v1/nodes", { key, body: { kind: "organization", id, name, external_id: `CRM-${index}` } });
    if (index < 4)
      await ask("POST", "/v1/subscriptions", { key, body: { node: `organization:${id}`, plan: plan.body.id } });
    for (let n = 0; n < index * 3; n++)
      events.push({
        id: `${id}-${n}`,
        type: "transcription.completed",
        organization: id,
        user: `user-${n % 3}@${id}`,
        job: `${id}-${n}`,
        value: 10.5,
        time: new Date(Math.max(monthMs, startedMs - (n + 1) * stepMs)).toISOString(),
        properties: {
          language: ["en", "nl", "de"][n % 3] ?? "en",
          model: ["standard", "law-2"][n % 2] ?? "",
          accuracy: 93 + (n % 5),
        },
      });
  }
  await ask("POST", "/v1/models", { key, body: { model: "law-2", name: "Law, second edition" } });
  const sent = await ask("POST", "/v1/events?ack=stored", { key, body: events });
  expect(sent.body).toMatchObject({ accepted: events.length });
  const context = await browser.newContext({ viewport: { width: 1440, height: 1000 } });
  page = await context.newPage();
  await page.goto(service.url);
  await page.getByLabel("Email").fill(service.adminEmail);
  await page.getByLabel("Password", { exact: true }).fill(service.adminPassword);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Live now" }).waitFor();
});
afterAll(async () => {
  await browser?.close();
  await service?.stop();
});

test("the overview shows the month: organizations, revenue, ranks, quotas, adoption, what just happened", async () => {
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Overview" }).click();
  const overview = page.getByTestId("overview");
  await overview.waitFor();
  await page.getByTestId("recent-jobs").getByText("completed").first().waitFor();
  await expect.poll(() => overview.textContent()).toContain("Law, second edition");
  await expect.poll(() => page.getByTestId("revenue").textContent()).toContain("€");
  const top = page.getByRole("region", { name: "Top organizations" });
  await expect.poll(() => top.getByRole("link").nth(1).textContent()).toBe("Clover Health");
  await page
    .getByTestId("attention")
    .getByRole("region", { name: "Failed payments" })
    .getByRole("link", { name: "0" })
    .waitFor();
  await page.getByTestId("usage-cards").getByRole("link", { name: "Transcribed minutes" }).waitFor();
  await expectAccessible(page);
  await shoot("overview");
  await page.getByRole("region", { name: "Recent activity" }).getByRole("link", { name: "All" }).click();
  await page.getByTestId("activity").getByText("completed").first().waitFor();
});

test("organizations are found in spite of a typo, filtered by quota, sorted and made", async () => {
  await page.goto(`${service.url}/organizations`);
  const table = page.getByTestId("organizations");
  const listed = async () => (await table.getByRole("rowheader").getByRole("link").allTextContents()).join("|");
  await expect.poll(listed).toBe([...names].sort().join("|"));
  await table.getByRole("button", { name: "Transcribed minutes" }).click();
  await expect.poll(listed).toBe([...names].reverse().join("|"));
  await expectAccessible(page);
  await shoot("organizations");
  await page.getByLabel("Search", { exact: true }).fill("nordlihct");
  await expect.poll(listed).toBe("Nordlicht Energie");
  await page.getByLabel("Search", { exact: true }).fill("");
  await page.getByLabel("Quota").selectOption("none");
  await expect.poll(listed).toBe("Clover Health");
  await page.getByLabel("Quota").selectOption("");
  await page.getByRole("button", { name: "New organization" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("Zenith Café");
  await expect.poll(() => dialog.getByLabel("ID", { exact: true }).inputValue()).toBe("zenith-cafe");
  await dialog.getByRole("button", { name: "Create organization" }).click();
  await page.waitForURL("**/organizations/zenith-cafe");
  await page.getByRole("heading", { name: "Zenith Café", level: 1 }).waitFor();
});

test("a custom model is made in the page, removed, and brought back by undo", async () => {
  await page.goto(`${service.url}/models`);
  const list = page.getByTestId("model-list");
  await list.getByText("Law, second edition").waitFor();
  await page.getByLabel("Model ID", { exact: true }).fill("med-1");
  await page.getByLabel("Name", { exact: true }).fill("Medicine");
  await page.getByRole("button", { name: "Create model" }).click();
  await list.getByText("Medicine").waitFor();
  await list.getByRole("button", { name: "Delete Medicine" }).click();
  await list.getByText("Medicine").waitFor({ state: "hidden" });
  await page.getByTestId("toasts").getByRole("button", { name: "Undo" }).click();
  await list.getByText("Medicine").waitFor();
  await expectAccessible(page);
});

test("every group has its figure of each meter, and one that the chart takes together looks like what it is part of", async () => {
  const posts = (type: string, count: number, organization: string) =>
    Array.from({ length: count }, (_, n) => ({ id: `${type}-${n}`, type, organization, user: "ada" }));
  const places = [1, 2, 3, 4, 5, 6];
  const events = places.flatMap((place) => [
    ...posts("chat.posted", place, `grp${place}`),
    ...posts("question.posted", 7 - place, `grp${place}`),
  ]);
  await askAt(service.url)("POST", "/v1/events?ack=stored", { key: service.rootKey, body: events });
  const address = "/usage?range=7d&meters=chat_posts,qa_posts&by=organization&where=organization:prefix:grp";
  await page.goto(service.url + address);
  const groups = page.getByTestId("group-table");
  await groups.locator("[data-key=grp6]").waitFor();
  for (const place of places) {
    const row = groups.locator(`[data-key=grp${place}]`);
    expect(await row.locator("[data-meter=chat_posts]").getAttribute("data-figure")).toBe(String(place));
    expect(await row.locator("[data-meter=qa_posts]").getAttribute("data-figure")).toBe(String(7 - place));
  }
  const colorOf = (key: string) =>
    groups.locator(`[data-key=${key}] [style*="--series-"]`).first().getAttribute("style");
  expect(await colorOf("grp1")).toContain("--series-8");
  expect(await colorOf("grp6")).not.toContain("--series-8");
});

test("a question becomes a panel, panels are arranged by keyboard, and a colleague sees them in the range that was kept", async () => {
  // A second try finds the dashboard of the first one.
  const dashboard = `Monday ${randomUUID().slice(0, 8)}`;
  const putOn = async (choice: string) => {
    await page.getByTestId("saved-views").click();
    await page.getByLabel("Put it on").selectOption({ label: choice });
    await page.getByRole("button", { name: "Add", exact: true }).click();
  };
  await page.goto(`${service.url}/usage?meters=chat_posts&range=7d`);
  await putOn("A new dashboard");
  await page.waitForURL("**/dashboards/**edit=1");
  const address = service.url + new URL(page.url()).pathname;
  await page.getByLabel("Name", { exact: true }).fill(dashboard);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: dashboard }).waitFor();
  await page.goto(`${service.url}/usage?meters=sessions`);
  await putOn(dashboard);
  await page.getByText(`is on “${dashboard}” now`).waitFor();
  await page.goto(`${address}?edit=1`);
  await page.getByRole("button", { name: "Move Sessions up" }).press("Enter");
  const width = page.getByRole("group", { name: "Width of Sessions" });
  await width.getByRole("button", { name: "Full" }).press("Enter");
  await expectAccessible(page);
  // What a panel's fields take is not taken from the panel below.
  const edges = await page
    .getByTestId("panels")
    .getByRole("listitem")
    .evaluateAll((items) =>
      items.map((item) => [item.getBoundingClientRect().bottom, item.lastElementChild?.getBoundingClientRect().bottom]),
    );
  for (const [bottom, ofPanel] of edges) expect(ofPanel).toBeLessThanOrEqual((bottom ?? 0) + 1);
  await page.getByRole("button", { name: "Save", exact: true }).press("Enter");
  await page.getByRole("button", { name: "Edit", exact: true }).waitFor();
  const colleague = await page.context().newPage();
  await colleague.setViewportSize({ width: 360, height: 780 });
  await colleague.goto(address);
  const panels = colleague.getByTestId("panels");
  await panels.getByTestId("chart").nth(1).waitFor();
  await expect
    .poll(() => panels.getByRole("heading", { level: 2 }).allTextContents())
    .toEqual(["Sessions", "Chat posts"]);
  await colleague.getByTestId("range-picker").getByText("Last 7 days").waitFor();
  await expectFitsWindow(colleague);
  await colleague.close();
  // The panel that has the focus fills the window; the palette leads to the dashboard by its name.
  await page.getByRole("link", { name: "Open Chat posts in Usage" }).focus();
  await page.keyboard.press("v");
  await page.getByRole("dialog", { name: "Chat posts" }).getByTestId("chart").locator("canvas[width]").waitFor();
  await expectAccessible(page);
  await page.keyboard.press("Escape");
  await page.goto(`${service.url}/usage`);
  await page.getByTestId("range-picker").waitFor();
  await page.keyboard.press("Control+k");
  const palette = page.getByTestId("palette");
  await palette.getByRole("combobox").fill(dashboard);
  await palette.getByRole("option", { name: dashboard }).click();
  await page.getByRole("heading", { level: 1, name: dashboard }).waitFor();
});

/** Pictures for who looks at them, where a folder for them is named. */
async function shoot(name: string): Promise<void> {
  const folder = process.env.SHOTS;
  if (!folder) return;
  for (const colorScheme of ["light", "dark"] as const)
    for (const width of [1440, 360]) {
      await page.evaluate((theme) => (document.documentElement.dataset.theme = theme), colorScheme);
      await page.setViewportSize({ width, height: 1000 });
      await page.screenshot({ path: `${folder}/${name}-${colorScheme}-${width}.png`, fullPage: true });
    }
  await page.setViewportSize({ width: 1440, height: 1000 });
}

test("a series is hidden from the chart by its legend, the address keeps it, and a table is copied as Markdown", async () => {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.goto(`${service.url}/usage?meters=document_length,documents`);
  const entry = page.getByTestId("legend").locator("[data-key=documents]");
  await entry.click({ modifiers: ["Shift"] });
  await page.waitForURL(/hide=documents/);
  await page.reload();
  await entry.locator(".line-through").waitFor();
  await entry.click({ modifiers: ["Shift"] });
  await page.waitForURL((url) => !url.search.includes("hide="));
  await page.getByTestId("export").click();
  await page.getByTestId("copy-markdown").click();
  await page.getByText("Copied as Markdown.").waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toMatch(/^\| Day \|.*Documents/m);
  expect(copied).toContain("| --- | ---: | ---: |");
});

test("a legend says the last, average, highest and lowest figure of each series, sorted by any of them, on a phone too", async () => {
  await page.goto(`${service.url}/usage?meters=document_length,documents,transcribed_minutes&range=30d`);
  await page.getByTestId("chart-figures").click();
  const legend = page.getByTestId("legend");
  await legend.getByRole("button", { name: "Highest", exact: true }).press("Enter");
  await expect
    .poll(() => legend.getByRole("columnheader", { name: "Highest" }).getAttribute("aria-sort"))
    .toBe("descending");
  await page.reload();
  await legend.getByRole("columnheader", { name: "Average" }).waitFor();
  await shoot("legend-table");
  await page.setViewportSize({ width: 360, height: 780 });
  await expectFitsWindow(page);
  await expectAccessible(page);
  await page.setViewportSize({ width: 1440, height: 1000 });
  await page.getByTestId("chart-figures").click();
  await legend.getByRole("table").waitFor({ state: "hidden" });
});

test("all usage is a key away, from the month of the first event, and a range that was typed is offered again", async () => {
  await page.goto(`${service.url}/usage?meters=transcribed_minutes&range=7d`);
  await page.getByTestId("usage-table").waitFor();
  await page.keyboard.press("a");
  await page.waitForURL((url) => url.searchParams.get("to") === "now");
  expect(new URL(page.url()).searchParams.get("from")).toBe(new Date(monthMs).toISOString());
  const picker = page.getByTestId("range-picker");
  await picker.click();
  await page.getByLabel("Type a range and press Enter").fill("now-6h");
  await page.keyboard.press("Enter");
  await page.waitForURL(/from=now-6h/);
  await page.keyboard.press("w");
  await page.waitForURL(/range=7d/);
  await picker.click();
  await expectAccessible(page);
  await page.getByTestId("recent-ranges").getByRole("button", { name: "now-6h to now" }).press("Enter");
  await page.waitForURL(/from=now-6h/);
});

test("a pinned customer is first in the palette and a digit away", async () => {
  await page.goto(`${service.url}/organizations/acme`);
  await page.getByTestId("pin").click();
  await page.goto(`${service.url}/usage`);
  await page.getByTestId("chart").waitFor();
  await page.keyboard.press("1");
  await page.waitForURL(/node=organization%3Aacme/);
  await page.keyboard.press("Control+k");
  await page.getByTestId("palette").getByText("Pinned").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("c");
  await page.getByRole("dialog", { name: "Choose a range of days" }).waitFor();
  await page.keyboard.press("Escape");
});
