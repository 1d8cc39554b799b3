/**
 * Pictures of every page over the demonstration, in both themes, on a phone and on a desk, and once each on a wide screen and in
 * forced colours: `npm run screenshots -- FOLDER` starts a demonstration of its own; `-- FOLDER URL E-MAIL PASSWORD` takes one
 * that runs. SCREENSHOTS=usage,live takes those alone whose names begin so. Ends with an error and a list where a page does not
 * come to rest, is wider than its window, logs something, or breaks a rule of accessibility.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { env } from "node:process";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { launchBrowser, signIn } from "../support/browser.ts";
import { eventually, startService } from "../support/service.ts";
import { brokenRules } from "./inspect-page.ts";
import { comeToRest, detailPlaces, places } from "./places.ts";

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
    for (const { id, nodes } of await brokenRules(page)) note(`${id}: ${nodes[0]?.html} (${nodes.length})`);
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
  await first.getByLabel("Email address").waitFor();
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
