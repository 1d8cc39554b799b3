/** Alerts in a real browser, from the events to the bell, and what somebody does about them, on two devices at once. */
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectAccessible, expectFitsWindow, launchBrowser, signIn } from "../support/browser.ts";
import { askAsRoot } from "../support/dashboard-page.ts";
import { type Mailbox, openMailbox } from "../support/mailbox.ts";
import { eventually, startService, type TestService } from "../support/service.ts";

let service: TestService;
let browser: Browser;
let mailbox: Mailbox;
/** One person, signed in on a desk and on a phone. */
let desk: Page;
let phone: Page;
/** Takes whatever is sent. */
const receiver = createServer((request, response) => {
  request.resume().on("end", () => response.writeHead(204).end());
});

beforeAll(async () => {
  receiver.listen(0, "127.0.0.1");
  mailbox = await openMailbox();
  const settings = { TIDEMARK_OUTGOING_ALLOW: "127.0.0.1", TIDEMARK_SMTP_URL: mailbox.url };
  [service, browser] = await Promise.all([startService(settings), launchBrowser()]);
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" });
  desk = await context.newPage();
  await desk.goto(service.url);
  await signIn(desk, service.adminEmail, service.adminPassword);
  await desk.getByTestId("bell").waitFor();
  phone = await openPhone(await context.storageState(), "dark");
});
afterAll(async () => {
  await browser?.close();
  await service?.stop();
  receiver.close();
  await mailbox?.close();
});

const mailTo = (address: string) =>
  eventually(`a mail to ${address}`, () => mailbox.mails.find(({ to }) => to?.[0]?.address === address));

async function openPhone(
  storageState: Awaited<ReturnType<BrowserContext["storageState"]>> | undefined,
  colorScheme: "light" | "dark",
): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width: 360, height: 800 },
    reducedMotion: "reduce",
    colorScheme,
    ...(storageState && { storageState }),
  });
  return context.newPage();
}

const post = (path: string, body: object) => askAsRoot(service, "POST", path, body);

async function callApi(times: number): Promise<void> {
  const calls = Array.from({ length: times }, () => ({ id: randomUUID(), type: "api.called", organization: "acme" }));
  await post("/v1/events?ack=stored", calls);
}

test("a webhook's secret is shown once, and a test of the channel shows what became of it", async () => {
  await phone.goto(`${service.url}/channels`);
  await phone.getByLabel("Kind").selectOption("webhook");
  await phone.getByLabel("Name", { exact: true }).fill("Desk");
  await phone.getByLabel("URL").fill("http://10.0.0.1/hook");
  await phone.getByRole("button", { name: "Create channel" }).click();
  await expect.poll(() => phone.getByLabel("URL").getAttribute("aria-invalid")).toBe("true");
  await phone.getByLabel("URL").fill(`http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`);
  await phone.getByRole("button", { name: "Create channel" }).click();
  expect(await phone.getByTestId("channel-secret-text").textContent()).toMatch(/^whsec_/);
  await expectAccessible(phone);
  await phone.getByTestId("channel-list").getByRole("link", { name: "Desk" }).click();
  await phone.getByRole("button", { name: "Send a test" }).click();
  const delivery = phone.locator("[data-testid=delivery][data-state=sent]");
  await delivery.locator("summary").click();
  await delivery.getByText("204").waitFor();
  expect(await phone.getByText("whsec_").count()).toBe(0);
  await expectFitsWindow(phone);
  await expectAccessible(phone);
});

test("a rule is made in the form, which names the field that is wrong, and stands in the list in words", async () => {
  await callApi(1);
  await post("/v1/channels", { name: "Night shift", node: "all", kind: "email", to: ["night@example.com"] });
  await desk.goto(`${service.url}/rules/new`);
  await desk.getByLabel("Kind").selectOption("threshold");
  await desk.getByLabel("Name", { exact: true }).fill("Too many calls");
  await desk.getByLabel("Meter").selectOption("api_calls");
  await desk.getByLabel("Counted over").selectOption("1h");
  await desk.getByLabel("Threshold", { exact: true }).fill("many");
  await desk.getByRole("button", { name: "Create rule" }).click();
  await expect.poll(() => desk.getByLabel("Threshold", { exact: true }).getAttribute("aria-invalid")).toBe("true");
  await desk.getByLabel("Threshold", { exact: true }).fill("2");
  await desk
    .getByTestId("rule-preview")
    .getByText(/^It would /)
    .waitFor();
  await desk.getByTestId("preview-chart").getByRole("group").waitFor();
  await desk.getByLabel("Desk", { exact: false }).check();
  await desk.getByLabel("Night shift", { exact: false }).check();
  await expectAccessible(desk);
  await desk.getByRole("button", { name: "Create rule" }).click();
  const row = desk.getByTestId("rule-list").getByRole("listitem").filter({ hasText: "Too many calls" });
  await row.getByText("API calls of the last hour is above 2").waitFor();
  await expectAccessible(desk);
});

test("events beyond a rule's bound ring the bell, whose notification leads to the alert, by keyboard alone", async () => {
  await desk.goto(service.url);
  await phone.goto(`${service.url}/organizations/acme`);
  await callApi(3);
  await desk.getByRole("button", { name: "Notifications, 1 unread" }).waitFor();
  await phone.getByRole("button", { name: "Notifications, 1 unread" }).waitFor();
  await expect.poll(() => desk.getByTestId("bell-said").textContent()).toContain("acme");
  await phone.getByTestId("firing-here").getByRole("link", { name: "Too many calls" }).waitFor();
  await expectFitsWindow(phone);

  await desk.getByTestId("bell").focus();
  await desk.keyboard.press("Enter");
  await desk.getByTestId("bell-list").getByRole("link").first().waitFor();
  await expectAccessible(desk);
  await desk.getByTestId("bell-list").getByRole("link").first().focus();
  await desk.keyboard.press("Enter");
  await desk.waitForURL(/\/alerts\/[^/]+$/);
  await desk.locator("[data-testid=alert-state][data-state=firing]").waitFor();
  await expect.poll(() => desk.getByTestId("alert-explanation").textContent()).not.toBe("");
  const delivery = desk.locator("[data-testid=delivery][data-state=sent]").filter({ hasText: "Desk" });
  await delivery.locator("summary").click();
  await delivery.getByText("204").waitFor();
  await expectAccessible(desk);
});

test("the link of an alert's mail opens that alert, by way of the sign-in", async () => {
  const { text = "", html = "" } = await mailTo("night@example.com");
  const path = /\/alerts\/[\w-]+/.exec(text)?.[0] ?? "";
  expect(html).toContain(path);
  const reader = await openPhone(undefined, "light");
  await reader.goto(service.url + path);
  await signIn(reader, service.adminEmail, service.adminPassword);
  await reader.locator("[data-testid=alert-state][data-state=firing]").waitFor();
  expect(new URL(reader.url()).pathname).toBe(path);
  await reader.context().close();
});

/** Sooner than a page asks again by itself. */
const pushed = { timeout: 60_000 };

test("an alert read and acknowledged on one device is read and cleared on the other at once", async () => {
  await phone.getByRole("button", { name: "Notifications", exact: true }).waitFor(pushed);
  await desk.getByRole("button", { name: "Acknowledge Too many calls" }).click();
  await desk.getByText("Acknowledged", { exact: true }).waitFor();
  await phone.getByTestId("firing-here").waitFor({ state: "detached", ...pushed });
  await phone.goto(`${service.url}/alerts`);
  await phone.getByTestId("firing-list").getByText(`acknowledged by ${service.adminEmail}`).waitFor();
  await expectFitsWindow(phone);
  await expectAccessible(phone);
});

test("a person who may only look sees rules, alerts and channels without a form", async () => {
  const email = "viewer@example.com";
  await post("/v1/users", { email, roles: [{ role: "viewer", node: "all" }] });
  const password = "a long enough password";
  const token = /\/set-password#([\w-]{43})/.exec((await mailTo(email)).text ?? "")?.[1];
  const set = await fetch(`${service.url}/v1/password`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: service.url },
    body: JSON.stringify({ token, password }),
  });
  expect(set.ok).toBe(true);
  const viewer = await openPhone(undefined, "light");
  await viewer.goto(`${service.url}/alerts`);
  await signIn(viewer, email, password);
  await viewer.getByTestId("firing-list").getByText("Too many calls").waitFor();
  expect(await viewer.getByRole("button", { name: /Acknowledge|Snooze/ }).count()).toBe(0);
  await viewer.goto(`${service.url}/channels`);
  await viewer.getByTestId("channel-list").getByRole("link", { name: "Desk" }).waitFor();
  await viewer.goto(`${service.url}/rules`);
  await viewer.getByTestId("rule-list").getByRole("link", { name: "Too many calls" }).click();
  await viewer.getByTestId("rule-alerts").waitFor();
  expect(await viewer.locator("form").count()).toBe(0);
  await viewer.goto(`${service.url}/rules/new`);
  await viewer.getByTestId("not-allowed").waitFor();
});
