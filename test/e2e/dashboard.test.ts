/** The dashboard in a real browser, against a whole service of its own. */
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { promisify } from "node:util";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { UsageAnswer } from "../../server/contract/usage.ts";
import { changeTheme, expectAccessible, expectFitsWindow, launchBrowser } from "../support/browser.ts";
import {
  attributeOf,
  counter,
  type Looks,
  openPage,
  postEvents,
  settledCounter,
  waitForCounter,
  waitForState,
} from "../support/dashboard-page.ts";
import { startService, type TestService } from "../support/service.ts";

let service: TestService;
let browser: Browser;
let page: Page;
/** Signed in once; each test opens a page of its own with it. */
let cookies: Awaited<ReturnType<BrowserContext["storageState"]>>;

beforeAll(async () => {
  [service, browser] = await Promise.all([startService(), launchBrowser()]);
  page = await open("/", { isSignedIn: false });
  await signIn(page, service.adminPassword);
  await page.getByTestId("live-status").waitFor();
  cookies = await page.context().storageState();
  await page.context().close();
});

afterEach(() => Promise.all(browser.contexts().map((context) => context.close())));

afterAll(async () => {
  await browser?.close();
  await service?.stop();
});

const open = (path: string, { isSignedIn = true, ...looks }: Looks & { isSignedIn?: boolean } = {}): Promise<Page> =>
  openPage(browser, service.url + path, { ...looks, ...(isSignedIn && { storageState: cookies }) });
const post = (...events: object[]): Promise<void> => postEvents(service, events);

async function signIn(on: Page, password: string): Promise<void> {
  await on.getByLabel("Email address").fill(service.adminEmail);
  await on.getByLabel("Password", { exact: true }).fill(password);
  await on.getByRole("button", { name: "Sign in" }).click();
}

// It needs a service that has had no event: it runs before every test that sends one.
describe("a service without events", () => {
  it("shows no violation of accessibility rules, in both themes", async () => {
    const empty = await open("/");
    await empty.getByTestId("empty-state").waitFor();
    for (const colorScheme of ["light", "dark"] as const) {
      await changeTheme(empty, colorScheme);
      await expectAccessible(empty);
    }
  });

  it("offers a command that works as pasted, and the page turns live when it has run", async () => {
    page = await open("/");
    await page.getByTestId("create-first-key").click();
    const command = await page.getByTestId("curl-line").textContent();
    const { stdout } = await promisify(execFile)("/bin/sh", ["-c", command ?? ""]);
    expect(JSON.parse(stdout)).toMatchObject({ accepted: 1, rejected: [] });
    await waitForCounter(page, "live-participants", 1);
    await page.getByTestId("live-rooms").getByText("daily").waitFor();
    expect(await page.getByTestId("empty-state").count()).toBe(0);
    const sent = JSON.parse(command?.match(/\{.*\}/)?.[0] ?? "");
    await post({ type: "participant.left", session: sent.session, user: sent.user });
    await waitForCounter(page, "live-participants", 0);
    expect(await page.getByTestId("empty-state").count()).toBe(0);
  });
});

describe("signing in", () => {
  it("says that a wrong password is wrong, and opens the page that was asked for with the right one", async () => {
    page = await open("/usage?range=7d", { isSignedIn: false });
    await signIn(page, "not the password");
    await page.getByRole("alert").getByText("do not match").waitFor();
    await signIn(page, service.adminPassword);
    await page.getByTestId("usage-table").waitFor();
    expect(page.url()).toBe(`${service.url}/usage?range=7d`);
  });

  it("ends for the page when the user signs out", async () => {
    page = await open("/", { isSignedIn: false });
    await signIn(page, service.adminPassword);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
  });
});

describe("the live counters", () => {
  it("change within 2 s of a POST, without a reload", async () => {
    page = await open("/");
    await waitForState(page, "live");
    const before = await settledCounter(page, "live-participants");
    const session = randomUUID();
    const users = ["u1", "u2"];
    const shownMs: number[] = [];
    // A busy neighbour on the machine may hold up one change, and not each of them.
    for (let round = 0; round < 15 && shownMs.every((ms) => ms >= 2_000); round++) {
      const fromMs = performance.now();
      await post(...users.map((user) => ({ type: "participant.joined", session, user })));
      await waitForCounter(page, "live-participants", before + 2);
      const joinedMs = performance.now();
      await post(...users.map((user) => ({ type: "participant.left", session, user })));
      await waitForCounter(page, "live-participants", before);
      shownMs.push(Math.max(joinedMs - fromMs, performance.now() - joinedMs));
    }
    expect(Math.min(...shownMs)).toBeLessThan(2_000);
  });

  it("stand still while paused, and show the present when resumed", async () => {
    page = await open("/");
    await waitForState(page, "live");
    const before = await settledCounter(page, "live-participants");
    await page.keyboard.press("Space");
    await waitForState(page, "paused");
    const asOf = await page.getByTestId("data-as-of").getAttribute("datetime");
    const session = randomUUID();
    await post({ type: "participant.joined", session, user: "u1" });
    const other = await open("/");
    await waitForCounter(other, "live-participants", before + 1);
    expect(await counter(page, "live-participants")).toBe(before);
    expect(await page.getByTestId("data-as-of").getAttribute("datetime")).toBe(asOf);
    await page.keyboard.press("Space");
    await waitForCounter(page, "live-participants", before + 1);
  });

  it("say that they are old while the server is gone, and go on by themselves when it is back", async () => {
    page = await open("/");
    await waitForState(page, "live");
    const before = await settledCounter(page, "live-participants");
    await service.stopServer();
    await waitForState(page, "reconnecting", "stale");
    expect(await counter(page, "live-participants")).toBe(before);
    expect(await page.getByTestId("data-as-of").textContent()).toMatch(/^\d\d:\d\d:\d\d$/);
    await service.startServer();
    await waitForState(page, "live");
    await post({ type: "participant.joined", session: randomUUID(), user: "u1" });
    await waitForCounter(page, "live-participants", before + 1);
  });
});

describe("the usage page", () => {
  it("shows, for each range, the figures that GET /v1/usage gives, totals included", async () => {
    const hour = 60 * 60_000;
    const ago = (ms: number) => new Date(Date.now() - ms).toISOString();
    await post(
      { type: "participant.joined", session: "past", user: "u1", interval: "i1", time: ago(50 * hour) },
      { type: "participant.left", session: "past", user: "u1", interval: "i1", time: ago(49 * hour) },
      { type: "participant.joined", session: "past", user: "u2", interval: "i2", time: ago(50 * hour) },
      { type: "participant.left", session: "past", user: "u2", interval: "i2", time: ago(27.5 * hour) },
      { type: "chat.posted", session: "past", user: "u1", time: ago(49.5 * hour) },
      { type: "transcription.completed", job: "j1", value: "12.345678", time: ago(30 * hour) },
    );
    const meters = ["max_concurrent_participants", "chat_posts", "transcribed_minutes", "active_participants"];
    for (const [preset, tz] of [
      ["yesterday", "UTC"],
      ["last-month", "America/Chicago"],
      ["7d", "Asia/Kolkata"],
    ] as const) {
      page = await open(`/usage?range=${preset}&meters=${meters.join(",")}&window=day&tz=${encodeURIComponent(tz)}`);
      const asked = page.waitForResponse((response) => response.url().includes("/v1/usage?"));
      await page.reload();
      const answer = (await (await asked).json()) as UsageAnswer;
      expect(answer).toMatchObject({ tz, window: "day" });
      const direct = await fetch((await asked).url(), { headers: { authorization: `Bearer ${service.rootKey}` } });
      const { meters: expected } = (await direct.json()) as UsageAnswer;
      await page.getByTestId("usage-table").waitFor();
      for (const { meter, total, series } of expected) {
        const cell = page.locator(`[data-testid=usage-totals] [data-meter=${meter}]`);
        expect(await cell.getAttribute("data-figure")).toBe(attributeOf(total));
        const column = await page
          .locator(`tr[data-start] [data-meter=${meter}]`)
          .evaluateAll((cells) => cells.map((one) => one.getAttribute("data-figure")));
        expect(column).toEqual(series.map(({ value }) => attributeOf(value)).reverse());
      }
      await page.context().close();
    }
  });

  it("keeps what is chosen in its address, and Back undoes a choice", async () => {
    page = await open("/usage");
    await page.getByTestId("usage-table").waitFor();
    await page.keyboard.press("w");
    await page.waitForURL("**/usage?range=7d");
    await page.getByTestId("window-picker").getByRole("button", { name: "Hour" }).click();
    await page.waitForURL("**/usage?range=7d&window=hour");
    await page.goBack();
    await page.getByTestId("window-picker").getByRole("button", { name: "Day", pressed: true }).waitFor();
    await page.goBack();
    await page.getByTestId("range-picker").getByText("Last 30 days").waitFor();
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
    await page.keyboard.press("d");
    expect(new URL(page.url()).search).toBe("");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    await page.waitForFunction(() => !document.activeElement?.closest("dialog"));
    await page.keyboard.press("d");
    await page.waitForURL("**/usage?range=today");
  });

  it("reaches pages, customers, meters and actions from the keyboard on every page, and its single keys can be switched off", async () => {
    page = await open("/overview");
    await page.getByTestId("overview").waitFor();
    const palette = page.getByRole("dialog", { name: "Search and commands" });
    const field = palette.getByRole("combobox");
    const find = async (typed: string, option: string) => {
      await page.keyboard.press("Control+k");
      await field.fill(typed);
      await palette.getByRole("option", { name: option }).first().click();
      await palette.waitFor({ state: "hidden" });
    };
    await page.keyboard.press("/");
    await field.fill("organiz");
    await palette.getByRole("option", { name: "Organizations" }).first().waitFor();
    await expectAccessible(page);
    await page.keyboard.press("Enter");
    await page.waitForURL("**/organizations");
    await find("demo", "demo");
    await page.waitForURL("**/organizations/demo");
    const there = { organization: "demo", session: "heard", user: "ada", room: "Great hall" };
    await post({ ...there, type: "participant.joined" });
    const live = async () => (await (await page.request.get(`${service.url}/v1/live`)).json()).rooms;
    await expect.poll(live).toContainEqual(expect.objectContaining({ room: "Great hall" }));
    await find("great", "Great hall");
    await page.waitForURL("**/sessions/demo/heard");
    await post({ ...there, type: "participant.left" });
    await expect.poll(live).not.toContainEqual(expect.objectContaining({ room: "Great hall" }));
    await page.goto(`${service.url}/overview`);
    await page.getByTestId("overview").waitFor();
    // Of a room whose people have gone, by the time when its last session began.
    await find("Great", "Great hall demo,");
    await page.waitForURL("**/sessions/demo/heard");
    await find("chat pos", "Chat posts");
    await page.waitForURL("**/usage?meters=chat_posts");
    // What the page gives as a file, in the forms that its own button offers.
    await find("export", "Export usage");
    await page.getByTestId("download-xlsx").waitFor();
    await page.keyboard.press("Escape");
    await page.getByTestId("download-xlsx").waitFor({ state: "hidden" });
    await find("keyboard", "Keyboard shortcuts");
    const sheet = page.getByRole("dialog", { name: "Keyboard shortcuts" });
    await sheet.waitFor();
    await expectAccessible(page);
    await sheet.getByLabel("Single-key shortcuts").uncheck();
    await page.keyboard.press("Escape");
    await sheet.waitFor({ state: "hidden" });
    await page.waitForFunction(() => !document.activeElement?.closest("[role=dialog]"));
    await page.keyboard.press("d");
    await page.keyboard.press("?");
    await find("new org", "New organization");
    await page.getByRole("dialog", { name: /^New/ }).waitFor();
    expect(new URL(page.url()).pathname).toBe("/organizations");
  });

  it("walks the rows of a list with J and K, and opens one with Enter", async () => {
    page = await open("/organizations");
    const links = page.getByTestId("organizations").getByRole("rowheader").getByRole("link");
    await links.first().waitFor();
    await page.keyboard.press("j");
    await expect.poll(() => links.first().evaluate((link) => link === document.activeElement)).toBe(true);
    await page.keyboard.press("Enter");
    await page.waitForURL("**/organizations/*");
    await page.keyboard.press("g");
    await page.keyboard.press("u");
    await page.waitForURL("**/usage");
  });

  it("puts the period before beside the range, in the table and in its totals, and takes it away again", async () => {
    page = await open("/usage?range=7d&meters=chat_posts");
    await page.getByTestId("usage-table").waitFor();
    const asked = page.waitForResponse((response) => response.url().includes("compare=previous"));
    await page.getByTestId("compare-picker").click();
    await page.getByRole("button", { name: "Previous period" }).click();
    await page.waitForURL("**compare=previous");
    const comparison = ((await (await asked).json()) as UsageAnswer).meters[0]?.comparison;
    const cells = page.locator("[data-compared][data-meter=chat_posts]");
    await expect.poll(() => cells.count()).toBe(7);
    const shown = await cells.evaluateAll((all) => all.map((one) => one.getAttribute("data-compared")));
    expect(shown).toEqual(comparison?.series.map(({ value }) => String(value ?? "none")).reverse());
    const days = /\d+( \w+)?( \d+)? – \d+ \w+ \d{4}/;
    await expect.poll(() => page.getByTestId("usage-totals").textContent()).toMatch(days);
    await expect.poll(() => page.getByTestId("compared-name").textContent()).toMatch(days);
    await expectAccessible(page);
    await page.keyboard.press("x");
    await expect.poll(() => cells.count()).toBe(0);
  });

  it("finds any organization by its name, however many there are, and shows the figures of that one alone", async () => {
    const many = Array.from({ length: 150 }, (_, place) => `many-${String(place).padStart(3, "0")}`);
    await post(...many.map((organization) => ({ type: "chat.posted", organization, user: "u1" })));
    page = await open("/usage?range=today&meters=chat_posts");
    await page.getByTestId("node-picker").click();
    await page.getByRole("combobox").fill("MANY-149");
    await page.getByRole("option", { name: "many-149" }).click();
    await page.waitForURL("**node=organization%3Amany-149");
    await page.locator('[data-testid=usage-totals] [data-meter=chat_posts][data-figure="1"]').waitFor();
    await page.reload();
    await page.getByTestId("node-picker").getByText("many-149").waitFor();
  });

  it("saves the same figures as CSV", async () => {
    page = await open("/usage?range=7d&meters=chat_posts");
    await page.getByTestId("usage-table").waitFor();
    const saved = page.waitForEvent("download");
    await page.getByTestId("export").click();
    await page.getByTestId("download-csv").click();
    const chunks: Buffer[] = [];
    for await (const chunk of await (await saved).createReadStream()) chunks.push(chunk as Buffer);
    const lines = Buffer.concat(chunks).toString().trimEnd().split("\r\n");
    expect(lines[0]).toBe("start,end,partial,chat_posts");
    expect(lines).toHaveLength(8);
  });
});

describe("API keys", () => {
  it("are shown once, work, are rotated, and are refused once revoked", async () => {
    page = await open("/keys");
    const name = `Reader ${randomUUID()}`;
    await page.getByLabel("Name").fill(name);
    await page.getByLabel("Read usage").check();
    await page.getByRole("button", { name: "Create key" }).click();
    const key = await page.getByTestId("created-key-text").textContent();
    const ask = async (of: string | null) =>
      (await fetch(`${service.url}/v1/live`, { headers: { authorization: `Bearer ${of}` } })).status;
    expect(await ask(key)).toBe(200);
    await page.getByRole("button", { name: `Rotate ${name}` }).click();
    await page.getByRole("button", { name: "Rotate key" }).click();
    await expect.poll(() => page.getByTestId("created-key-text").textContent()).not.toBe(key);
    const rotated = await page.getByTestId("created-key-text").textContent();
    expect(await ask(rotated)).toBe(200);
    // The old one goes on for the overlap, unless it is revoked.
    for (let left = 2; left > 0; left--) {
      await expect.poll(() => page.getByRole("button", { name: `Revoke ${name}` }).count()).toBe(left);
      await page
        .getByRole("button", { name: `Revoke ${name}` })
        .first()
        .click();
      const revoke = page.getByRole("button", { name: "Revoke key" });
      const typed = page.getByLabel(`Type “${name}” to confirm`);
      await typed.fill(name.slice(1));
      expect(await revoke.isDisabled()).toBe(true);
      await typed.fill(name);
      await revoke.click();
    }
    await page.getByRole("button", { name: `Revoke ${name}` }).waitFor({ state: "detached" });
    await expect.poll(() => ask(key)).toBe(401);
    await expect.poll(() => ask(rotated)).toBe(401);
  });
});

describe("every page", () => {
  const pages = [
    { path: "/", isSignedIn: false, ready: "form" },
    { path: "/", isSignedIn: true, ready: "[data-testid=summary]" },
    { path: "/usage", isSignedIn: true, ready: "[data-testid=usage-table]" },
    { path: "/keys", isSignedIn: true, ready: "[data-testid=key-list]" },
  ];

  it.each(pages)(
    "shows no violation of accessibility rules in either theme: $path, signed in: $isSignedIn",
    async (of) => {
      page = await open(of.path, { isSignedIn: of.isSignedIn, colorScheme: "dark" });
      await page.locator(of.ready).waitFor();
      await page.locator("html[data-theme=dark]").waitFor();
      await expectAccessible(page);
      await changeTheme(page, "light");
      await expectAccessible(page);
    },
  );

  it.each(pages)("fits a phone without sideways scrolling: $path, signed in: $isSignedIn", async (of) => {
    page = await open(of.path, { isSignedIn: of.isSignedIn, width: 360 });
    await page.locator(of.ready).waitFor();
    await expectFitsWindow(page);
  });
});
