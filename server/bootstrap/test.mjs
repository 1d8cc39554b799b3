/** `npm test`: sets up what the tests need, then runs all of them. Arguments go to vitest. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { build, install, installSystemPackage, prepare, root } from "./setup.mjs";

const hasProgram = (name) => spawnSync("which", [name]).status === 0;

async function installTools() {
  if (!hasProgram("redis-server"))
    await installSystemPackage("redis-server", "the tests of jobs and live view on Redis need redis-server");
  if (!hasProgram("pdftotext"))
    await installSystemPackage("poppler-utils", "the tests of reports read PDFs with poppler-utils");
  if (!hasProgram("chromium") && !hasProgram("google-chrome")) {
    // Without root the browser of @sparticuz/chromium is used; test/support/browser.ts finds it.
    const isRoot = process.getuid?.() === 0;
    if (isRoot) await installSystemPackage("chromium", "the browser tests need chromium");
    else console.log("chromium is not installed; the browser tests use the one of @sparticuz/chromium");
  }
}

await prepare(install, installTools, build);
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
if (!existsSync(vitest)) throw new Error("vitest is not installed");
const child = spawn(process.execPath, [vitest, "run", "--config", "test/vitest.config.ts", ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit",
  // Loading the server's source costs each of some hundred starts a second and a half more.
  env: { ...process.env, TIDEMARK_TESTED_SERVER: join(root, "dist", "server", "main.js") },
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code) => process.exit(code ?? 1));
