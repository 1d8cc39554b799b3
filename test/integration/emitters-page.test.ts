import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
// @ts-expect-error a script without types
import { packEmitter } from "../../server/bootstrap/setup.mjs";
import { freeLoopbackPort } from "../../server/embedded/loopback.ts";
import { Beacon } from "../../server/emitter/beacon.ts";
import { createWorld, type World } from "../support/isolation-world.ts";
import { patienceMs } from "../support/patience.ts";

const run = promisify(execFile);
let world: World;
let folder: string;
const dist = fileURLToPath(new URL("../../dist/emitter", import.meta.url));
let page: string;
let environment: NodeJS.ProcessEnv;
beforeAll(async () => {
  world = await createWorld();
  folder = await mkdtemp(join(tmpdir(), "tidemark-snippets-"));
  const { key } = await world.makeKey(["ingest", "read"], "all");
  environment = { PATH: process.env.PATH, TIDEMARK_URL: world.url, TIDEMARK_KEY: key };
  page = (await world.ask("GET", "/docs/emitters")).body;
  const first = { id: "first", type: "chat.posted", organization: "acme" };
  await world.ask("POST", "/v1/events?ack=stored", { key, body: first });
  await packEmitter();
  await run("npm", ["install", "--no-audit", "--no-fund", `${world.url}/docs/emitters/tidemark-emitter.tgz`], {
    cwd: folder,
  });
  await run("curl", ["-sSfO", `${world.url}/docs/emitters/tidemark_emitter.py`], { cwd: folder });
});
afterAll(async () => {
  await world.close();
  await rm(folder, { recursive: true, force: true });
});

/** As a reader copies it from the page. */
function snippet(id: string): string {
  const escaped = new RegExp(`data-snippet="${id}"><code>([^<]*)</code>`).exec(page)?.[1];
  if (escaped === undefined) throw new Error(`the page has no snippet ${id}`);
  return escaped
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&");
}

async function stored(): Promise<{ id: string; type: string }[]> {
  await world.deps.ingest?.flush.whenStored(world.deps.ingest.log.syncedEnd);
  const records: { id: string; type: string }[] = [];
  for (let cursor = ""; ; ) {
    const { body } = await world.ask("GET", `/v1/records?node=organization:acme&limit=1000${cursor}`, {
      key: environment.TIDEMARK_KEY,
    });
    records.push(...body.records);
    if (body.records.length < 1_000) return records;
    cursor = `&cursor=${body.next_cursor}`;
  }
}

/** A block of README.md that begins with this, as a reader copies it, for the service of this test. */
function readmeBlock(beginning: string): string {
  const text = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const block = text.split(/\n(?! {4}|\n)/).find((part) => part.includes(`\n    ${beginning}`));
  const code = block
    ?.slice(block.indexOf(`\n    ${beginning}`))
    .replace(/^ {4}/gm, "")
    .trim();
  if (code === undefined) throw new Error(`the README has no block that begins with ${beginning}`);
  return `${code}\n`;
}

const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
/** How each snippet is run, as a reader would in the folder where they installed what the page says. */
const programs: Record<string, () => [command: string, ...args: string[]]> = {
  curl: () => ["bash", "--norc", "-c", snippet("curl")],
  typescript: () => {
    writeFileSync(join(folder, "program.mts"), snippet("typescript"));
    return [process.execPath, "--import", tsx, join(folder, "program.mts")];
  },
  python: () => ["python3", "-c", snippet("python")],
  "README's curl": () => {
    const code = readmeBlock("curl").replaceAll("'http://localhost:8080", `"$TIDEMARK_URL"'`);
    return ["bash", "--norc", "-e", "-c", code.replaceAll("$TIDEMARK_ROOT_KEY", "$TIDEMARK_KEY")];
  },
  "README's TypeScript": () => {
    const code = readmeBlock("import { env }").replace('"http://localhost:8080"', 'env.TIDEMARK_URL ?? ""');
    writeFileSync(join(folder, "readme.mts"), code);
    return [process.execPath, "--import", tsx, join(folder, "readme.mts")];
  },
};
type Ended = { code: number; stdout: string; stderr: string };
async function ended(name: string, changed: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const [command, ...args] = (programs[name] as (typeof programs)[string])();
  const options = { cwd: folder, env: { ...environment, ...changed } };
  return await run(command, args, options).then(
    (done) => ({ code: 0, ...done }),
    (error: Ended) => ({ code: error.code, stdout: error.stdout, stderr: error.stderr }),
  );
}

test.each([
  ["curl", 1, ["chat.posted"]],
  ["typescript", 3, ["chat.posted", "participant.joined", "participant.left"]],
  ["python", 2, ["call.completed", "chat.posted"]],
  ["README's curl", 1, ["chat.posted"]],
  ["README's TypeScript", 3, ["chat.posted", "participant.joined", "participant.left"]],
])("the %s snippet sends its events, and ends with 0 and without a complaint", async (name, count, types) => {
  const before = await stored();
  expect(await ended(name)).toMatchObject({ code: 0, stderr: "" });
  const after = await stored();
  expect(after.length).toBe(before.length + count);
  const known = new Set(before.map(({ id }) => id));
  const added = after.filter(({ id }) => !known.has(id)).map(({ type }) => type);
  expect(added.sort()).toEqual(types);
});

test("the curl line is counted once when it is run again", async () => {
  const before = (await stored()).length;
  expect(JSON.parse((await ended("curl")).stdout)).toMatchObject({ accepted: 0, duplicates: 1, rejected: [] });
  expect((await stored()).length).toBe(before);
});

test.each(Object.keys(programs))("the %s snippet fails with a wrong key, and says why", async (name) => {
  const before = (await stored()).length;
  const { code, stdout, stderr } = await ended(name, { TIDEMARK_KEY: "tmk_wrong" });
  expect(code).toBeGreaterThan(0);
  expect(stdout + stderr).toMatch(/401/);
  expect((await stored()).length).toBe(before);
});

// At once: each waits for seconds before it gives up.
test.concurrent.each(Object.keys(programs))(
  "the %s snippet fails when no service is there, and says so",
  async (name) => {
    const { code, stderr } = await ended(name, { TIDEMARK_URL: `http://127.0.0.1:${await freeLoopbackPort()}` });
    expect(code).toBeGreaterThan(0);
    expect(stderr).toMatch(/refused|connect|not sent/i);
  },
);

/** The browsers' snippet with its two values filled in, while it runs as a page does: for as long as it is open. */
async function openPage(url: string, key: string) {
  const program = join(folder, "page.mts");
  const pasted = snippet("browser");
  const filled = pasted.replace("https://tidemark.example.com", url).replace("tmk_…", key);
  expect(filled).not.toBe(pasted);
  writeFileSync(program, filled);
  const child = spawn(process.execPath, ["--import", tsx, program], {
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (bytes) => {
    said += bytes;
  });
  const closed = once(child, "exit");
  return {
    said: () => said,
    async close() {
      child.kill("SIGKILL");
      await closed;
    },
  };
}

test("the browser snippet of the page sends its event; with a wrong key, and without a service, it says why not", async () => {
  const before = (await stored()).length;
  const good = await openPage(world.url, environment.TIDEMARK_KEY as string);
  await vi.waitFor(async () => expect((await stored()).length).toBe(before + 1), {
    timeout: patienceMs,
    interval: 200,
  });
  expect(good.said()).toBe("");
  await good.close();
  const refused = await openPage(world.url, "tmk_wrong");
  await vi.waitFor(() => expect(refused.said()).toMatch(/tidemark: .*401/), { timeout: patienceMs, interval: 200 });
  await refused.close();
  const alone = await openPage(`http://127.0.0.1:${await freeLoopbackPort()}`, environment.TIDEMARK_KEY as string);
  await vi.waitFor(() => expect(alone.said()).toMatch(/tidemark: /), { timeout: patienceMs, interval: 200 });
  await alone.close();
  expect((await stored()).length).toBe(before + 1);
});

test("the curl line fails when the service rejects its event", async () => {
  const script = snippet("curl").replace('"chat.posted"', '""');
  const failed = await run("bash", ["--norc", "-c", script], { env: environment }).catch((error: Ended) => error);
  expect(failed).toMatchObject({ code: 22 });
});

test("the package has types that a strict project accepts, and runs without one of ours", async () => {
  const program = join(folder, "typed.mts");
  writeFileSync(
    program,
    `import { Emitter, type EmittedEvent, type EventRejection } from "tidemark-emitter";
import { Beacon } from "tidemark-emitter/beacon";
const event: EmittedEvent = { type: "chat.posted", organization: "acme" };
const rejections: EventRejection[] = [];
const emitter = new Emitter({ url: "http://localhost", key: "k", onRejected: (rejection) => rejections.push(rejection) });
const held: boolean = emitter.offer(event);
const { unsent }: { unsent: number } = await emitter.close({ withinMs: 1 });
const beacon = new Beacon({ url: "http://localhost", key: "k", storage: undefined });
// @ts-expect-error an event has an organization
beacon.offer({ type: "chat.posted" });
console.log(held, unsent);
`,
  );
  const compilerOptions = { noEmit: true, strict: true, module: "nodenext", target: "es2022", types: [] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["typed.mts"] }));
  await run(process.execPath, [createRequire(import.meta.url).resolve("typescript/bin/tsc"), "-p", folder]);
  const files = (await run("tar", ["-tzf", join(dist, "tidemark-emitter.tgz")])).stdout;
  for (const file of ["dist/emitter.js", "dist/emitter.d.ts", "dist/beacon.js", "README.md", "tidemark_emitter.py"])
    expect(files).toContain(`package/${file}`);
  expect(files).not.toMatch(/node_modules|\.test\./);
});

test("a page of another site may send events with a key, and nothing else with a cookie", async () => {
  const asked = { origin: "https://shop.example", "access-control-request-method": "POST" };
  const preflight = (path: string) =>
    fetch(`${world.url}${path}`, {
      method: "OPTIONS",
      headers: { ...asked, "access-control-request-headers": "authorization,content-type" },
    });
  const events = (await preflight("/v1/events")).headers;
  expect(events.get("access-control-allow-origin")).toBe("*");
  expect(events.get("access-control-allow-headers")?.toLowerCase()).toContain("authorization");
  expect(events.get("access-control-allow-credentials")).toBeNull();
  expect((await preflight("/v1/nodes")).headers.get("access-control-allow-origin")).toBeNull();
  const { status, headers } = await fetch(`${world.url}/v1/events`, {
    method: "POST",
    headers: {
      origin: asked.origin,
      authorization: `Bearer ${environment.TIDEMARK_KEY}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({ id: "from-a-page", type: "chat.posted", organization: "acme" }),
  });
  expect([status, headers.get("access-control-allow-origin")]).toEqual([202, "*"]);
});

test("the beacon sends what a page had left, each event once, and says when it is refused", async () => {
  const held = new Map<string, string>();
  const storage = {
    getItem: (name: string) => held.get(name) ?? null,
    setItem: (name: string, text: string) => void held.set(name, text),
    removeItem: (name: string) => void held.delete(name),
  };
  const said: string[] = [];
  const options = { url: world.url, storage, everyMs: 3_600_000, report: (line: string) => said.push(line) };
  const before = (await stored()).length;
  const first = new Beacon({ ...options, key: "tmk_wrong" });
  for (let index = 0; index < 150; index++)
    first.offer({ type: "chat.posted", organization: "acme", user: `b${index}` });
  expect(await first.flush()).toBe(150);
  expect(said).toEqual(["tidemark: events are kept and will be sent again: the service answers 401"]);
  // The page is gone; the next one finds them.
  const next = new Beacon({ ...options, key: environment.TIDEMARK_KEY as string });
  await vi.waitFor(async () => expect(await next.flush()).toBe(0), { timeout: patienceMs });
  expect((await stored()).length).toBe(before + 150);
  expect(held.size).toBe(0);
});

test("the Python emitter sends what a killed program had spooled, keeps what is refused, and says what it rejects", async () => {
  const spool = join(folder, "spool");
  const python = (code: string, changed: NodeJS.ProcessEnv = {}) =>
    run("python3", ["-c", `import os, sys, signal\nfrom tidemark_emitter import Emitter\n${code}`], {
      cwd: folder,
      env: { ...environment, ...changed, SPOOL: spool },
    });
  const make =
    'emitter = Emitter(os.environ["TIDEMARK_URL"], os.environ["TIDEMARK_KEY"], spool=os.environ["SPOOL"], max_age=3600)';
  const offer = 'for i in range(2500): assert emitter.offer("chat.posted", "acme", user=f"py{i}")';
  const before = (await stored()).length;
  const killed = await python(`${make}\n${offer}\nos.kill(os.getpid(), signal.SIGKILL)`, {
    TIDEMARK_KEY: "tmk_wrong",
  }).catch((error: { signal: string }) => error);
  expect(killed).toMatchObject({ signal: "SIGKILL" });
  const refused = (await python(`${make}\nprint(emitter.close(0.5))`, { TIDEMARK_KEY: "tmk_wrong" })) as Ended;
  expect(refused.stdout).toContain("'unsent': 2500");
  expect(refused.stderr).toMatch(/refused events with 401.*kept/s);
  expect((await stored()).length).toBe(before);
  const sent = await python(`${make}\nemitter.offer("", "acme")\nprint(emitter.close(60), emitter.accepted)`);
  expect(sent.stdout).toBe("{'unsent': 0, 'rejected': 1} 2500\n");
  expect(sent.stderr).toMatch(/was rejected: type/);
  expect((await stored()).length).toBe(before + 2_500);
  expect(readdirSync(spool)).toEqual([]);
});
