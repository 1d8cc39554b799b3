/** The pages of statements in a real browser, on the built dashboard: lines, adjustments, payment, sums, what is hidden, what if. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Billing, createBilling } from "../support/billing.ts";
import { expectAccessible, launchBrowser } from "../support/browser.ts";

let billing: Billing;
let browser: Browser;
const seller = "reseller:asked-about-9f3c";
/** In the last cycle that is over, whenever this runs. */
const now = new Date();
const lately = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 1, 10, 12));

beforeAll(async () => {
  [billing, browser] = await Promise.all([createBilling(), launchBrowser()]);
  const { world } = billing;
  const prices = {
    organization: {
      model: "graduated",
      tiers: [
        { up_to: 100, unit_price: "0.10" },
        { up_to: null, unit_price: "0.05" },
      ],
    },
    reseller: { model: "package", size: 100, price: "3" },
  };
  const calls = { key: "calls", meter: "call_minutes", included: 500, overage: "bill", prices };
  const plan = await billing.plan("partner:above-9f3c", {
    name: "Large",
    currency: "EUR",
    fixed_fee: { organization: "49", reseller: "30" },
    features: [calls],
  });
  for (const organization of ["inside-9f3c", "beside-9f3c"]) {
    const when = { starts_at: "2026-08-01T00:00:00Z", tz: "Europe/Berlin" };
    await billing.subscribe(`organization:${organization}`, plan, when);
    await billing.calls([organization, "2026-08-10T00:00:00Z", "650"], [organization, "2026-09-10T00:00:00Z", "90"]);
  }
  await billing.run("2026-09-02T00:00:00Z");
  await billing.calls(["inside-9f3c", "2026-08-20T00:00:00Z", "20"]);
  await billing.run("2026-10-03T00:00:00Z");
  await billing.calls(["inside-9f3c", lately.toISOString(), "650"]);
  const body = { name: "Draft", currency: "EUR", fixed_fee: { organization: "60" }, node: seller };
  const limits = [{ key: "calls", meter: "call_minutes", included: 600, overage: "block", thresholds: [75, 100] }];
  await world.ask("POST", "/v1/plans", { key: billing.key, body: { ...body, features: limits } });
});
afterAll(async () => {
  await browser?.close();
  await billing?.world.close();
});

async function openAs(role: string, path: string): Promise<Page> {
  const { world } = billing;
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: "reduce" });
  const value = world.callers.get(`with the role ${role}`)?.session ?? "";
  await context.addCookies([{ name: "tidemark_session", value, url: world.url }]);
  const page = await context.newPage();
  await page.goto(world.url + path);
  return page;
}

test("finance finds a statement, its lines and what was known later, and says that it was paid", async () => {
  const page = await openAs("finance", "/statements");
  const list = page.getByTestId("statement-list");
  await list.getByRole("listitem").first().waitFor();
  expect(await list.getByRole("listitem").count()).toBe(6);
  await expectAccessible(page);
  await page.getByLabel("Kind").selectOption("subscription");
  await expect.poll(() => list.getByRole("listitem").count()).toBe(4);
  await list.getByRole("listitem").filter({ hasText: "inside-9f3c" }).last().getByRole("link").click();
  await page.getByTestId("statement-lines").waitFor();
  const lines = await page.getByTestId("statement-lines").getByRole("listitem").allInnerTexts();
  expect(lines.map((text) => text.replaceAll(/\s+/g, " "))).toEqual([
    expect.stringMatching(/^Fixed fee 1 × €49\.00 .* €49\.00$/),
    expect.stringMatching(/tier 1 100 × €0\.10 .* €10\.00$/),
    expect.stringMatching(/tier 2 50 × €0\.05 .* €2\.50$/),
  ]);
  const figures = page.getByTestId("statement-figures");
  expect(await figures.textContent()).toMatch(/€61\.50[\s\S]*With later changes\s*€62\.50/);
  await page.getByText("Charged on a later statement").waitFor();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Reseller pays" }).click();
  await page.getByText(`${seller} keeps €25.50`).waitFor();
  await page.getByRole("button", { name: "Set status" }).click();
  await page.getByLabel("Reference").fill("INV-7");
  await page.getByRole("button", { name: "Save" }).click();
  const payment = page.getByTestId("payment");
  await payment.getByText("INV-7").waitFor();
  expect(await payment.textContent()).toMatch(/^\s*paid/);
  await page.getByRole("link", { name: "view that statement" }).click();
  await page.getByText(/1 Sept 2026 through 30 Sept 2026, /).waitFor();
  await page.getByRole("button", { name: "Organization pays" }).click();
  await page.getByTestId("statement-lines").getByText("adjustment", { exact: true }).waitFor();
});

test("the reseller's summary has its income, its cost and its margin", async () => {
  const page = await openAs("finance", `/statements?kind=summary`);
  await page.getByTestId("statement-list").getByRole("link").last().click();
  await page.getByTestId("statement-figures").waitFor();
  // August: twice 61.50 against twice 36.
  expect(await page.getByTestId("statement-figures").textContent()).toMatch(/€72\.00[\s\S]*€123\.00[\s\S]*€51\.00/);
  await expectAccessible(page);
});

test("without the right to prices the statements are there and no amount is", async () => {
  const page = await openAs("manager", "/statements");
  await page.getByTestId("statement-list").getByRole("link").first().click();
  await page.getByText("Only owners and finance can see amounts.").waitFor();
  expect(await page.getByRole("main").textContent()).not.toMatch(/€/);
  expect(await page.getByRole("button", { name: "Set status" }).count()).toBe(0);
  expect(await page.getByRole("link", { name: "What if" }).count()).toBe(0);
});

test("a draft's cost is shown beside what was charged, with who would have been blocked", async () => {
  const page = await openAs("finance", "/what-if");
  await page.getByText("Choose a plan to try.").waitFor();
  const plans = page.getByLabel("Plan", { exact: true });
  await plans.selectOption({ label: "Draft, draft 1" });
  await page.getByLabel("Period", { exact: true }).selectOption({ label: "The last 3 cycles" });
  const node = page.getByTestId("what-if-node").filter({ hasText: "inside-9f3c" });
  await node.getByText("blocked", { exact: true }).waitFor();
  await node.locator("summary").click();
  const day = lately.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
  await node.getByText(`blocked from ${day}`).first().waitFor();
  // Two organizations, three cycles at 60 each.
  await expect.poll(() => page.getByTestId("what-if-figures").textContent()).toMatch(/€360\.00/);
  await expectAccessible(page);
});
