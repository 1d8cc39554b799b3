/** Dashboards by links and in frames, in a real browser: what people without an account see, and how it ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Frame, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { freeLoopbackPort } from "../../server/embedded/loopback.ts";
import { changeTheme, expectAccessible, expectFitsWindow, launchBrowser, signIn } from "../support/browser.ts";
import { openPage, postEvents } from "../support/dashboard-page.ts";
import { startService, type TestService } from "../support/service.ts";

let service: TestService;
let browser: Browser;
let dashboard: string;
beforeAll(async () => {
  [service, browser] = await Promise.all([startService((url) => ({ TIDEMARK_PUBLIC_URL: url })), launchBrowser()]);
  await post("/v1/nodes", { kind: "reseller", id: "north", name: "North & Co", parent: "all" });
  for (const [id, name] of [
    ["acme", "Acme Inc."],
    ["beta", "Beta Ltd."],
  ])
    await post("/v1/nodes", { kind: "organization", id, name, parent: "reseller:north" });
  const atNoon = (day: number) => `2026-01-${String(day).padStart(2, "0")}T12:00:00Z`;
  const spoken = [7, 11, 5, 9, 14, 3, 8].flatMap((count, day) =>
    Array.from({ length: count }, (_, place) => ({
      type: "chat.posted",
      time: atNoon(day + 1),
      organization: place % 3 === 0 ? "beta" : "acme",
      properties: { visibility: place % 2 === 0 ? "public" : "private" },
    })),
  );
  const minutes = [1, 2, 3, 4, 5].map((day) => ({
    type: "call.completed",
    time: atNoon(day),
    organization: "acme",
    agent: "a1",
    value: String(day * 13.25),
  }));
  await postEvents(service, [...spoken, ...minutes]);
  const panels = [
    { title: "What was said", query: "meters=chat_posts&node=reseller:north", width: "full" },
    { title: "By whom", query: "meters=chat_posts&by=organization&node=reseller:north", width: "half" },
    { title: "Calls of Acme", query: "meters=call_minutes&node=organization:acme", width: "half" },
  ];
  const query = "range=custom&from=2026-01-01&through=2026-01-07&compare=previous";
  dashboard = (await post("/v1/views", { name: "First week", node: "reseller:north", query, panels })).id;
});
afterEach(() => Promise.all(browser.contexts().map((context) => context.close())));
afterAll(async () => {
  await browser?.close();
  await service?.stop();
});

async function post(path: string, body: object, key = service.rootKey) {
  const response = await fetch(service.url + path, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  expect(response.status, JSON.stringify(answer)).toBe(201);
  return answer;
}

const sizes = [360, 1440] as const;

/** Titles and figures of the panels, as they are read below the charts. */
async function figuresOf(on: Page | Frame): Promise<string[][]> {
  const panels = on
    .getByTestId("panels")
    .getByRole("listitem")
    .filter({ has: on.getByTestId("legend") });
  await panels.nth(2).getByTestId("legend").waitFor();
  return await panels.evaluateAll((items) =>
    items.map((item) =>
      ["h2", "[data-testid=legend] [data-key]"].flatMap((part) =>
        [...item.querySelectorAll(part)].map((found) => (found.textContent ?? "").replaceAll(/\s+/g, " ").trim()),
      ),
    ),
  );
}

/** What the browser sent and kept, and what it complained of. */
function watch(page: Page) {
  const said: string[] = [];
  const referers: (string | undefined)[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) said.push(message.text());
  });
  page.on("pageerror", (error) => said.push(error.message));
  page.on("request", (request) => referers.push(request.headers().referer));
  return { said, referers };
}

async function expectTidy(page: Page): Promise<void> {
  await expectFitsWindow(page);
  for (const theme of ["light", "dark"] as const) {
    await changeTheme(page, theme);
    await expectAccessible(page);
  }
}

test("a link shows somebody without an account what the dashboard shows, until it is revoked", async () => {
  const own = await openPage(browser, `${service.url}/dashboards/${dashboard}`, { width: 1440 });
  await signIn(own, service.adminEmail, service.adminPassword);
  const wanted = await figuresOf(own);
  expect(wanted.flat()).toContain("What was said");
  await own.getByRole("button", { name: "Share" }).click();
  const dialog = own.getByTestId("share-dialog");
  await dialog.getByLabel("Works for").selectOption("30");
  await dialog.getByRole("button", { name: "Create link" }).click();
  const url = (await dialog.getByTestId("share-link").textContent()) ?? "";
  const links = dialog.getByTestId("share-links");
  await links.getByText("not opened yet").waitFor();
  await expectAccessible(own);
  await own.setViewportSize({ width: 360, height: 780 });
  await expectTidy(own);

  for (const width of sizes) {
    const guest = await openPage(browser, url, { width });
    const { said, referers } = watch(guest);
    await guest.reload();
    expect(await figuresOf(guest)).toEqual(wanted);
    await guest.getByRole("heading", { level: 1, name: "First week" }).waitFor();
    expect(await guest.getByRole("link").count()).toBe(0);
    expect(await guest.context().cookies()).toEqual([]);
    expect(referers.filter(Boolean)).toEqual([]);
    await expectTidy(guest);
    expect(said).toEqual([]);
  }
  const [guest] = browser.contexts().at(-1)?.pages() ?? [];
  if (!guest) throw new Error("the guest has left");
  await own.reload();
  await own.getByRole("button", { name: "Share" }).click();
  await links.getByText("last opened").waitFor();
  await links.getByRole("button", { name: /^Revoke/ }).click();
  await links.getByText("No active links").waitFor();
  await guest.reload();
  await guest.getByTestId("shared-ended").waitFor();
  expect(await guest.getByTestId("panels").count()).toBe(0);
  await expectTidy(guest);
});

test("a link for a node below the dashboard's shows that node's figures alone", async () => {
  const own = await openPage(browser, `${service.url}/dashboards/${dashboard}`, { width: 360 });
  await signIn(own, service.adminEmail, service.adminPassword);
  await own.getByRole("button", { name: "Share" }).click();
  const dialog = own.getByTestId("share-dialog");
  await dialog.getByTestId("node-picker").click();
  await own.getByRole("option", { name: /^Beta Ltd/ }).click();
  await dialog.getByText("the data of Beta Ltd.").waitFor();
  await dialog.getByRole("button", { name: "Create link" }).click();
  const url = (await dialog.getByTestId("share-link").textContent()) ?? "";
  const guest = await openPage(browser, url, { width: 1440 });
  // A third of what is said is Beta's.
  await guest.getByTestId("panels").getByTestId("legend").first().getByText("21", { exact: true }).waitFor();
  await guest.getByText("Beta Ltd.").first().waitFor();
  expect(await guest.getByTestId("panels").locator("h2").allTextContents()).toEqual(["What was said", "By whom"]);
});

/** The program that the documentation gives to copy, as it stands, at an origin of its own. */
async function startEmbedding(key: string): Promise<{ url: string; stop: () => Promise<void> }> {
  const page = await (await fetch(`${service.url}/docs/embedding`)).text();
  const program = /data-snippet="embed.mjs"><code>([^<]*)</.exec(page)?.[1] ?? "";
  const plain = [
    ["&lt;", "<"],
    ["&gt;", ">"],
    ["&quot;", '"'],
    ["&amp;", "&"],
  ] as const;
  const folder = await mkdtemp(join(tmpdir(), "embedding-"));
  await writeFile(
    join(folder, "embed.mjs"),
    plain.reduce((text, [coded, meant]) => text.replaceAll(coded, meant), program),
  );
  const port = await freeLoopbackPort();
  const env = { TIDEMARK_URL: service.url, TIDEMARK_KEY: key, TIDEMARK_DASHBOARD: dashboard, PORT: String(port) };
  const child: ChildProcess = spawn(process.execPath, [join(folder, "embed.mjs")], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const url = `http://localhost:${port}`;
  await expect.poll(async () => (await fetch(url).catch(() => undefined))?.status).toBe(200);
  return {
    url,
    async stop() {
      const gone = once(child, "exit");
      child.kill();
      await gone;
      await rm(folder, { recursive: true });
    },
  };
}

/** A page of another origin that frames `src`. */
async function startFraming(src: string): Promise<{ url: string; stop: () => void }> {
  const page = `<!doctype html><html lang="en"><title>Elsewhere</title><iframe title="Usage" src="${src}"></iframe>`;
  const server = createServer((_, response) => response.setHeader("content-type", "text/html").end(page));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = () => server.close().closeAllConnections();
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stop };
}

test("the program of the documentation embeds a dashboard at its own origin, hands it the next token, and nobody else can frame it", async () => {
  const { key } = await post("/v1/keys", { name: "Portal", node: "reseller:north", scopes: ["read"] });
  const portal = await startEmbedding(key);
  try {
    const page = await openPage(browser, portal.url, { width: 1440, colorScheme: "dark" });
    const frame = await (await page.locator("iframe").elementHandle())?.contentFrame();
    if (!frame) throw new Error("there is no frame");
    const shown = await figuresOf(frame);
    expect(shown.map(([title]) => title)).toEqual(["What was said", "By whom", "Calls of Acme"]);
    // As the page wants it, whatever the system is set to.
    await frame.locator("html[data-theme=light]").waitFor({ state: "attached" });
    const accent = await frame.evaluate(() => document.documentElement.style.getPropertyValue("--accent"));
    expect(accent).toBe("#7c3aed");
    expect(await page.context().cookies()).toEqual([]);

    const renewed = page.waitForRequest((request) => request.url().endsWith("/v1/shared/view"));
    const token = await page.evaluate(async () => {
      const { token: next } = await (await fetch("/token")).json();
      document.querySelector("iframe")?.contentWindow?.postMessage({ type: "tidemark:token", token: next }, "*");
      return next;
    });
    expect((await renewed).postDataJSON()).toEqual({ token });
    expect(await figuresOf(frame)).toEqual(shown);

    // What has ended asks for the next token, and goes on with it.
    const again = page.waitForResponse((response) => response.url() === `${portal.url}/token`);
    await frame.evaluate(() => {
      location.hash = `#tme_${"x".repeat(80)}`;
    });
    await again;
    expect(await figuresOf(frame)).toEqual(shown);

    const src = (await page.locator("iframe").getAttribute("src")) ?? "";
    for (const framed of [
      src,
      src.replace("/embed", "/shared"),
      src.replace(/frame=[^#]*/, "frame=made-up"),
      `${service.url}/`,
    ]) {
      const elsewhere = await startFraming(framed.replaceAll("&", "&amp;"));
      const refused = await browser.newPage();
      const { said } = watch(refused);
      await refused.goto(elsewhere.url);
      await expect.poll(() => said.join("\n"), { message: framed }).toMatch(/frame-ancestors/);
      elsewhere.stop();
    }
  } finally {
    await portal.stop();
  }
});

test("an embedding that has ended says so quietly, in both themes", async () => {
  const page = await openPage(browser, `${service.url}/embed#tme_gone`, { width: 360 });
  await page.getByTestId("shared-ended").waitFor();
  await expectTidy(page);
});
