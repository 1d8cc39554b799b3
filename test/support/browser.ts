/** A real browser for the tests of the dashboard: the system's Chromium, else the one that comes by npm. */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

/** It looks nothing up and reports nothing while a test runs. */
const quiet = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const systemBrowsers = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export async function launchBrowser(): Promise<Browser> {
  const installed = systemBrowsers.find((path) => existsSync(path));
  if (installed) return chromium.launch({ executablePath: installed, args: quiet });
  const { default: packaged } = await import("@sparticuz/chromium");
  return chromium.launch({ executablePath: await packaged.executablePath(), args: [...packaged.args, ...quiet] });
}
