import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createWorld, type World } from "../support/isolation-world.ts";

const run = promisify(execFile);
let world: World;
let folder: string;
let page: string;
let environment: NodeJS.ProcessEnv;
beforeAll(async () => {
  world = await createWorld();
  folder = await mkdtemp(join(tmpdir(), "tidemark-snippets-"));
  const { key } = await world.makeKey(["ingest", "read"], "all");
  environment = { PATH: process.env.PATH, TIDEMARK_URL: world.url, TIDEMARK_KEY: key };
  page = (await world.ask("GET", "/docs/emitters")).body;
});
afterAll(async () => {
  await world.close();
  await rm(folder, { recursive: true, force: true });
});

/** As a reader copies it from the page. */
function snippet(id: string): string {
  const escaped = new RegExp(`data-snippet="${id}"><code>([^<]*)</code>`).exec(page)?.[1];
  if (escaped === undefined) throw new Error(`the page has no snippet ${id}`);
  return escaped.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

async function stored(): Promise<{ type: string; user: string }[]> {
  await world.deps.ingest?.flush.whenStored(world.deps.ingest.log.syncedEnd);
  const { body } = await world.ask("GET", "/v1/records?node=organization:acme", {
    key: environment.TIDEMARK_KEY,
  });
  return body.records;
}

test("the curl line on the page is taken, and counted once when it is run again", async () => {
  const script = snippet("curl");
  const first = JSON.parse((await run("bash", ["-c", script], { env: environment })).stdout);
  expect(first).toMatchObject({ accepted: 1, duplicates: 0, rejected: [] });
  const again = JSON.parse((await run("bash", ["-c", script], { env: environment })).stdout);
  expect(again).toMatchObject({ accepted: 0, duplicates: 1, rejected: [] });
});

test("the Python program on the page sends its events", async () => {
  const before = (await stored()).length;
  const { stdout } = await run("python3", ["-c", snippet("python")], { env: environment });
  expect(stdout).toBe("2 accepted, 0 known already\n");
  expect((await stored()).length).toBe(before + 2);
});

test("the program with the emitter on the page sends its events before it ends by itself", async () => {
  const emitter = fileURLToPath(new URL("../../server/emitter/emitter.ts", import.meta.url));
  const program = join(folder, "program.mts");
  await writeFile(program, snippet("typescript").replace("./emitter.ts", pathToFileURL(emitter).href));
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  await run(process.execPath, ["--import", tsx, program], { env: environment, timeout: 20_000 });
  const types = (await stored()).map(({ type }) => type);
  for (const type of ["participant.joined", "participant.left"]) expect(types).toContain(type);
});

test("the Go program on the page is indented by tabs and names only packages of the standard library that it uses", () => {
  const code = snippet("go");
  expect(code).not.toMatch(/^ +\S/m);
  expect(code).not.toMatch(/[ \t]+$/m);
  const imports = [...code.matchAll(/^\t(?:(\w+) )?"([a-z/]+)"$/gm)];
  expect(imports.length).toBeGreaterThan(10);
  for (const [, alias, path = ""] of imports) {
    const name = alias ?? path.slice(path.lastIndexOf("/") + 1);
    expect(code, path).toMatch(new RegExp(`\\b${name}\\.[A-Z]`));
  }
});
