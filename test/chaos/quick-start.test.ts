import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startService, type TestService } from "../support/service.ts";

const run = promisify(execFile);
const readme = readFileSync(fileURLToPath(new URL("../../README.md", import.meta.url)), "utf8");
const section = readme.slice(readme.indexOf("## Quick start"), readme.indexOf("## Concepts"));
const [send = "", ask = ""] = [...section.matchAll(/^ {4}curl (?:.*\\\n)*.*$/gm)].map(([command]) => command);

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service?.stop());

/** A command as it stands, but for the address of this service. */
async function outputOf(command: string): Promise<string> {
  const here = command.replace("http://localhost:8080", service.url);
  const { stdout } = await run("bash", ["-c", here], {
    env: { PATH: process.env.PATH, TIDEMARK_ROOT_KEY: service.rootKey },
  });
  return stdout;
}

test("the quick start of the README shows what it says: an event counts at once, and once", async () => {
  expect(await outputOf(send)).toContain('"accepted":1');
  expect(await outputOf(ask)).toContain('"total":1');
  expect(await outputOf(send)).toContain('"duplicates":1');
  expect(await outputOf(ask)).toContain('"total":1');
});
