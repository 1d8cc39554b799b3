/**
 * Pictures of every page over the demonstration, in both themes, on a phone and on a desk:
 * `npm run screenshots -- FOLDER` starts a demonstration of its own; `-- FOLDER URL E-MAIL PASSWORD` takes one that runs.
 * Ends with an error where a page does not come to rest, or is wider than its window.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { launchBrowser, signIn } from "../support/browser.ts";
import { eventually, startService } from "../support/service.ts";

const themes = ["light", "dark"] as const;
const widths = [
  { width: 360, height: 780 },
  { width: 1440, height: 900 },
] as const;
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

/** Pages of one thing each: the first that the API lists. */
async function detailPlaces(context: BrowserContext, url: string): Promise<Place[]> {
  const read = async (path: string) => (await context.request.get(url + path)).json();
  const [{ organizations }, { sessions }, { alerts }, { plans }, { subscriptions }, { statements }, { rules }] =
    await Promise.all(
      [
        "/v1/organizations?sort=usage&limit=1",
        "/v1/sessions?limit=1",
        "/v1/alerts?limit=1",
        "/v1/plans",
        "/v1/subscriptions?limit=1",
        "/v1/statements?limit=1",
        "/v1/rules?limit=1",
      ].map(read),
    );
  const [organization] = organizations;
  const organizationPath = `/organizations/${encodeURIComponent(organization.node.replace(/^organization:/, ""))}`;
  const of = (name: string, path: string, list: { id: string }[]): Place[] =>
    list[0] ? [{ name, path: `${path}/${list[0].id}` }] : [];
  return [
    { name: "organization", path: organizationPath },
    { name: "organization-limit", path: `${organizationPath}?course=1` },
    ...organizationTabs.map((tab) => ({ name: `organization-${tab}`, path: `${organizationPath}?tab=${tab}` })),
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
    () =>
      document.querySelector(".animate-pulse, main [aria-busy=true]") === null && document.fonts.status === "loaded",
    undefined,
    { timeout: restsWithinMs },
  );
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

async function takeAll(
  browser: Browser,
  url: string,
  email: string,
  password: string,
  folder: string,
): Promise<number> {
  const signingIn = await browser.newContext();
  const first = await signingIn.newPage();
  await first.goto(url);
  await signIn(first, email, password);
  await first.getByTestId("live-status").waitFor();
  const all = [...places, ...(await detailPlaces(signingIn, url))];
  const storageState = await signingIn.storageState();
  await signingIn.close();
  const faults: string[] = [];
  for (const colorScheme of themes)
    for (const viewport of widths) {
      const context = await browser.newContext({ viewport, colorScheme, reducedMotion: "reduce", storageState });
      const page = await context.newPage();
      for (const { name, path } of all) {
        const picture = `${name}-${colorScheme}-${viewport.width}.png`;
        try {
          await page.goto(url + path);
          await comeToRest(page);
        } catch (error) {
          faults.push(`${picture}: ${(error as Error).message.split("\n")[0]}`);
        }
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        if (wide > 0) faults.push(`${picture}: ${wide} px wider than its window`);
        await page.screenshot({ path: join(folder, picture), fullPage: true });
      }
      await context.close();
      console.log(`${all.length} pages, ${colorScheme}, ${viewport.width} px`);
    }
  for (const fault of faults) console.error(fault);
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
