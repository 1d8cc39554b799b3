/**
 * Pictures of every page over the demonstration, in both themes, on a phone and on a desk, and once each on a wide screen and in
 * forced colours: `npm run screenshots -- FOLDER` starts a demonstration of its own; `-- FOLDER URL E-MAIL PASSWORD` takes one
 * that runs. SCREENSHOTS=usage,live takes those pages alone whose names begin so, LOOKS=dark,light-360 those looks. Ends with an
 * error and a list where a page does not come to rest, is wider than its window, logs something, or breaks a rule of
 * accessibility.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { env } from "node:process";
import type { Browser, Page } from "playwright-core";
import { launchBrowser, signIn } from "../support/browser.ts";
import { demonstration } from "./demonstration.ts";
import { changeLook, desk, Findings, inspect, phone, wide } from "./inspect-page.ts";
import { comeToRest, detailPlaces, isWanted, type Place, places } from "./places.ts";

/** Each size of window first in light colours; forced ones last, after which Chromium paints no page dark any more. */
const pictures = [
  { name: "light-1440", size: desk, look: "light" },
  { name: "dark-1440", size: desk, look: "dark" },
  { name: "light-360", size: phone, look: "light" },
  { name: "dark-360", size: phone, look: "dark" },
  { name: "light-1920", size: wide, look: "light" },
  { name: "forced-1440", size: desk, look: "forced" },
] as const;

/** Opens the page once, and takes its picture in each look. */
async function take(page: Page, address: string, { name }: Place, folder: string, findings: Findings): Promise<void> {
  let where = name;
  page.removeAllListeners();
  page.on("console", (message) => findings.note(where, `logs ${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => findings.note(where, `throws ${error.message}`));
  await page.setViewportSize(desk);
  await page.goto(address).catch((error: Error) => findings.note(where, error.message));
  for (const picture of pictures.filter((one) => isWanted(one.name, env.LOOKS))) {
    where = `${name}-${picture.name}`;
    try {
      await page.setViewportSize(picture.size);
      await changeLook(page, picture.look);
      await comeToRest(page);
      await inspect(page, where, findings, picture.look === "light" ? {} : { rules: "colours" });
    } catch (error) {
      findings.note(where, (error as Error).message);
    }
    await page.screenshot({ path: join(folder, `${where}.png`), fullPage: true });
  }
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
  const all = [...places, ...(await detailPlaces(signedOut, url))].filter(({ name }) =>
    isWanted(name, env.SCREENSHOTS),
  );
  const storageState = await signedOut.storageState();
  await signedOut.close();
  const findings = new Findings();
  const context = await browser.newContext({ reducedMotion: "reduce", storageState });
  const page = await context.newPage();
  for (const place of all) await take(page, url + place.path, place, folder, findings);
  await context.close();
  console.log(`${all.length} pages, ${findings.looked} pictures, ${findings.all.length} faults`);
  return findings.all.length;
}

async function main([folder, ...given]: string[]): Promise<void> {
  if (folder === undefined) throw new Error("say where the pictures go: npm run screenshots -- FOLDER");
  await mkdir(folder, { recursive: true });
  const demo = await demonstration(given);
  const browser = await launchBrowser();
  try {
    const faults = await takeAll(browser, demo.url, demo.email, demo.password, folder);
    process.exitCode = faults === 0 ? 0 : 1;
  } finally {
    await browser.close();
    await demo.stop();
  }
}

await main(process.argv.slice(2));
