/** Customers in a real browser: who is invited sees what their role allows, and a plan becomes a quota that is nearly used. */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import readWorkbook from "read-excel-file/node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { agreedMinutes, agreedMonth, agreedNode, makeAgreeingFigures, reader } from "../support/agreeing-figures.ts";
import { expectAccessible, expectFitsWindow, launchBrowser, signIn } from "../support/browser.ts";
import { askAsRoot } from "../support/dashboard-page.ts";
import { type Mailbox, openMailbox } from "../support/mailbox.ts";
import { eventually, startService, type TestService } from "../support/service.ts";

let service: TestService;
let browser: Browser;
let mailbox: Mailbox;
let dashboard: string;

beforeAll(async () => {
  mailbox = await openMailbox();
  [service, browser] = await Promise.all([startService({ TIDEMARK_SMTP_URL: mailbox.url }), launchBrowser()]);
  await ask("POST", "/v1/nodes", { kind: "reseller", id: "r1", name: "Brightwater" });
  await ask("POST", "/v1/nodes", { kind: "organization", id: "acme", name: "Acme", parent: "reseller:r1" });
  await ask("POST", "/v1/nodes", { kind: "organization", id: "known", name: "Known", parent: "reseller:r1" });
  await ask("POST", "/v1/nodes", { kind: "reseller", id: "r2", name: "Kestrel" });
  const features = [{ key: "posts", meter: "chat_posts", included: "10" }];
  const plan = { name: "Small", currency: "EUR", fixed_fee: { organization: "5" }, features };
  const { id } = await ask("POST", "/v1/plans", plan);
  await ask("POST", `/v1/plans/${id}/publish`);
  await ask("POST", "/v1/subscriptions", { node: "organization:known", plan: id });
  ({ dashboard } = await makeAgreeingFigures(ask));
});
afterAll(async () => {
  await browser?.close();
  await service?.stop();
  await mailbox?.close();
});

const ask = (method: string, path: string, body?: object) => askAsRoot(service, method, path, body);

async function open(path: string, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    reducedMotion: "reduce",
    ...options,
  });
  const page = await context.newPage();
  await page.goto(service.url + path);
  return page;
}

/** The panel of the picker is beside the page, whatever the button stands in. */
async function chooseNode(page: Page, within: Locator, name: string): Promise<void> {
  await within.getByTestId("node-picker").click();
  await page.getByRole("combobox", { name: /Search/ }).fill(name);
  await page.getByRole("option", { name }).click();
}

async function asAdmin(path: string, options: BrowserContextOptions = {}): Promise<Page> {
  const page = await open(path, options);
  await signIn(page, service.adminEmail, service.adminPassword);
  return page;
}

test("a plan is made, published and subscribed to, and usage near its limit shows as high", async () => {
  const page = await asAdmin("/plans");
  await page.getByRole("link", { name: "New plan" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Team");
  await page.getByLabel("Organization pays", { exact: true }).fill("49");
  await page.getByLabel("Add another feature").selectOption("chat_posts");
  await page.getByRole("button", { name: "Add feature" }).click();
  const feature = page.getByRole("region", { name: "Feature chat_posts" });
  await feature.getByLabel(/Included in a cycle/).fill("many");
  await feature.getByLabel("Over the limit").selectOption("bill");
  const price = feature.getByRole("group", { name: "Organization pays" });
  await price.getByLabel("Model").selectOption("graduated");
  await price.getByRole("textbox", { name: /price of each/ }).fill("0.05");
  await page.getByRole("button", { name: "Create draft" }).click();
  // What the server refuses is said at its field, which has the focus.
  await feature.getByText("must be a decimal of 0 or more").waitFor();
  await expect
    .poll(() => feature.getByLabel(/Included in a cycle/).evaluate((field) => field === document.activeElement))
    .toBe(true);
  await expectAccessible(page);
  await feature.getByLabel(/Included in a cycle/).fill("10");
  await page.getByRole("button", { name: "Create draft" }).click();
  await page.getByTestId("plan-features").getByText("€0.05 each").waitFor();
  await page.getByRole("button", { name: "Publish draft" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Publish" }).click();
  await page.getByText("version 1 published", { exact: true }).waitFor();
  await expectAccessible(page);

  await page.goto(`${service.url}/subscriptions/new?node=organization:acme`);
  await page.getByLabel("Plan", { exact: true }).selectOption({ label: "Team" });
  // From the first of the month on: of a cycle that it has in part, a subscription has a part of the limit.
  await page.getByLabel("First day").fill(`${new Date().toISOString().slice(0, 7)}-01`);
  await page.getByRole("button", { name: "Subscribe" }).click();
  await page.getByTestId("limit-history").getByText("10, then charged").waitFor();
  await expectAccessible(page);

  const posts = Array.from({ length: 9 }, () => ({
    id: randomUUID(),
    type: "chat.posted",
    organization: "acme",
    user: "u1",
  }));
  await ask("POST", "/v1/events?ack=stored", posts);
  await page.getByRole("link", { name: "This period" }).last().click();
  const quota = page.getByTestId("quota");
  await quota.getByText("High", { exact: true }).waitFor();
  await expect.poll(() => quota.textContent()).toMatch(/9\s+of\s+10\s+90%/);
  await expect.poll(() => page.getByTestId("charges-total").textContent()).toMatch(/^€\d+\.\d\d$/);
  await expectAccessible(page);

  await page.goto(`${service.url}/usage?node=organization:acme&meters=chat_posts`);
  await page.getByTestId("chart-choice").getByRole("button", { name: "Chat posts against its limit" }).click();
  const course = page.getByTestId("cycle-course");
  await course.locator("canvas[width]").waitFor();
  await course.getByText(/At this pace, .+ by the end/).waitFor();
  await expectAccessible(page);

  await page.goto(`${service.url}/organizations/acme`);
  await page.getByTestId("quota").getByText("High", { exact: true }).waitFor();
  for (const [tab, shown] of [
    ["Subscription", "node-subscriptions"],
    ["Statements", "node-statements"],
    ["Alerts", "alert-list"],
  ] as const) {
    await page.getByTestId("tabs").getByRole("link", { name: tab }).click();
    await page.getByTestId(shown).waitFor();
  }
  await expectAccessible(page);
  await page.getByTestId("tabs").getByRole("link", { name: "Overview" }).click();
  await page.getByRole("button", { name: "Edit" }).click();
  await page.getByLabel("Status").selectOption("suspended");
  await page.getByRole("button", { name: "Field", exact: true }).click();
  await page.getByLabel("Name of field 1").fill("region");
  await page.getByLabel("Value of field 1").fill("eu");
  await expectAccessible(page);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByText("suspended", { exact: true }).first().waitFor();
  await page.getByText("region: eu").waitFor();
  await page.getByRole("navigation", { name: "Breadcrumbs" }).getByRole("link", { name: "Brightwater" }).waitFor();
  await expectAccessible(page);
});

test("a reseller and an agent have the tabs of an organization that apply to them, from the tree on", async () => {
  await ask("POST", "/v1/events?ack=stored", [
    { id: randomUUID(), type: "call.completed", organization: "known", agent: "desk 1/a", user: "u2", value: "12.5" },
    { id: randomUUID(), type: "transcription.completed", organization: "known", job: "j1", user: "u2", value: "3" },
  ]);
  const page = await asAdmin("/tree");
  const tree = page.getByTestId("tree");
  await tree.getByRole("link", { name: "Brightwater" }).click();
  await page.waitForURL("**/tree/reseller:r1");
  await page.getByTestId("cycle-usage").waitFor();
  await page.getByTestId("customers-at-limits").waitFor();
  const tabs = page.getByTestId("tabs");
  await tabs.getByRole("link", { name: "Customers" }).click();
  await page.getByTestId("breakdown").getByRole("link", { name: "Known", exact: true }).waitFor();
  await tabs.getByRole("link", { name: "Subscriptions" }).click();
  await page.getByTestId("node-subscriptions").getByText("Known", { exact: true }).waitFor();
  for (const [tab, shown] of [
    ["Statements", "node-statements"],
    ["Sessions", "session-list"],
    ["Alerts", "alert-list"],
    ["Reports", "standard-reports"],
  ] as const) {
    await tabs.getByRole("link", { name: tab }).click();
    await page.getByTestId(shown).waitFor();
  }
  await expectAccessible(page);

  await page.setViewportSize({ width: 360, height: 740 });
  await page.goto(`${service.url}/tree/${encodeURIComponent("agent:known/desk 1%2Fa")}`);
  await page.getByRole("heading", { level: 1, name: "desk 1/a" }).waitFor();
  await page.getByTestId("cycle-usage").getByText("12.5").waitFor();
  expect(await tabs.getByRole("link", { name: "Statements" }).count()).toBe(0);
  await expectFitsWindow(page);
  await expectAccessible(page);
});

test("a person invited by mail sees what the role allows, prices only with finance, and no neighbour", async () => {
  const admin = await asAdmin("/people");
  await admin.getByTestId("user-list").waitFor();
  await admin.getByLabel("Email address").fill("mia@example.com");
  await admin.getByLabel("Role", { exact: true }).selectOption("viewer");
  await chooseNode(admin, admin.locator("form"), "Brightwater");
  await admin.getByRole("button", { name: "Invite", exact: true }).click();
  await admin.getByText("An invitation was emailed to mia@example.com.").waitFor();
  const mail = await eventually("the invitation", () =>
    mailbox.mails.find(({ to }) => to?.[0]?.address === "mia@example.com"),
  );
  const path = /\/set-password#[\w-]{43}/.exec(mail.text ?? "")?.[0] ?? "";

  const mia = await open(path);
  await mia.getByLabel("New password").fill("a long enough password");
  await mia.getByLabel("Repeat the password").fill("a long enough password");
  await mia.getByRole("button", { name: "Set password" }).click();
  await mia.getByRole("button", { name: "Sign in" }).click();
  await signIn(mia, "mia@example.com", "a long enough password");
  await mia.getByRole("link", { name: /Your account/ }).waitFor();

  // A viewer looks at her own subtree, changes nothing, and sees no price.
  await mia.goto(`${service.url}/tree`);
  await mia.getByTestId("tree").getByRole("link", { name: "Known" }).waitFor();
  expect(await mia.getByText("Kestrel").count()).toBe(0);
  expect(await mia.getByRole("button", { name: "New" }).count()).toBe(0);
  await mia.goto(`${service.url}/period?node=organization:known`);
  await mia.getByTestId("quota").waitFor();
  expect(await mia.getByText(/€/).count()).toBe(0);
  expect(await mia.getByText("Charges so far").count()).toBe(0);
  await mia.goto(`${service.url}/period?node=reseller:r2`);
  await mia.getByText("You do not have access to this").waitFor();
  for (const path of ["people", "keys", "plans/new"]) {
    await mia.goto(`${service.url}/${path}`);
    await mia.getByTestId("not-allowed").waitFor();
    expect(await mia.getByRole("textbox").count()).toBe(0);
  }

  await admin.getByRole("button", { name: "Edit mia@example.com" }).click();
  await admin.getByLabel("Add a role").selectOption("finance");
  await chooseNode(admin, admin.getByRole("dialog"), "Brightwater");
  await admin.getByRole("button", { name: "Add" }).click();
  await admin.getByRole("button", { name: "Remove the role finance of Brightwater" }).waitFor();
  await mia.goto(`${service.url}/period?node=organization:known`);
  await mia.getByTestId("charges-total").waitFor();
});

test("the pages of customers and plans fit a phone, in the dark too", async () => {
  const page = await asAdmin("/plans", { viewport: { width: 360, height: 740 }, colorScheme: "dark" });
  await page.getByTestId("plan-list").waitFor();
  const shown = {
    "/plans/new": "heading",
    "/subscriptions": "[data-testid=subscription-list] li",
    "/subscriptions/new": "h2",
    "/period?node=organization:known": "[data-testid=quota]",
    "/organizations/known": "[data-testid=quota]",
    "/tree": "[data-testid=tree] li a",
  };
  for (const [path, selector] of Object.entries(shown)) {
    await page.goto(service.url + path);
    await page
      .locator(selector === "heading" ? "h1" : selector)
      .first()
      .waitFor();
    await expectFitsWindow(page);
    await expectAccessible(page);
  }
});

test("a table of nodes is tried before it is taken, and a node moves to another parent", async () => {
  const page = await asAdmin("/tree");
  const choose = async (csv: string) =>
    page.getByLabel("File").setInputFiles({ name: "nodes.csv", mimeType: "text/csv", buffer: Buffer.from(csv) });
  await page.getByRole("button", { name: "Import" }).click();
  await choose("kind,id,parent\norganization,beta,reseller:r2\norganization,gamma,reseller:nobody\n");
  await page.getByTestId("import-tried").getByText("line 3,").waitFor();
  expect(
    await page
      .getByRole("dialog")
      .getByRole("button", { name: /^Import/ })
      .isDisabled(),
  ).toBe(true);
  await choose("kind,id,parent\norganization,beta,reseller:r2\n");
  await page.getByRole("button", { name: "Import 1 node" }).click();
  await page.getByText("1 node created; 0 nodes already existed.").waitFor();
  await page.getByRole("button", { name: "Done" }).click();

  await page.getByLabel("Search", { exact: true }).fill("beta");
  await page.getByRole("button", { name: "Edit beta" }).click();
  const dialog = page.getByTestId("node-dialog");
  await chooseNode(page, dialog, "Brightwater");
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByTestId("found-nodes").getByText("under Brightwater").waitFor();
});

test("every page, chart, table, file, statement and alert gives the figure that the API gives, to the last digit", async () => {
  const { first, last, end } = agreedMonth();
  const read = reader(service);
  const question = `node=${agreedNode}&from=${first}&to=${end}&tz=UTC`;
  const { meters } = await (await read(`/v1/usage?meter=transcribed_minutes&window=total&${question}`)).json();
  expect(meters[0].total).toBe(agreedMinutes);
  const exact = new Intl.NumberFormat("en", { maximumFractionDigits: 6 }).format(Number(agreedMinutes));
  const page = await asAdmin(
    `/usage?node=${agreedNode}&meters=transcribed_minutes&range=custom&from=${first}&through=${last}&tz=UTC`,
  );
  const told = (within: string) => page.locator(`${within} [title^="${exact}"]`).first().waitFor();

  // Usage: the table, the chart's legend, and each file that the page saves.
  await told("[data-testid=usage-totals]");
  await told("[data-testid=legend]");
  await page.locator(`[data-testid=usage-table] tbody td[data-figure="${agreedMinutes}"]`).waitFor();
  for (const form of ["csv", "xlsx", "json"] as const) {
    await page.getByTestId("export").first().click();
    const [file] = await Promise.all([page.waitForEvent("download"), page.getByTestId(`download-${form}`).click()]);
    const bytes = await readFile(await file.path());
    const cells = form === "xlsx" ? JSON.stringify(await readWorkbook(bytes)) : bytes.toString("utf8");
    expect([form, cells]).toEqual([form, expect.stringContaining(agreedMinutes)]);
  }

  // The organization: its cycle, the one who used it, and the cycles that are over.
  const { past } = await (await read(`/v1/period?node=${agreedNode}&cycles=2`)).json();
  const cycle = past.find(({ start }: { start: string }) => start.startsWith(first));
  expect(cycle.quotas[0].used).toBe(agreedMinutes);
  const organization = `${service.url}/organizations/perihelion?cycle=${encodeURIComponent(cycle.start)}`;
  await page.goto(organization);
  await told("[data-testid=cycle-usage]");
  await page.goto(`${organization}&tab=people`);
  await page.locator(`[data-testid=breakdown] td[data-figure="${agreedMinutes}"]`).waitFor();
  await page.goto(`${organization}&tab=subscription`);
  await page.locator(`main td[data-figure="${agreedMinutes}"]`).first().waitFor();

  // The report of that month.
  await page.goto(`${service.url}/reports/usage?node=${agreedNode}&range=custom&from=${first}&through=${last}&tz=UTC`);
  await told("[data-testid=report-paper]");

  // The month that runs: its overview, its period, a panel, an alert, and who is there now.
  await page.goto(`${service.url}/overview?node=${agreedNode}&tz=UTC`);
  await told("[data-testid=month-total]");
  await page.goto(`${service.url}/period?node=${agreedNode}`);
  await told("[data-testid=quota]");
  await page.goto(`${service.url}/dashboards/${dashboard}`);
  await told("[data-testid=panels] [data-testid=legend]");
  const alert = await eventually("the alert", async () => {
    const { alerts } = await (await read(`/v1/alerts?node=${agreedNode}&kind=threshold`)).json();
    return alerts[0];
  });
  expect(Number(alert.value)).toBe(Number(agreedMinutes));
  await page.goto(`${service.url}/alerts/${alert.id}`);
  await page.getByText(`${exact} minutes`, { exact: true }).first().waitFor();
  await page.goto(`${service.url}/?node=${agreedNode}`);
  await page.locator("[data-testid=live-participants][data-value='1']").waitFor();

  // The statement of that month, in the list and on its page.
  const statement = await eventually("the statement", async () => {
    const { statements } = await (await read(`/v1/statements?node=${agreedNode}`)).json();
    return statements.find(({ from }: { from: string }) => from.startsWith(first));
  });
  const total = new Intl.NumberFormat("en", { style: "currency", currency: "EUR" }).format(Number(statement.total));
  await page.goto(`${service.url}/statements?node=${agreedNode}`);
  await page.locator("li", { hasText: "Perihelion" }).getByText(total, { exact: true }).first().waitFor();
  await page.goto(`${service.url}/statements/${statement.id}`);
  const billed = page.getByTestId("statement-usage");
  await billed.getByText(`${exact} minutes`).waitFor();
  await billed
    .getByRole("button", { name: /counted/ })
    .first()
    .click();
  await page.getByTestId("explain").getByText(`${exact} minutes`).waitFor();
  await page
    .getByTestId("last-event")
    .getByText(/^Received (just now|\d+ (s|min) ago)/)
    .waitFor();
});
