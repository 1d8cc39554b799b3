/** The reseller's pages: the overview and the list of organizations, in a browser. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { askAt } from "../support/accounts.ts";
import { expectAccessible, launchBrowser } from "../support/browser.ts";
import { startService, type TestService } from "../support/service.ts";

let service: TestService;
let browser: Browser;
let page: Page;
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
        time: new Date(Date.now() - n * 9_000_000 - 1_000).toISOString(),
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
  await page.getByLabel("E-mail").fill(service.adminEmail);
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
  expect(await overview.textContent()).toContain("Law, second edition");
  expect(await page.getByTestId("revenue").textContent()).toContain("€");
  const top = page.getByRole("region", { name: "Top organizations" });
  expect(await top.getByRole("link").nth(1).textContent()).toBe("Clover Health");
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
  await expect.poll(() => dialog.getByLabel("Id", { exact: true }).inputValue()).toBe("zenith-cafe");
  await dialog.getByRole("button", { name: "Create organization" }).click();
  await page.waitForURL("**/organizations/zenith-cafe");
  await page.getByRole("heading", { name: "Zenith Café", level: 1 }).waitFor();
});

test("a custom model is made in the page, removed, and brought back by undo", async () => {
  await page.goto(`${service.url}/models`);
  const list = page.getByTestId("model-list");
  await list.getByText("Law, second edition").waitFor();
  await page.getByLabel("Model id", { exact: true }).fill("med-1");
  await page.getByLabel("Name", { exact: true }).fill("Medicine");
  await page.getByRole("button", { name: "Create model" }).click();
  await list.getByText("Medicine").waitFor();
  await list.getByRole("button", { name: "Remove Medicine" }).click();
  await list.getByText("Medicine").waitFor({ state: "hidden" });
  await page.getByTestId("toasts").getByRole("button", { name: "Undo" }).click();
  await list.getByText("Medicine").waitFor();
  await expectAccessible(page);
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
