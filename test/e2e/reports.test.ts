/** Reports and schedules in a real browser, from the figures on paper to the files and the mail. */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Browser, BrowserContext, Page } from "playwright-core";
import readWorkbook from "read-excel-file/node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectAccessible, expectFitsWindow, launchBrowser, signIn } from "../support/browser.ts";
import { askAsRoot } from "../support/dashboard-page.ts";
import { type Mailbox, openMailbox } from "../support/mailbox.ts";
import { startService, type TestService } from "../support/service.ts";

let service: TestService;
let browser: Browser;
let mailbox: Mailbox;
let desk: Page;
let phone: Page;
const lastMonth = new Date(Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth() - 1, 10, 12));

beforeAll(async () => {
  mailbox = await openMailbox();
  [service, browser] = await Promise.all([startService({ TIDEMARK_SMTP_URL: mailbox.url }), launchBrowser()]);
  await transcribe("en", "90.5");
  await transcribe("de", "12.25");
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" });
  desk = await context.newPage();
  await desk.goto(service.url);
  await signIn(desk, service.adminEmail, service.adminPassword);
  await desk.getByTestId("bell").waitFor();
  phone = await openPhone(await context.storageState());
});
afterAll(async () => {
  await browser?.close();
  await service?.stop();
  await mailbox?.close();
});

async function openPhone(storageState?: Awaited<ReturnType<BrowserContext["storageState"]>>): Promise<Page> {
  const look = { viewport: { width: 360, height: 800 }, reducedMotion: "reduce", colorScheme: "dark" } as const;
  return (await browser.newContext({ ...look, ...(storageState && { storageState }) })).newPage();
}

const post = (path: string, body: object) => askAsRoot(service, "POST", path, body);

async function transcribe(language: string, value: string): Promise<void> {
  const what = { type: "transcription.completed", organization: "acme", time: lastMonth.toISOString(), value };
  const properties = { language, model: "m-1", kind: "transcript" };
  await post("/v1/events?ack=stored", [{ id: randomUUID(), ...what, properties }]);
}

/** Waits until the run that the page shows is over, and fails with what the page says of one that was not made. */
async function expectMade(page: Page): Promise<void> {
  const run = page.locator(
    "[data-testid=run-state]:is([data-state=done], [data-state=failed], [data-state=cancelled])",
  );
  await run.waitFor();
  expect([await run.getAttribute("data-state"), await run.textContent()]).toEqual(["done", expect.anything()]);
}

/** Two pixels. */
const logo = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAIAAAB7QOjdAAAADUlEQVR4nGPgL8sDIgAF7gHnh94wdwAAAABJRU5ErkJggg==",
  "base64",
);

test("a report shows its figures as on paper, and its files hold the same figures", async () => {
  await desk.goto(`${service.url}/reports`);
  await desk.getByTestId("standard-reports").getByRole("link", { name: "Usage summary", exact: true }).click();
  const paper = desk.getByTestId("report-paper");
  await paper.getByRole("row", { name: /Transcribed minutes.* 102\.75/ }).waitFor();
  await paper.getByRole("img", { name: /Usage by day/ }).waitFor();
  await expectAccessible(desk);
  await desk.getByTestId("make-files").click();
  for (const format of ["CSV", "JSON"]) await desk.getByLabel(format, { exact: false }).check();
  await desk.getByRole("button", { name: "Create files" }).click();
  await desk.waitForURL(/\/reports\?run=/);
  await expectMade(desk);
  await paper.getByText("102.75").first().waitFor();
  await desk.getByTestId("run-files").getByRole("button", { name: "CSV" }).click();
  const [csv] = await Promise.all([desk.waitForEvent("download"), desk.getByRole("link", { name: "Totals" }).click()]);
  expect(csv.suggestedFilename()).toMatch(/\.csv$/);
  expect(await readFile(await csv.path(), "utf8")).toMatch(/^transcribed_minutes,.*,102\.75,/m);
  const [pdf] = await Promise.all([
    desk.waitForEvent("download"),
    desk
      .getByTestId("run-files")
      .getByRole("link", { name: /as PDF/ })
      .click(),
  ]);
  expect((await readFile(await pdf.path())).subarray(0, 5).toString()).toBe("%PDF-");
  await expectAccessible(desk);
});

test("a run shows what has changed since, and stays as it was", async () => {
  const differences = desk.getByTestId("differences");
  await desk.getByTestId("run-view").getByRole("button", { name: "Changed since" }).click();
  await differences.getByText("Nothing has changed since").waitFor();
  await transcribe("fr", "7");
  await desk.reload();
  await differences
    .getByRole("row", { name: /102\.75 109\.75/ })
    .first()
    .waitFor();
  await expectAccessible(desk);
  await desk.getByTestId("run-view").getByRole("button", { name: "As created" }).click();
  await desk.getByTestId("report-paper").getByText("102.75").first().waitFor();
  // The address that mails lead to opens it on a phone too.
  await phone.goto(desk.url());
  await phone.getByTestId("report-paper").getByText("102.75").first().waitFor();
  await expectFitsWindow(phone);
  await expectAccessible(phone);
});

test("a custom report is built beside its figures, then edited and deleted", async () => {
  await desk.goto(`${service.url}/reports/new?meters=transcribed_minutes`);
  await desk.getByLabel("Grouped by").selectOption("language");
  const preview = desk.getByTestId("live-preview");
  await preview
    .getByRole("row", { name: /Transcribed minutes de .*12\.25/ })
    .first()
    .waitFor();
  await desk.getByRole("button", { name: "Add a filter" }).click();
  await desk.getByLabel("Dimension").selectOption("language");
  await desk.getByLabel("Values, separated by commas").fill("en");
  await preview
    .getByRole("row", { name: /Transcribed minutes de / })
    .first()
    .waitFor({ state: "detached" });
  await desk.getByRole("button", { name: "Create report" }).click();
  await expect.poll(() => desk.getByLabel("Name", { exact: true }).getAttribute("aria-invalid")).toBe("true");
  await desk.getByLabel("Name", { exact: true }).fill("English minutes");
  await expectAccessible(desk);
  await desk.getByRole("button", { name: "Create report" }).click();
  await desk.getByRole("heading", { level: 1, name: "English minutes" }).waitFor();
  await desk.getByTestId("report-paper").getByText("90.50").first().waitFor();
  await desk.getByRole("link", { name: "Edit" }).click();
  await desk.getByLabel("Name", { exact: true }).fill("Minutes in English");
  await desk.getByRole("button", { name: "Save" }).click();
  await desk.getByRole("heading", { level: 1, name: "Minutes in English" }).waitFor();
  await phone.goto(`${service.url}/reports`);
  const row = phone.getByTestId("report-list").getByRole("listitem").filter({ hasText: "Minutes in English" });
  await row.getByText("by language, each month, one filter").waitFor();
  await expectFitsWindow(phone);
  await expectAccessible(phone);
  await row.getByRole("button", { name: "Delete Minutes in English" }).click();
  await phone.getByRole("button", { name: "Delete report" }).click();
  await row.waitFor({ state: "detached" });
});

test("a schedule shows when it sends, tests itself by mail, pauses and goes", async () => {
  await desk.goto(`${service.url}/reports/usage`);
  await desk.getByRole("link", { name: "Schedule this" }).click();
  await desk.getByTestId("schedule-every").getByRole("button", { name: "Week" }).click();
  await desk.getByLabel("On", { exact: true }).selectOption("fri");
  await desk.getByLabel("In the time zone").fill("Asia/Kathmandu");
  await desk.getByTestId("schedule-preview").getByText("Every Friday at 08:00 (Asia/Kathmandu)").waitFor();
  await desk.getByLabel("Email addresses").fill("not an address");
  await desk.getByRole("button", { name: "Create schedule" }).click();
  await expect.poll(() => desk.getByLabel("Email addresses").getAttribute("aria-invalid")).toBe("true");
  await desk.getByLabel("Email addresses").fill("boss@example.org, ops@example.org");
  await expectAccessible(desk);
  await desk.getByRole("button", { name: "Create schedule" }).click();
  await desk.getByRole("button", { name: "Send me a test" }).click();
  const slot = desk.locator("[data-testid=slot][data-state=sent]");
  await slot.locator("summary").click();
  await desk.locator("[data-testid=slot-delivery][data-state=sent]").waitFor();
  const mail = mailbox.mails.find(({ subject }) => subject?.startsWith("Test: Usage summary"));
  expect(mail?.to?.map(({ address }) => address)).toEqual([service.adminEmail]);
  expect(mail?.attachments.map(({ filename }) => filename?.replace(/.*\./, "")).sort()).toEqual(["pdf", "xlsx"]);
  await expectAccessible(desk);
  await phone.goto(`${service.url}/schedules`);
  const row = phone.getByTestId("schedule-list").getByRole("listitem").filter({ hasText: "Usage summary" }).first();
  await row.getByTestId("last-slot").getByText("sent").waitFor();
  await expect.poll(() => row.getByRole("list", { name: "Next" }).getByRole("listitem").count()).toBe(3);
  await expectFitsWindow(phone);
  await expectAccessible(phone);
  await desk.getByRole("button", { name: "Pause" }).click();
  await desk.getByText("Nothing while paused").waitFor();
  await desk.getByRole("button", { name: "Resume" }).click();
  await desk.getByText("Nothing while paused").waitFor({ state: "detached" });
  await desk.getByRole("button", { name: "Delete" }).click();
  await desk.getByRole("button", { name: "Delete schedule" }).click();
  await desk.getByText("No schedules yet").waitFor();
});

test("the look of reports is set on its page, and lists are saved with all their rows", async () => {
  await desk.goto(`${service.url}/branding`);
  await desk.getByLabel("Name", { exact: true }).fill("Acme Reports");
  await desk.getByLabel("Colour", { exact: true }).fill("#12");
  await desk.getByRole("button", { name: "Save" }).click();
  await expect.poll(() => desk.getByLabel("Colour", { exact: true }).getAttribute("aria-invalid")).toBe("true");
  await desk.getByLabel("Colour", { exact: true }).fill("#0f766e");
  await desk
    .getByLabel("Logo", { exact: true })
    .setInputFiles({ name: "logo.png", mimeType: "image/png", buffer: logo });
  await desk.getByRole("img", { name: "The logo" }).waitFor();
  await desk.getByLabel("Days").fill("30");
  await desk.getByRole("button", { name: "Save" }).click();
  await desk.getByText("Saved. New reports use this branding.").waitFor({ timeout: 60_000 });
  await expectAccessible(desk);
  const answer = await fetch(`${service.url}/v1/nodes/all`, {
    headers: { authorization: `Bearer ${service.rootKey}` },
  });
  const branding = { name: "Acme Reports", color: "#0f766e", logo: `data:image/png;base64,${logo.toString("base64")}` };
  expect(await answer.json()).toMatchObject({ branding, report_days: 30 });

  await desk.goto(`${service.url}/keys`);
  await desk.getByTestId("export").click();
  const [csv] = await Promise.all([desk.waitForEvent("download"), desk.getByTestId("download-csv").click()]);
  expect(csv.suggestedFilename()).toBe("keys.csv");
  expect(await readFile(await csv.path(), "utf8")).toMatch(/^id,name,/);
});

test("what the usage page shows is saved as Excel and as a picture, and scheduled", async () => {
  await desk.goto(`${service.url}/usage?range=last-month&meters=transcribed_minutes&window=week`);
  await desk.getByTestId("usage-table").waitFor();
  await desk.getByTestId("export").click();
  const [sheet] = await Promise.all([desk.waitForEvent("download"), desk.getByTestId("download-xlsx").click()]);
  const [read] = await readWorkbook(await sheet.path());
  expect(read?.data[0]).toEqual(["start", "end", "partial", "transcribed_minutes"]);
  expect(read?.data.some(([, , , minutes]) => minutes === 102.75 || minutes === 109.75)).toBe(true);
  const picture = desk.getByRole("button", { name: "Save the chart as a picture" });
  const [png] = await Promise.all([desk.waitForEvent("download"), picture.click()]);
  const bytes = await readFile(await png.path());
  expect(bytes.subarray(1, 4).toString()).toBe("PNG");
  // Wider and higher than the chart itself: its title, range and legend are in it.
  expect(bytes.readUInt32BE(16)).toBeGreaterThan(600);
  await expectAccessible(desk);
  await desk.getByRole("link", { name: "Schedule this" }).click();
  await desk.getByLabel("Name", { exact: true }).fill("Weekly minutes");
  await expect.poll(() => desk.getByLabel("For each").inputValue()).toBe("week");
  await desk.getByRole("button", { name: "Save and schedule" }).click();
  await desk.getByRole("heading", { level: 1, name: "New schedule" }).waitFor();
  await expect.poll(() => desk.getByLabel("Report", { exact: true }).inputValue()).toMatch(/^rpt_/);
});

test("a viewer sees why a report is not theirs, and still makes files of the others", async () => {
  const email = "viewer@example.com";
  await post("/v1/users", { email, roles: [{ role: "viewer", node: "all" }] });
  const invitation = () => mailbox.mails.find(({ to }) => to?.[0]?.address === email)?.text;
  await expect.poll(invitation).toBeTruthy();
  const token = /\/set-password#([\w-]{43})/.exec(invitation() ?? "")?.[1];
  const password = "a long enough password";
  const set = await fetch(`${service.url}/v1/password`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: service.url },
    body: JSON.stringify({ token, password }),
  });
  expect(set.ok).toBe(true);
  const viewer = await openPhone();
  await viewer.goto(`${service.url}/reports`);
  await signIn(viewer, email, password);
  const cards = viewer.getByTestId("standard-reports");
  await cards.locator("[data-kind=billing]").getByText("owners and finance").waitFor();
  await cards.locator("[data-kind=audit]").getByText("owners and admins").waitFor();
  expect(await cards.getByRole("link", { name: "Billing report" }).count()).toBe(0);
  expect(await viewer.getByRole("link", { name: /Schedule the|New report/ }).count()).toBe(0);
  await expectAccessible(viewer);
  await cards.getByRole("link", { name: "Activity report", exact: true }).click();
  await viewer.getByTestId("make-files").click();
  await viewer.getByRole("button", { name: "Create files" }).click();
  await expectMade(viewer);
  await viewer.goto(`${service.url}/reports/billing`);
  await viewer.getByText("You do not have access to this").waitFor();
  await viewer.goto(`${service.url}/schedules/new`);
  await viewer.getByTestId("not-allowed").waitFor();
});
