/**
 * One question, one figure: on every page that shows one, over the demonstration. Each page's figures are those that the API gave
 * it, rounded as they stand and exact on demand; its tables cell by cell, its charts window by window; each question that it
 * asked has the same answer whole, by window, by group, as CSV, XLSX and lines; its files ask what the page asks; and what
 * several routes know (overview, organizations, periods, statements, sessions, explanations, reports) they know alike.
 * `npm run test:figures` starts a demonstration of its own; `-- URL E-MAIL PASSWORD` takes one that runs. PAGES=usage,period takes
 * those pages alone whose names begin so, and PAGES=routes what several routes know.
 * Prints what was compared on each page, and each difference; ends with an error where there is one.
 */
import { env } from "node:process";
import type { Browser, Page } from "playwright-core";
import type { MeterSummary } from "../../server/contract/meters.ts";
import { demonstration } from "../screenshots/demonstration.ts";
import { comeToRest, detailPlaces, isWanted, type Place, places } from "../screenshots/places.ts";
import { launchBrowser, signIn } from "../support/browser.ts";
import { Api } from "./ask-api.ts";
import { compareChart } from "./chart-walk.ts";
import { Compared } from "./compared.ts";
import { compareForms } from "./file-forms.ts";
import { comparePage, usageOf } from "./page-figures.ts";
import { type RecordedAnswer, RecordedAnswers } from "./recorded-answers.ts";
import { compareRoutes } from "./several-routes.ts";
import { compareUsage, pinned } from "./usage-question.ts";

/** A range that is over, beside those that run: a month by day with every zone's midnight within an hour, and its groups. */
function pastPlaces(nowMs: number): Place[] {
  const now = new Date(nowMs);
  const day = (months: number, ofMonth: number) =>
    new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + months, ofMonth)).toISOString().slice(0, 10);
  const month = { range: "custom", from: day(-1, 1), through: day(0, 0) };
  const meters = "transcribed_minutes,participation_minutes,sessions,max_concurrent_participants";
  const usage = (name: string, search: Record<string, string>) => ({
    name: `usage-past${name}`,
    path: `/usage?${new URLSearchParams({ meters, ...month, ...search })}`,
  });
  return [
    usage("", {}),
    usage("-zone", { tz: "Asia/Kolkata" }),
    usage("-compared", { compare: "previous" }),
    usage("-organization", { by: "organization", meters: "transcribed_minutes,sessions" }),
    usage("-language", { by: "language", meters: "transcribed_minutes,documents" }),
    usage("-medium", { meters: "broadcast_minutes,consumed_minutes" }),
    { name: "sessions-past", path: `/sessions?${new URLSearchParams(month)}` },
    { name: "report-usage", path: `/reports/usage?${new URLSearchParams(month)}` },
    { name: "report-organizations", path: `/reports/organizations?${new URLSearchParams(month)}` },
  ];
}

class Walk {
  readonly #page: Page;
  readonly #answers: RecordedAnswers;
  /** Questions that were compared on a page before. */
  readonly #known = new Set<string>();

  constructor(
    page: Page,
    private readonly url: string,
    private readonly api: Api,
    private readonly addsUp: ReadonlySet<string>,
    private readonly compared: Compared,
  ) {
    this.#page = page;
    this.#answers = new RecordedAnswers(page);
  }

  async visit({ name, path }: Place): Promise<void> {
    this.#answers.begin();
    await this.#page.goto(this.url + path);
    await comeToRest(this.#page);
    await comparePage(this.#page, name, this.#answers, this.compared);
    const all = [...(await this.#answers.all())];
    const [first] = usageOf(all).filter(({ body }) => body.window !== "total");
    // The course of a billing cycle is drawn of one meter, beside what the page asked.
    const isCourse = new URL(path, this.url).searchParams.has("course");
    if (first && /^usage/.test(name) && !isCourse && (await this.#page.getByTestId("chart").count()) > 0)
      await compareChart(this.#page, name, first.body, this.compared);
    for (const { url, body } of usageOf(all)) {
      const question = pinned(url, body);
      if (!this.#isNew(question)) continue;
      await compareUsage(this.api, this.compared, name, question, this.addsUp);
    }
    await this.#compareFiles(name, all);
  }

  #isNew(question: string): boolean {
    const isNew = !this.#known.has(question);
    this.#known.add(question);
    return isNew;
  }

  /** Each *Export* of the page asks what the page asked; what it gives is the same in every form. */
  async #compareFiles(name: string, shown: readonly RecordedAnswer[]): Promise<void> {
    const buttons = this.#page.locator("main").getByTestId("export");
    // The whole of a long list is not needed to see what it is asked for.
    await this.#page.route("**/v1/**", (route) =>
      route.request().headers().accept === "text/csv" ? route.fulfill({ body: "" }) : route.fallback(),
    );
    for (let nth = 0; nth < (await buttons.count()); nth++) {
      await buttons.nth(nth).click();
      const offers = this.#page.locator("[data-testid^=download-]");
      await offers.first().waitFor();
      const ids = await offers.evaluateAll((all) => all.map((one) => (one as HTMLElement).dataset.testid ?? ""));
      const offered = new Set(ids.map((id) => id.replace("download-", "")));
      const [request] = await Promise.all([
        this.#page.waitForRequest((one) => one.headers().accept === "text/csv"),
        this.#page.getByTestId("download-csv").click(),
      ]);
      const url = new URL(request.url());
      this.compared.count(name, "file asks what the page asks");
      if (!shown.some((one) => questionOf(one.url) === questionOf(url)))
        this.compared.differ(name, `its file asks ${url.pathname}${url.search}, the page did not`);
      const path = url.pathname + url.search;
      if (url.pathname !== "/v1/usage" && this.#isNew(path))
        await compareForms(this.api, this.compared, name, path, offered);
    }
    await this.#page.unrouteAll();
  }
}

/** Without how much of it is wanted at once, and as which windows. */
function questionOf(url: URL): string {
  const query = new URLSearchParams(url.search);
  for (const name of ["limit", "cursor", "window", "fill", "section"]) query.delete(name);
  // The health of ingest by key or reason has the same windows.
  if (url.pathname === "/v1/ingest-health") query.delete("group_by");
  query.sort();
  return `${url.pathname}?${query}`;
}

async function compareAll(browser: Browser, url: string, email: string, password: string): Promise<Compared> {
  const compared = new Compared();
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: "reduce" });
  const page = await context.newPage();
  await page.goto(url);
  await signIn(page, email, password);
  await page.getByTestId("live-status").waitFor();
  const api = new Api(context, url);
  const { meters } = await api.json<{ meters: MeterSummary[] }>("/v1/meters");
  const addsUp = new Set(meters.filter((one) => one.adds_up).map(({ meter }) => meter));
  const all = [...places, ...pastPlaces(Date.now()), ...(await detailPlaces(context, url))];
  const walk = new Walk(page, url, api, addsUp, compared);
  for (const place of all.filter(({ name }) => isWanted(name, env.PAGES))) {
    try {
      await walk.visit(place);
    } catch (error) {
      compared.differ(place.name, (error as Error).message.split("\n")[0] ?? "");
    }
    console.log(`${place.name}: ${compared.lineOf(place.name)}`);
  }
  if (isWanted("routes", env.PAGES)) await compareRoutes(api, compared);
  await context.close();
  return compared;
}

async function main(given: string[]): Promise<void> {
  const demo = await demonstration(given);
  const browser = await launchBrowser();
  try {
    const compared = await compareAll(browser, demo.url, demo.email, demo.password);
    console.log(`${compared.total} figures on ${compared.pages} pages, ${compared.differences.length} differences`);
    process.exitCode = compared.differences.length === 0 ? 0 : 1;
  } finally {
    await browser.close();
    await demo.stop();
  }
}

await main(process.argv.slice(2));
