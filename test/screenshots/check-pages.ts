/**
 * Every page over the demonstration, and every picker, menu and dialog that opens on it, in light, dark and forced colours, on a
 * phone, a desk and a wide screen; then without data and with little, with a server that fails, with a stale socket and with a
 * server that is down: `npm run test:pages` starts services of its own; `-- URL E-MAIL PASSWORD` takes a demonstration that runs.
 * PAGES=usage,live, LOOKS=dark,forced and SIZES=360 take those alone, STATES=much,error,down those states, PART=2/4 a quarter of
 * the pages.
 * Prints what was looked at and each violation: a rule of accessibility, a page wider than its window, a message on the console.
 * Ends with an error where there is one.
 */
import { env } from "node:process";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { launchBrowser, signIn } from "../support/browser.ts";
import { startService, type TestService } from "../support/service.ts";
import { demonstration } from "./demonstration.ts";
import { changeLook, desk, Findings, inspect, inspectOpened, type Look, looks, phone, wide } from "./inspect-page.ts";
import { comeToRest, detailPlaces, isWanted, type Place, places } from "./places.ts";

const sizes = [desk, phone, wide].filter(({ width }) => isWanted(String(width), env.SIZES));
/** What a page asks on its way in, and is no page without. */
const ofTheShell = /\/v1\/(me|nodes|meters|views|version|notifications)\b/;

const sockets = /\/socket\.io\//;
/** As Socket.IO writes an event that the server sends by itself. */
const push = /^42\["live:changed"/;

interface State {
  name: string;
  /** Brings the page into it, before it is opened. */
  prepare?(page: Page): Promise<unknown>;
  /** What live figures come to say of themselves in it. */
  liveStatus?: string;
  /** The pages, as in PAGES, that can be in it; all unless said. */
  pages?: string;
  /** Everything that opens is opened. */
  isOpened?: boolean;
  /** The browser itself logs every answer that it did not get. */
  logsFailures?: boolean;
}

const unavailable = JSON.stringify({ title: "Internal error", status: 500, code: "internal", detail: "It failed." });
const demonstrated: readonly State[] = [
  { name: "much", isOpened: true },
  {
    name: "error",
    logsFailures: true,
    prepare: (page) =>
      page.route(
        (url) => url.pathname.startsWith("/v1/") && !ofTheShell.test(url.pathname),
        (route) => route.fulfill({ status: 500, contentType: "application/problem+json", body: unavailable }),
      ),
  },
  { name: "stale", logsFailures: true, prepare: silenceSocket, liveStatus: "stale", pages: "live,wall" },
  {
    name: "down",
    logsFailures: true,
    prepare: async (page) => {
      await page.routeWebSocket(sockets, (socket) => socket.close());
      await page.route(
        (url) =>
          url.pathname.startsWith("/socket.io/") ||
          (url.pathname.startsWith("/v1/") && !/\/v1\/me$/.test(url.pathname)),
        (route) => route.abort("connectionrefused"),
      );
    },
    liveStatus: "unreachable",
  },
];

/**
 * Its connection stays and answers what it is asked, and brings nothing more by itself. Without the server's pings the page would
 * take it for lost within a minute, and ask for new figures over another.
 */
async function silenceSocket(page: Page): Promise<void> {
  await page.routeWebSocket(sockets, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((message) => server.send(message));
    server.onMessage((message) => {
      if (!push.test(String(message))) socket.send(message);
    });
  });
}

/** Every so-manieth page, from the one of that place on, so that parts take alike. */
function partOf(all: readonly Place[]): Place[] {
  const [part = 1, parts = 1] = env.PART?.split("/").map(Number) ?? [];
  return all.filter((_, place) => place % parts === part - 1);
}

function listen(page: Page, where: () => string, findings: Findings, logsFailures = false): void {
  page.on("console", (message) => {
    const isOfBrowser = /Failed to load resource|ERR_|WebSocket connection/.test(message.text());
    if (!(logsFailures && isOfBrowser)) findings.note(where(), `logs ${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => findings.note(where(), `throws ${error.message}`));
}

type Check = (page: Page, place: Place, at: (size: { width: number; height: number }) => Promise<string>) => unknown;

/** Each page anew; what one throws is a finding, and the next is looked at. */
async function eachPlace(
  context: BrowserContext,
  { url, all }: Signed,
  { name, prepare, logsFailures, liveStatus, pages }: State,
  findings: Findings,
  check: Check,
): Promise<void> {
  const page = await context.newPage();
  let where = "";
  listen(page, () => where, findings, logsFailures);
  await prepare?.(page);
  for (const place of all.filter((one) => isWanted(one.name, pages))) {
    where = `${place.name}, ${name}`;
    const startedMs = performance.now();
    try {
      await page.setViewportSize(desk);
      await page.goto(url + place.path);
      await comeToRest(page);
      const live = page.getByTestId("live-status");
      if (liveStatus && (await live.count()) > 0)
        await page.locator(`[data-testid=live-status][data-state=${liveStatus}]`).waitFor();
      await check(page, place, async (size) => {
        where = `${place.name}, ${name} at ${size.width}`;
        await page.setViewportSize(size);
        await comeToRest(page);
        return where;
      });
    } catch (error) {
      findings.note(where, (error as Error).message);
    }
    console.log(`  ${place.name}, ${name}: ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
  }
  await context.close();
}

interface Signed {
  url: string;
  storageState: Awaited<ReturnType<BrowserContext["storageState"]>>;
  all: Place[];
}

async function signedIn(browser: Browser, url: string, email: string, password: string): Promise<Signed> {
  const context = await browser.newContext({ viewport: desk });
  const page = await context.newPage();
  await page.goto(url);
  await signIn(page, email, password);
  await page.getByTestId("live-status").waitFor();
  const all = [...places, ...(await detailPlaces(context, url))].filter(({ name }) => isWanted(name, env.PAGES));
  const storageState = await context.storageState();
  await context.close();
  return { url, storageState, all: partOf(all) };
}

/** In each state each page in each size and look; where there is much, with everything that opens on it. */
async function checkState(browser: Browser, signed: Signed, state: State, findings: Findings): Promise<void> {
  const { storageState } = signed;
  const context = await browser.newContext({ viewport: desk, reducedMotion: "reduce", storageState });
  const opened = new Map(sizes.map((size) => [size, new Set<string>()]));
  const wantedLooks = (Object.keys(looks) as Look[]).filter((name) => isWanted(name, env.LOOKS));
  await eachPlace(context, signed, state, findings, async (page, place, at) => {
    const inLooks = async (where: string, within?: string) => {
      for (const [nth, look] of wantedLooks.entries()) {
        await changeLook(page, look);
        await comeToRest(page);
        // Only colours differ from the look before.
        const rules = nth === 0 ? "all" : "colours";
        await inspect(page, `${where}, ${look}`, findings, { rules, ...(nth > 0 && within && { within }) });
      }
    };
    // What belongs to the frame around every page is opened on the first.
    const scope = place === signed.all[0] ? "body" : "main";
    for (const size of sizes) {
      const where = await at(size);
      await inLooks(where);
      // A wide window has room for whatever opens on a desk.
      if (state.isOpened && size !== wide)
        await inspectOpened(page, scope, opened.get(size) ?? new Set(), (label, panels) =>
          inLooks(`${where}, ${label} open`, panels),
        );
    }
  });
  console.log(
    `${signed.all.length} pages × ${state.name} × ${wantedLooks.length} looks × ${sizes.length} sizes, ${findings.looked} looked at so far`,
  );
}

/** One organization and its first meeting. */
async function sendLittle({ url, rootKey }: TestService): Promise<void> {
  const common = { organization: "first-customer", session: "s1", room: "daily" };
  const events = [
    { ...common, id: "1", type: "participant.joined", user: "ada" },
    { ...common, id: "2", type: "chat.posted", user: "ada" },
    { ...common, id: "3", type: "transcription.completed", user: "ada", job: "j1", value: "12.5" },
  ];
  const headers = { authorization: `Bearer ${rootKey}`, "content-type": "application/json" };
  await fetch(`${url}/v1/events?ack=stored&strict=true`, { method: "POST", headers, body: JSON.stringify(events) });
}

async function checkSmall(browser: Browser, findings: Findings): Promise<void> {
  const service = await startService();
  try {
    const { url, adminEmail, adminPassword } = service;
    for (const name of ["empty", "little"]) {
      if (!isWanted(name, env.STATES)) continue;
      if (name === "little") await sendLittle(service);
      await checkState(browser, await signedIn(browser, url, adminEmail, adminPassword), { name }, findings);
    }
  } finally {
    await service.stop();
  }
}

async function main(given: string[]): Promise<void> {
  const findings = new Findings();
  const wantsDemo = demonstrated.some(({ name }) => isWanted(name, env.STATES));
  const demo = wantsDemo ? await demonstration(given) : undefined;
  const browser = await launchBrowser();
  try {
    if (demo) {
      const signed = await signedIn(browser, demo.url, demo.email, demo.password);
      for (const state of demonstrated)
        if (isWanted(state.name, env.STATES)) await checkState(browser, signed, state, findings);
    }
    if (["empty", "little"].some((name) => isWanted(name, env.STATES))) await checkSmall(browser, findings);
    console.log(`${findings.looked} pages × states × sizes, ${findings.all.length} violations`);
    process.exitCode = findings.all.length === 0 ? 0 : 1;
  } finally {
    await browser.close();
    await demo?.stop();
  }
}

await main(process.argv.slice(2));
