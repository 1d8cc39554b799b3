/**
 * Pictures of every page over the demonstration, in both themes, on a phone and on a desk, and once each on a wide screen and in
 * forced colours: `npm run screenshots -- FOLDER` starts a demonstration of its own; `-- FOLDER URL E-MAIL PASSWORD` takes one
 * that runs. SCREENSHOTS=usage,live takes those alone whose names begin so. Ends with an error and a list where a page does not
 * come to rest, is wider than its window, logs something, or breaks a rule of accessibility.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { env } from "node:process";
import AxeBuilder from "@axe-core/playwright";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { launchBrowser, signIn } from "../support/browser.ts";
import { eventually, startService } from "../support/service.ts";

const phone = { width: 360, height: 780 };
const desk = { width: 1440, height: 900 };
const looks: readonly (BrowserContextOptions & { name: string })[] = [
  { name: "light-360", colorScheme: "light", viewport: phone },
  { name: "light-1440", colorScheme: "light", viewport: desk },
  { name: "dark-360", colorScheme: "dark", viewport: phone },
  { name: "dark-1440", colorScheme: "dark", viewport: desk },
  { name: "light-1920", colorScheme: "light", viewport: { width: 1920, height: 1080 } },
  { name: "forced-1440", forcedColors: "active", viewport: desk },
];
/** The history of ninety days is posted first. */
const demonstratedWithinMs = 15 * 60_000;
/** A page with large figures on a busy machine. */
const restsWithinMs = 60_000;

interface Place {
  name: string;
  path: string;
}

const places: readonly Place[] = [
  { name: "live", path: "/" },
  { name: "wall", path: "/?wall=1" },
  { name: "period", path: "/period" },
  { name: "usage", path: "/usage" },
  { name: "usage-grouped", path: "/usage?by=organization" },
  { name: "usage-compared", path: "/usage?compare=previous&match=weekday" },
  { name: "dashboards", path: "/dashboards" },
  { name: "ingest", path: "/ingest" },
  { name: "overview", path: "/overview" },
  { name: "activity", path: "/activity" },
  { name: "organizations", path: "/organizations" },
  { name: "models", path: "/models" },
  { name: "tree", path: "/tree" },
  { name: "sessions", path: "/sessions" },
  { name: "alerts", path: "/alerts" },
  { name: "rules", path: "/rules" },
  { name: "new-rule", path: "/rules/new" },
  { name: "channels", path: "/channels" },
  { name: "reports", path: "/reports" },
  { name: "new-report", path: "/reports/new" },
  { name: "schedules", path: "/schedules" },
  { name: "new-schedule", path: "/schedules/new" },
  { name: "plans", path: "/plans" },
  { name: "subscriptions", path: "/subscriptions" },
  { name: "statements", path: "/statements" },
  { name: "what-if", path: "/what-if" },
  { name: "keys", path: "/keys" },
  { name: "people", path: "/people" },
  { name: "audit", path: "/audit" },
  { name: "account", path: "/account" },
];

const organizationTabs = [
  ...["people", "sessions", "features", "documents", "subscription", "statements", "alerts", "reports"],
];
/** One of those that the demonstration's events name. */
const anAgent = "desk-1";
const resellerTabs = ["customers", "people", "subscription", "statements"];

/** Pages of one thing each: the first that the API lists. */
async function detailPlaces(context: BrowserContext, url: string): Promise<Place[]> {
  const read = async (path: string) => (await context.request.get(url + path)).json();
  const [
    { organizations },
    { sessions },
    { alerts },
    { plans },
    { subscriptions },
    { statements },
    { rules },
    { nodes: resellers },
    { nodes: partners },
    { meters: ofAgent },
  ] = await Promise.all(
    [
      "/v1/organizations?sort=usage&limit=1",
      "/v1/sessions?limit=1",
      "/v1/alerts?limit=1",
      "/v1/plans",
      "/v1/subscriptions?limit=1",
      "/v1/statements?limit=1",
      "/v1/rules?limit=1",
      "/v1/nodes?kind=reseller&limit=1",
      "/v1/nodes?kind=partner&limit=1",
      `/v1/usage?meter=participation_minutes&window=total&group_by=organization&limit=1&filter[agent]=${anAgent}`,
    ].map(read),
  );
  const [organization] = organizations;
  const organizationPath = `/organizations/${encodeURIComponent(organization.node.replace(/^organization:/, ""))}`;
  const of = (name: string, path: string, list: { id: string }[]): Place[] =>
    list[0] ? [{ name, path: `${path}/${list[0].id}` }] : [];
  const inTree = (name: string, node: string | undefined, tabs: string[] = []): Place[] => {
    if (node === undefined) return [];
    const path = `/tree/${encodeURIComponent(node)}`;
    return [{ name, path }, ...tabs.map((tab) => ({ name: `${name}-${tab}`, path: `${path}?tab=${tab}` }))];
  };
  const withAgent: string | undefined = ofAgent[0].groups[0]?.key;
  return [
    { name: "organization", path: organizationPath },
    { name: "organization-limit", path: `${organizationPath}?course=1` },
    ...organizationTabs.map((tab) => ({ name: `organization-${tab}`, path: `${organizationPath}?tab=${tab}` })),
    ...inTree("root", "all"),
    ...inTree("reseller", resellers[0]?.node, resellerTabs),
    ...inTree("partner", partners[0]?.node),
    ...inTree("agent", withAgent && `agent:${encodeURIComponent(withAgent)}/${anAgent}`, ["sessions"]),
    { name: "usage-limit", path: `/usage?${new URLSearchParams({ node: organization.node, course: "1" })}` },
    ...sessions.slice(0, 1).map((one: { organization: string; session: string }) => ({
      name: "session",
      path: `/sessions/${encodeURIComponent(one.organization)}/${encodeURIComponent(one.session)}`,
    })),
    ...of("alert", "/alerts", alerts),
    ...of("rule", "/rules", rules),
    ...of("plan", "/plans", plans),
    ...of("subscription", "/subscriptions", subscriptions),
    ...of("statement", "/statements", statements),
  ];
}

/** Nothing is awaited any more, and what is drawn stands still. */
async function comeToRest(page: Page): Promise<void> {
  await page.locator("main h1").first().waitFor({ state: "attached", timeout: restsWithinMs });
  await page.waitForFunction(
    () => {
      const isAwaited =
        document.querySelector(".animate-pulse, main [aria-busy=true], main .transition-opacity.opacity-50") !== null;
      const now = performance.now();
      const seen = window as unknown as { quietSince?: number };
      if (isAwaited) delete seen.quietSince;
      else seen.quietSince ??= now;
      // A panel shows nothing until its answer has been awaited for a while.
      return now - (seen.quietSince ?? now) > 500 && document.fonts.status === "loaded";
    },
    undefined,
    { timeout: restsWithinMs },
  );
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

/** Takes the picture, and answers what is wrong with the page. */
async function take(page: Page, address: string, picture: string): Promise<string[]> {
  const faults: string[] = [];
  const note = (text: string) => faults.push(text.split("\n")[0] ?? "");
  page.removeAllListeners();
  page.on("console", (message) => note(`logs ${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => note(`throws ${error.message}`));
  try {
    await page.goto(address);
    await comeToRest(page);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (wide > 0) note(`${wide} px wider than its window`);
    const { violations } = await new AxeBuilder({ page }).analyze();
    for (const { id, nodes } of violations) note(`${id}: ${nodes[0]?.html} (${nodes.length})`);
  } catch (error) {
    note((error as Error).message);
  }
  await page.screenshot({ path: picture, fullPage: true });
  return faults;
}

async function takeAll(
  browser: Browser,
  url: string,
  email: string,
  password: string,
  folder: string,
): Promise<number> {
  const signedOut = await browser.newContext({ viewport: desk });
  const first = await signedOut.newPage();
  await first.goto(url);
  await first.getByLabel("E-mail address").waitFor();
  await first.screenshot({ path: join(folder, "sign-in.png") });
  await signIn(first, email, password);
  await first.getByTestId("live-status").waitFor();
  const wanted = env.SCREENSHOTS?.split(",") ?? [""];
  const all = [...places, ...(await detailPlaces(signedOut, url))].filter(({ name }) =>
    wanted.some((start) => name.startsWith(start)),
  );
  const storageState = await signedOut.storageState();
  await signedOut.close();
  const faults: string[] = [];
  for (const { name: look, ...options } of looks) {
    const context = await browser.newContext({ ...options, reducedMotion: "reduce", storageState });
    const page = await context.newPage();
    for (const { name, path } of all) {
      const found = await take(page, url + path, join(folder, `${name}-${look}.png`));
      faults.push(...found.map((fault) => `${name}-${look}: ${fault}`));
    }
    await context.close();
    console.log(`${all.length} pages, ${look}`);
  }
  for (const fault of faults) console.error(fault);
  console.log(`${faults.length} faults`);
  return faults.length;
}

async function main([folder, givenUrl, email = "", password = ""]: string[]): Promise<void> {
  if (folder === undefined) throw new Error("say where the pictures go: npm run screenshots -- FOLDER");
  await mkdir(folder, { recursive: true });
  const service = givenUrl === undefined ? await startService({}, [], ["--demo"]) : undefined;
  const browser = await launchBrowser();
  try {
    if (service)
      await eventually(
        "the demonstration's history",
        () => service.output().includes("Demo: live") || undefined,
        demonstratedWithinMs,
      );
    const faults = await takeAll(
      browser,
      givenUrl ?? service?.url ?? "",
      service?.adminEmail ?? email,
      service?.adminPassword ?? password,
      folder,
    );
    process.exitCode = faults === 0 ? 0 : 1;
  } finally {
    await browser.close();
    await service?.stop();
  }
}

await main(process.argv.slice(2));
