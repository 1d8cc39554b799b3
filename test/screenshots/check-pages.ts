/**
 * Every page over the demonstration, and every picker, menu and dialog that opens on it, in light, dark and forced colours, on a
 * phone, a desk and a wide screen; then with no data, with a server that fails, with a stale socket and with a server that is
 * down: `npm run test:pages` starts services of its own; `-- URL E-MAIL PASSWORD` takes a demonstration that runs.
 * PAGES=usage,live and LOOKS=dark,forced take those alone, STATES=error,down those states. Prints what was looked at and each
 * violation: a rule of accessibility, a page wider than its window, a message on the console. Ends with an error where there is one.
 */
import { env } from "node:process";
import AxeBuilder from "@axe-core/playwright";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { launchBrowser, signIn } from "../support/browser.ts";
import { eventually, startService } from "../support/service.ts";
import { comeToRest, detailPlaces, type Place, places } from "./places.ts";

const looks: Readonly<Record<string, BrowserContextOptions>> = {
  forced: { forcedColors: "active" },
  dark: { colorScheme: "dark" },
  light: { colorScheme: "light" },
};
const sizes = [
  { width: 1440, height: 900 },
  { width: 360, height: 780 },
  { width: 1920, height: 1080 },
];
const desk = sizes[0] ?? null;
/** The history of ninety days is posted first. */
const demonstratedWithinMs = 15 * 60_000;
/** What a page asks on its way in, and is no page without. */
const ofTheShell = /\/v1\/(me|nodes|meters|views|version|notifications)\b/;

interface State {
  name: string;
  /** Brings the page into it, before it is opened. */
  prepare(page: Page): Promise<unknown>;
  /** The browser itself logs every answer that it did not get. */
  logsFailures: boolean;
}

const unavailable = JSON.stringify({ title: "Internal error", status: 500, code: "internal", detail: "It failed." });
const states: readonly State[] = [
  {
    name: "error",
    logsFailures: true,
    prepare: (page) =>
      page.route(
        (url) => url.pathname.startsWith("/v1/") && !ofTheShell.test(url.pathname),
        (route) => route.fulfill({ status: 500, contentType: "application/problem+json", body: unavailable }),
      ),
  },
  { name: "stale", logsFailures: true, prepare: (page) => page.route("**/socket.io/**", (route) => route.abort()) },
  {
    name: "down",
    logsFailures: true,
    prepare: (page) =>
      page.route(
        (url) =>
          url.pathname.startsWith("/socket.io/") ||
          (url.pathname.startsWith("/v1/") && !/\/v1\/me$/.test(url.pathname)),
        (route) => route.abort("connectionrefused"),
      ),
  },
];
const wanted = (name: string, list: string | undefined) =>
  (list?.split(",") ?? [""]).some((one) => name.startsWith(one));

class Findings {
  readonly #found = new Set<string>();
  looked = 0;

  note(where: string, what: string): void {
    const line = `${where}: ${what.split("\n")[0]}`;
    if (!this.#found.has(line)) console.error(line);
    this.#found.add(line);
  }

  get violations(): number {
    return this.#found.size;
  }
}

/** As the page stands now. */
async function inspect(page: Page, where: string, findings: Findings): Promise<void> {
  findings.looked++;
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (wide > 0) findings.note(where, `${wide} px wider than its window`);
  const axe = new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ["violations"] });
  const { violations } = await axe.analyze();
  for (const { id, nodes } of violations) findings.note(where, `${id}: ${nodes[0]?.html} (${nodes.length})`);
}

function listen(page: Page, where: () => string, findings: Findings, logsFailures: boolean): void {
  page.removeAllListeners("console");
  page.removeAllListeners("pageerror");
  page.on("console", (message) => {
    const isOfBrowser = /Failed to load resource|ERR_|WebSocket connection/.test(message.text());
    if (!(logsFailures && isOfBrowser)) findings.note(where(), `logs ${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => findings.note(where(), `throws ${error.message}`));
}

const openers = [
  "button[aria-haspopup=dialog]",
  ...["New organization", "Import", "Edit", "Invite", "Custom range"].map((name) => `main button:text-is("${name}")`),
  ...["Rotate", "Revoke"].map((name) => `main button[aria-label^="${name} "]`),
].join(", ");

/** Opens what opens on the page, one by one; of many alike, such as a menu in each row, the first. */
async function inspectOpened(page: Page, where: string, findings: Findings): Promise<void> {
  const labels = await page.locator(openers).evaluateAll((buttons) =>
    buttons.map((button) => {
      const label = button.getAttribute("aria-label") ?? button.getAttribute("data-testid") ?? button.textContent ?? "";
      const isShown = button.getBoundingClientRect().width > 0;
      return isShown && !(button as HTMLButtonElement).disabled ? label.trim().split(/\s+/)[0] : undefined;
    }),
  );
  for (const [place, label] of labels.entries()) {
    if (label === undefined || labels.indexOf(label) !== place) continue;
    await page.locator(openers).nth(place).click();
    await page.locator("[role=dialog], dialog[open]").first().waitFor();
    await comeToRest(page);
    await inspect(page, `${where}, ${label} open`, findings);
    await page.keyboard.press("Escape");
    await page.locator("[role=dialog], dialog[open]").first().waitFor({ state: "hidden" });
  }
}

async function inPage(
  context: BrowserContext,
  all: readonly Place[],
  url: string,
  check: (page: Page, place: Place, at: (where: string) => void) => Promise<void>,
  { findings, name, state }: { findings: Findings; name: string; state?: State },
): Promise<void> {
  const page = await context.newPage();
  let where = "";
  listen(page, () => where, findings, state?.logsFailures ?? false);
  await state?.prepare(page);
  for (const place of all) {
    where = `${place.name}, ${name}`;
    try {
      await page.setViewportSize(desk ?? { width: 1440, height: 900 });
      await page.goto(url + place.path);
      await comeToRest(page);
      await check(page, place, (next) => {
        where = next;
      });
    } catch (error) {
      findings.note(where, (error as Error).message);
    }
  }
  await page.close();
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
  const details = await detailPlaces(context, url).catch(() => []);
  const all = [...places, ...details].filter(({ name }) => wanted(name, env.PAGES));
  const storageState = await context.storageState();
  await context.close();
  return { url, storageState, all };
}

async function checkLooks(browser: Browser, { url, storageState, all }: Signed, findings: Findings): Promise<void> {
  for (const [look, options] of Object.entries(looks).filter(([name]) => wanted(name, env.LOOKS))) {
    const context = await browser.newContext({ ...options, viewport: desk, reducedMotion: "reduce", storageState });
    const name = look;
    await inPage(
      context,
      all,
      url,
      async (page, place, at) => {
        for (const size of sizes) {
          at(`${place.name}, ${look} at ${size.width}`);
          await page.setViewportSize(size);
          await comeToRest(page);
          await inspect(page, `${place.name}, ${look} at ${size.width}`, findings);
          if (size.width < 1920) await inspectOpened(page, `${place.name}, ${look} at ${size.width}`, findings);
        }
      },
      { findings, name },
    );
    await context.close();
    console.log(`${all.length} pages × ${look} × ${sizes.length} sizes, ${findings.looked} looked at so far`);
  }
}

async function checkState(browser: Browser, { url, storageState, all }: Signed, state: State, findings: Findings) {
  const context = await browser.newContext({ viewport: desk, reducedMotion: "reduce", storageState });
  const check = async (page: Page, place: Place, at: (where: string) => void) => {
    for (const size of sizes.slice(0, 2)) {
      const where = `${place.name}, ${state.name} at ${size.width}`;
      at(where);
      await page.setViewportSize(size);
      await comeToRest(page);
      await inspect(page, where, findings);
    }
  };
  await inPage(context, all, url, check, { findings, name: state.name, state });
  await context.close();
  console.log(`${all.length} pages × ${state.name} × 2 sizes, ${findings.looked} looked at so far`);
}

async function main([givenUrl, email = "", password = ""]: string[]): Promise<void> {
  const findings = new Findings();
  const demo = givenUrl === undefined ? await startService({}, [], ["--demo"]) : undefined;
  const empty = wanted("empty", env.STATES) ? await startService() : undefined;
  const browser = await launchBrowser();
  try {
    if (demo)
      await eventually(
        "the demonstration's history",
        () => demo.output().includes("Demo: live") || undefined,
        demonstratedWithinMs,
      );
    const signed = await signedIn(
      browser,
      givenUrl ?? demo?.url ?? "",
      demo?.adminEmail ?? email,
      demo?.adminPassword ?? password,
    );
    if (wanted("much", env.STATES)) await checkLooks(browser, signed, findings);
    for (const state of states) if (wanted(state.name, env.STATES)) await checkState(browser, signed, state, findings);
    if (empty) {
      const there = await signedIn(browser, empty.url, empty.adminEmail, empty.adminPassword);
      const nothing = { name: "empty", logsFailures: false, prepare: async () => undefined };
      await checkState(browser, there, nothing, findings);
    }
    console.log(`${findings.looked} pages × states × sizes, ${findings.violations} violations`);
    process.exitCode = findings.violations === 0 ? 0 : 1;
  } finally {
    await browser.close();
    await demo?.stop();
    await empty?.stop();
  }
}

await main(process.argv.slice(2));
