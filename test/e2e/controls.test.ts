/** Charts, pickers, menus and dialogs in a browser: by pointer, by touch, by keyboard, and on a narrow screen. */
import { randomUUID } from "node:crypto";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import {
  expectAccessible,
  expectFitsWindow,
  expectFocus,
  expectWithinWindow,
  launchBrowser,
  signIn,
} from "../support/browser.ts";
import { startService, type TestService } from "../support/service.ts";

let service: TestService;
let browser: Browser;
let cookies: Awaited<ReturnType<BrowserContext["storageState"]>>;

beforeAll(async () => {
  [service, browser] = await Promise.all([startService(), launchBrowser()]);
  await send("/v1/nodes", { kind: "organization", id: "acme", name: "Acme Corporation" });
  const event = { id: "e1", type: "chat.posted", organization: "acme", user: "u1" };
  expect((await send("/v1/events?ack=stored", event)).status).toBe(200);
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(service.url);
  await signIn(page, service.adminEmail, service.adminPassword);
  await page.getByTestId("live-status").waitFor();
  cookies = await context.storageState();
  await context.close();
});
afterEach(() => Promise.all(browser.contexts().map((context) => context.close())));
afterAll(async () => {
  await browser?.close();
  await service?.stop();
});

const send = (path: string, body: object) =>
  fetch(service.url + path, {
    method: "POST",
    headers: { authorization: `Bearer ${service.rootKey}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });

async function post(...events: object[]): Promise<void> {
  const answer = await send(
    "/v1/events?ack=stored",
    events.map((event) => ({ id: randomUUID(), ...event })),
  );
  expect([answer.status, await answer.json()]).toMatchObject([200, { rejected: [] }]);
}

const phone = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };

async function open(path: string, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ storageState: cookies, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  await page.goto(service.url + path);
  return page;
}

const pickers = [
  { testid: "meter-picker", text: "Chat posts" },
  { testid: "compare-picker", text: "Compares Mondays with Mondays" },
  { testid: "range-picker", text: "From" },
] as const;

test.each([
  { device: "desk", options: {} },
  { device: "phone", options: phone },
])(
  "a press on a text in a picker leaves it open, and it never leaves the window, on a $device",
  async ({ options }) => {
    const page = await open("/usage?meters=chat_posts,sessions&compare=previous", options);
    await page.getByTestId("usage-table").waitFor();
    for (const { testid, text } of pickers) {
      await page.getByTestId(testid).click();
      const panel = page.getByRole("dialog");
      await panel.getByText(text, { exact: true }).first().click();
      expect(await panel.isVisible()).toBe(true);
      await expectWithinWindow(panel);
      // Figures are dimmed while those of another question are read.
      await expect.poll(() => page.locator(".transition-opacity.opacity-50").count()).toBe(0);
      await expectAccessible(page);
      await page.keyboard.press("Escape");
      await panel.waitFor({ state: "hidden" });
      await expectFocus(page, testid);
    }
  },
);

test("a press outside closes a picker, and one on its button too", async () => {
  const page = await open("/usage?meters=chat_posts");
  await page.getByTestId("usage-table").waitFor();
  const panel = page.getByRole("dialog");
  await page.getByTestId("meter-picker").click();
  await panel.waitFor();
  await page.mouse.click(5, 400);
  await panel.waitFor({ state: "hidden" });
  await page.getByTestId("meter-picker").click();
  await panel.waitFor();
  await page.getByTestId("meter-picker").click();
  await panel.waitFor({ state: "hidden" });
});

test("days of one's own are chosen in the calendar by keyboard alone", async () => {
  const page = await open("/usage?range=custom&from=2026-03-02&through=2026-03-10&meters=chat_posts");
  await page.getByTestId("usage-table").waitFor();
  await page.getByTestId("range-picker").focus();
  await page.keyboard.press("Enter");
  const first = page.getByRole("dialog").getByRole("button", { name: "Monday, 2 March 2026" });
  await first.focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Show these days" }).focus();
  await page.keyboard.press("Enter");
  await page.waitForURL("**from=2026-03-09&through=2026-03-11**");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
});

test("a node is found and chosen by keyboard alone, and the focus comes back to the picker", async () => {
  const page = await open("/usage?meters=chat_posts");
  await page.getByTestId("usage-table").waitFor();
  await page.getByTestId("node-picker").focus();
  await page.keyboard.press("Enter");
  await page.getByRole("combobox", { name: /Search/ }).waitFor();
  await page.keyboard.type("acme");
  await page.getByRole("option", { selected: true, name: /Acme Corporation/ }).waitFor();
  await page.keyboard.press("Enter");
  await page.waitForURL("**node=organization%3Aacme**");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await expectFocus(page, "node-picker");
});

test("the menu of a phone keeps the focus, leads to a page, and closes by itself", async () => {
  const page = await open("/", phone);
  await page.getByRole("button", { name: "Menu" }).tap();
  const sheet = page.getByRole("dialog", { name: "All pages" });
  await sheet.waitFor();
  await expectAccessible(page);
  for (let presses = 0; presses < 30; presses++) await page.keyboard.press("Tab");
  await expect.poll(() => page.evaluate(() => document.activeElement?.closest("[role=dialog]") !== null)).toBe(true);
  await sheet.getByRole("link", { name: "Plans" }).tap();
  await page.waitForURL("**/plans");
  await sheet.waitFor({ state: "hidden" });
});

test("a part of the page that does not load says so, and reloading leads to where the click went", async () => {
  const page = await open("/");
  await page.getByTestId("live-status").waitFor();
  await page.route("**/assets/Plans-*.js", (route) => route.abort());
  await page.getByRole("link", { name: "Plans" }).click();
  const notice = page.getByTestId("release-notice");
  await notice.getByText("did not load").waitFor();
  await expectAccessible(page);
  await page.unroute("**/assets/Plans-*.js");
  await notice.getByRole("button", { name: "Reload" }).click();
  await page.waitForURL("**/plans");
  await page.getByRole("heading", { name: "Plans" }).waitFor();
});

test("a click on what a newer release has replaced says that there is one", async () => {
  const page = await open("/");
  await page.getByTestId("live-status").waitFor();
  await page.route("**/assets/Plans-*.js", (route) => route.fulfill({ status: 404 }));
  await page.route("**/index.html", (route) =>
    route.fulfill({ contentType: "text/html", body: '<script type="module" src="/assets/index-next.js"></script>' }),
  );
  await page.getByRole("link", { name: "Plans" }).click();
  await page.getByTestId("release-notice").getByText("A new version").waitFor();
});

test("all script arrives packed, and is kept by the browser for ever", async () => {
  const context = await browser.newContext({ storageState: cookies });
  const page = await context.newPage();
  const sent: Record<string, string>[] = [];
  page.on("response", (response) => {
    if (response.url().endsWith(".js") && response.url().includes("/assets/")) sent.push(response.headers());
  });
  await page.goto(service.url);
  await page.getByTestId("live-status").waitFor();
  expect(sent.length).toBeGreaterThan(0);
  for (const headers of sent) expect(headers["cache-control"]).toBe("public, max-age=31536000, immutable");
  const large = sent.filter((headers) => Number(headers["content-length"]) > 1_024);
  // Chromium takes brotli from hosts that it trusts, of which the machine itself is one.
  for (const headers of large) expect(["br", "gzip"]).toContain(headers["content-encoding"]);
});

test("a page is as high as its window where its content is shorter, and nothing shows through what sticks to its edges", async () => {
  const page = await open("/channels", { viewport: { width: 1440, height: 900 } });
  await page.getByTestId("channel-list").waitFor();
  const size = await page.evaluate(() => [document.documentElement.scrollHeight, innerHeight]);
  expect(size[0]).toBe(size[1]);
  for (const selector of ["header", "nav[aria-label='Main pages']"])
    expect(
      await page
        .locator(selector)
        .first()
        .evaluate((bar) => getComputedStyle(bar).backgroundColor),
    ).toMatch(/^rgb\(/);
});

test("text for screen readers alone does not widen an organization's page on a phone", async () => {
  const page = await open("/organizations/acme", phone);
  for (const tab of ["People", "Features", "Documents"]) {
    await page.getByTestId("tabs").getByRole("link", { name: tab, exact: true }).click();
    await page.locator("#breakdown-heading").waitFor();
    await expectFitsWindow(page);
    const hidden = await page.evaluate(
      () =>
        [...document.querySelectorAll(".sr-only")].filter((one) => one.getBoundingClientRect().right > innerWidth)
          .length,
    );
    expect(hidden).toBe(0);
  }
});

test("what chooses the figures of the usage page stands in one row, so that the chart is in sight", async () => {
  const page = await open("/usage?meters=chat_posts", {
    viewport: { width: 1280, height: 800 },
    timezoneId: "America/Los_Angeles",
  });
  await page.getByTestId("usage-table").waitFor();
  const tops = ["node-picker", "range-picker", "compare-picker", "meter-picker", "window-picker"].map(async (testid) =>
    Math.round((await page.getByTestId(testid).boundingBox())?.y ?? -1),
  );
  expect(new Set(await Promise.all(tops)).size).toBe(1);
});

test("says what stands at the crosshair, by keys and by pointer, zooms where it is dragged, and Back undoes it", async () => {
  const met = { organization: "acme", session: "met", user: "u1", time: new Date().toISOString() };
  await post({ ...met, type: "participant.joined" }, { ...met, type: "participant.left" });
  const page = await open("/usage?range=7d&meters=chat_posts,sessions");
  const chart = page.getByTestId("chart");
  await chart.locator("canvas[width]").waitFor();
  await page.getByTestId("usage-table").waitFor();
  await chart.focus();
  await page.keyboard.press("End");
  const said = page.getByTestId("chart-said");
  await expect.poll(() => said.textContent()).toMatch(/, UTC, so far\. Chat posts: [^;]+; Sessions: [^;]+\.$/);
  const last = await said.textContent();
  await page.keyboard.press("ArrowLeft");
  await expect.poll(() => said.textContent()).not.toBe(last);
  await page.keyboard.press("ArrowDown");
  await expect.poll(() => said.textContent()).not.toContain("Sessions");
  await page.keyboard.press("Enter");
  await expectAccessible(page);
  await page.getByTestId("readout").getByRole("button", { name: "Zoom in" }).click();
  await page.waitForURL("**range=custom**");
  await page.getByTestId("window-picker").getByRole("button", { name: "Hour", pressed: true }).waitFor();
  await page.goBack();
  await page.waitForURL("**range=7d**");
  await page.getByTestId("window-picker").getByRole("button", { name: "Day", pressed: true }).waitFor();
  const box = await chart.boundingBox();
  if (!box) throw new Error("the chart has no place");
  const at = (share: number) => [box.x + box.width * share, box.y + box.height / 2] as const;
  // In the last window the bar of the post stands to the left of that of the session.
  const lastWindow = box.x + box.width * (1 - 0.5 / 7);
  const nearest = page.getByTestId("readout").locator("tr[aria-current=true] th");
  // The chart that was left may be drawn under the first of these moves.
  const nearestAt = async (x: number) => {
    await page.mouse.move(x - 1, box.y + box.height * 0.85);
    await page.mouse.move(x, box.y + box.height * 0.85);
    return await nearest.allTextContents();
  };
  await expect.poll(() => nearestAt(lastWindow - 30)).toEqual([expect.stringContaining("Chat posts")]);
  await expect.poll(() => nearestAt(lastWindow + 40)).toEqual([expect.stringContaining("Sessions")]);
  await page.mouse.move(...at(0.3));
  await page.mouse.down();
  await page.mouse.move(...at(0.5), { steps: 4 });
  await page.mouse.move(...at(0.7), { steps: 4 });
  await page.mouse.up();
  await page.waitForURL("**range=custom**");
  const zoomed = new URL(page.url()).searchParams;
  expect(Date.parse(zoomed.get("through") ?? "")).toBeGreaterThan(Date.parse(zoomed.get("from") ?? ""));
  // A double click shows what stood before, as Back does.
  await chart.locator("canvas[width]").first().waitFor();
  await page.mouse.dblclick(...at(0.5));
  await page.waitForURL("**range=7d**");
});

test("leads from a group to its sessions, to who was in one, and to the events", async () => {
  const session = randomUUID();
  const now = Date.now();
  const at = (minutesAgo: number) => new Date(now - minutesAgo * 60_000).toISOString();
  await post(
    { type: "participant.joined", organization: "drill", session, room: "deep", user: "ada", time: at(30) },
    { type: "participant.left", organization: "drill", session, room: "deep", user: "ada", time: at(20) },
  );
  const page = await open("/usage?from=now-2h&to=now&window=hour&meters=participation_minutes&by=organization&top=50");
  const groups = page.getByTestId("group-table");
  await groups.locator('[data-key=drill] [data-figure="10"]').waitFor();
  await groups.getByRole("button", { name: "drill" }).click();
  await page.getByTestId("filters").getByText("Organization is").waitFor();
  await groups.getByRole("button", { name: "deep" }).click();
  await groups.getByRole("button", { name: session }).click();
  await page.getByTestId("session-list").getByRole("link", { name: "deep" }).click();
  await page.getByTestId("timeline").getByRole("button", { name: /ada/ }).click();
  await page.waitForURL("**user=ada");
  const events = page.getByTestId("session-events");
  await expect.poll(() => events.locator("summary").allTextContents()).toHaveLength(2);
  await events.locator("summary").first().click();
  await events.getByText(`"session": "${session}"`).first().waitFor();
  await expectAccessible(page);
});

test("shows which media consumed minutes are of, by pointer, with the focus and at a tap", async () => {
  const session = randomUUID();
  const now = Date.now();
  const consumed = (medium: string, interval: string) =>
    ["started", "stopped"].map((what, place) => {
      const time = new Date(now - (30 - 10 * place) * 60_000).toISOString();
      const consumption = { organization: "media", session, user: "u1", interval, properties: { medium } };
      return { ...consumption, type: `consumption.${what}`, time };
    });
  await post(...consumed("video_audio", "a"), ...consumed("audio", "b"));
  const page = await open("/usage?from=now-2h&to=now&window=hour&meters=consumed_minutes&node=organization%3Amedia");
  const figure = page.getByTestId("split-consumed_minutes");
  const split = page.getByTestId("split");
  for (const point of [() => figure.hover(), () => figure.focus(), () => figure.click()]) {
    await point();
    for (const text of ["Video and audio", "Video only", "Audio only", "Screen share"])
      await split.getByText(text, { exact: true }).waitFor();
    await expect.poll(() => split.getByText("10.0 minutes").count()).toBe(2);
    await page.keyboard.press("Escape");
    await split.waitFor({ state: "detached" });
    await page.mouse.move(0, 0);
    await figure.blur();
  }
});

test("a view is saved under a name, opened by a colleague, and brought back by undo", async () => {
  const page = await open("/usage?meters=chat_posts&range=7d");
  const open_ = async () => page.getByTestId("saved-views").click();
  await open_();
  await page.getByLabel("Save this view as").fill("Posts of the week");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  const list = page.getByTestId("view-list");
  await list.getByRole("link", { name: "Posts of the week" }).waitFor();
  await expectAccessible(page);
  const colleague = await open("/usage");
  await colleague.getByTestId("saved-views").click();
  await colleague.getByRole("link", { name: "Posts of the week" }).click();
  await colleague.waitForURL("**meters=chat_posts**");
  expect(new URL(colleague.url()).searchParams.get("range")).toBe("7d");
  await page.getByRole("button", { name: "Delete Posts of the week" }).click();
  await list.getByText("No saved views yet.").waitFor();
  await page.getByRole("button", { name: "Undo" }).click();
  await page.keyboard.press("Escape");
  await open_();
  await list.getByRole("link", { name: "Posts of the week" }).waitFor();
});

test("a note is written at a point of the chart by keyboard, stands there and in the list as plain text, and is changed, removed and brought back", async () => {
  const page = await open("/usage?meters=chat_posts&range=7d&node=organization:acme");
  const chart = page.getByTestId("chart");
  await chart.locator("canvas[width]").first().waitFor();
  await chart.press("End");
  await page.keyboard.press("Enter");
  const readout = page.getByTestId("readout");
  await readout.getByRole("button", { name: "Add a note" }).press("Enter");
  const dialog = page.getByTestId("note-dialog");
  const text = "<img src=x onerror=alert(1)> launch";
  await dialog.getByLabel("Note", { exact: true }).fill(text);
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Save" }).click();
  const list = page.getByTestId("notes");
  await list.getByText(text).waitFor();
  expect(await page.locator("img[src=x]").count()).toBe(0);
  await list.getByRole("button", { name: "Edit", exact: true }).click();
  await dialog.getByLabel("Note", { exact: true }).fill("Second launch");
  await dialog.getByRole("button", { name: "Save" }).click();
  await list.getByText("Second launch").waitFor();
  await list.getByRole("button", { name: "Delete", exact: true }).click();
  await list.getByText("Second launch").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Undo" }).click();
  await list.getByText("Second launch").waitFor();
});

test("a meter shows how it is counted: its rule, up to when it is known, and the events behind the figure", async () => {
  await post({ type: "chat.posted", organization: "explained", user: "ada" });
  const page = await open("/usage?meters=chat_posts&range=7d&node=organization:explained");
  await page.getByRole("button", { name: "How is “Chat posts” counted?" }).click();
  const dialog = page.getByTestId("explain");
  await dialog.getByText("The event behind it").waitFor();
  await dialog.locator("time").first().waitFor();
  const said = /Rule.+Data as of.+chat\.posted.+Corrections.*None in this period/s;
  await expect.poll(() => dialog.textContent()).toMatch(said);
  await expectAccessible(page);
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
});
