import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";
import { root, type SourceFile, sourcesIn } from "../support/source-files.ts";

const server = sourcesIn("server");
const web = sourcesIn("web/src");
const importersOf = (files: readonly SourceFile[], name: string) =>
  files
    .filter((file) => file.imports.some((one) => one === name || one.startsWith(`${name}/`)))
    .map((file) => file.path);
const inFolders = (...folders: string[]) =>
  server.filter((file) => folders.some((folder) => file.path.startsWith(`server/${folder}/`)));

test("the top level holds these folders and files, and nothing else", () => {
  const allowed = [
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Dockerfile",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "biome.json",
    "clickhouse",
    "docker-compose.yml",
    "knip.json",
    "package-lock.json",
    "package.json",
    "server",
    "test",
    "tsconfig.json",
    "web",
  ];
  const made = ["dist", "node_modules", "coverage"];
  const found = readdirSync(root).filter((name) => !name.startsWith(".") && !made.includes(name));
  expect(found.sort()).toEqual(allowed);
});

test("the contract imports zod and itself only", () => {
  for (const { path, imports } of inFolders("contract"))
    expect(
      imports.filter((one) => one !== "zod" && !one.startsWith("./")),
      path,
    ).toEqual([]);
});

test("only server/clickhouse imports the ClickHouse client", () => {
  expect(importersOf(server, "@clickhouse/client")).toEqual(["server/clickhouse/client.ts"]);
});

test("only the settings read the environment; programs hand it over whole", () => {
  const readers = server.filter((file) => /process\.env\b/.test(file.text)).map((file) => file.path);
  const programs = ["server/main.ts", ...readers.filter((path) => /^server\/(?:demo|programs)\//.test(path))];
  expect(readers.filter((path) => path !== "server/config.ts" && !programs.includes(path))).toEqual([]);
});

test("bodies of requests are read in one place, and as they come by the ingest alone", () => {
  const reads = /\breq\.(?:json|text|arrayBuffer|bytes|blob|formData|parseBody)\(|\breq\.raw\.body\b|\bincoming \?\?/;
  const found = inFolders("http").filter(({ text }) => reads.test(text));
  expect(found.map(({ path }) => path).sort()).toEqual(["server/http/read-body.ts", "server/http/routes/events.ts"]);
});

const isOfDemo = (path: string, imported: string) => join(dirname(path), imported).startsWith("server/demo/");

test("the demo knows the service by its contract and the client of its programs only, and no program knows the demo", () => {
  for (const { path, imports } of inFolders("programs"))
    expect(
      imports.filter((one) => one.startsWith("../demo/")),
      path,
    ).toEqual([]);
  for (const { path, imports } of inFolders("demo"))
    expect(
      imports.filter(
        (one) =>
          one.startsWith("../") && !/^(?:\.\.\/)+(?:contract|emitter|programs)\//.test(one) && !isOfDemo(path, one),
      ),
      path,
    ).toEqual([]);
});

test("the emitter is a package that needs nothing but Node, so that users can install it anywhere", () => {
  for (const { path, imports } of inFolders("emitter"))
    expect(
      imports.filter((one) => !one.startsWith("node:") && !one.startsWith("./")),
      path,
    ).toEqual([]);
});

test("one module of the dashboard opens the socket, one fetches, one draws charts", () => {
  expect(importersOf(web, "socket.io-client")).toEqual(["web/src/live/socket.ts"]);
  expect(importersOf(web, "chart.js")).toEqual(["web/src/charts/canvas-chart.ts"]);
  expect(web.filter((file) => /\bfetch\(/.test(file.text)).map((file) => file.path)).toEqual([
    "web/src/api/request.ts",
  ]);
});

test("the dashboard loads nothing that reads schemas: of the contract it takes types, and values of modules without zod", () => {
  const values = [
    ...new Set(web.flatMap(({ text }) => [...text.matchAll(/^import (?!type )[^;]*?from "@contract\/([^"]+)"/gm)])),
  ];
  expect(values.length).toBeGreaterThan(0);
  const taken = new Set(values.map(([, module]) => `server/contract/${module}`));
  expect(
    server.filter(({ path, imports }) => taken.has(path) && imports.includes("zod")).map(({ path }) => path),
  ).toEqual([]);
});

test("every query file is loaded by exactly one definition, and says what it is for", () => {
  const defined = server.flatMap((file) => [
    ...[...file.text.matchAll(/define(?:Query|ColumnsQuery|Statement|Insert)\(\s*"([a-z0-9_]+)"/g)].map(
      (match) => match[1] as string,
    ),
    ...[...file.text.matchAll(/readSql\("queries\/([a-z0-9_]+)\.sql"\)/g)].map((match) => match[1] as string),
  ]);
  const files = readdirSync(join(root, "clickhouse/queries")).map((name) => name.replace(/\.sql$/, ""));
  expect(defined.sort()).toEqual(files.sort());
  for (const name of files)
    expect(readFileSync(join(root, "clickhouse/queries", `${name}.sql`), "utf8"), name).toMatch(/^-- /);
});

test("every link of the documents leads to a file that is there", () => {
  const documents = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "server/README.md",
    "server/operations.md",
    "test/README.md",
    "web/README.md",
  ];
  const broken = documents.flatMap((path) =>
    [...readFileSync(join(root, path), "utf8").matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
      .map((match) => match[1] as string)
      .filter((target) => !existsSync(join(root, dirname(path), target)))
      .map((target) => `${path}: ${target}`),
  );
  expect(broken).toEqual([]);
});

test("the paths of an event, a question and a sign-in are read in ten files at most, each of which is there", () => {
  const readme = readFileSync(join(root, "server/README.md"), "utf8");
  for (const name of ["event", "question", "sign-in"]) {
    const section = readme.split(`## The path of one ${name}\n`)[1]?.split("\n## ")[0] ?? "";
    const steps = [...section.matchAll(/^\d+\. \[([^\]]+)\]\(([^)]+)\): /gm)];
    expect(steps.length, name).toBeGreaterThan(5);
    expect(steps.length, name).toBeLessThanOrEqual(10);
    for (const [, shown, target] of steps) {
      expect(shown).toBe(target);
      expect(existsSync(join(root, "server", target as string)), target).toBe(true);
    }
  }
});

const maxFileLines = 400;
const maxFunctionLines = 80;

test(`no file of the server, the dashboard or the tests has more than ${maxFileLines} lines`, () => {
  const long = [...server, ...web, ...sourcesIn("test")].filter(
    ({ text }) => text.split("\n").length - 1 > maxFileLines,
  );
  expect(long.map(({ path }) => path)).toEqual([]);
});

/** What a component's scripts say, or a module. */
const scriptsOf = ({ path, text }: SourceFile): string =>
  path.endsWith(".svelte")
    ? [...text.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map(([, one]) => one).join("")
    : text;

test(`no function of the server or the dashboard has more than ${maxFunctionLines} lines`, () => {
  const long = new Set<string>();
  for (const file of [...server, ...web]) {
    const source = ts.createSourceFile(file.path, scriptsOf(file), ts.ScriptTarget.ESNext, true);
    const lineOf = (at: number) => source.getLineAndCharacterOfPosition(at).line;
    const visit = (node: ts.Node, outer: string): void => {
      const isFunction = ts.isFunctionLike(node) && "body" in node;
      const name = isFunction && node.name ? node.name.getText() : outer;
      if (isFunction && lineOf(node.end) - lineOf(node.getStart()) + 1 > maxFunctionLines)
        long.add(`${file.path} ${name}`);
      ts.forEachChild(node, (child) => visit(child, name));
    };
    visit(source, "");
  }
  expect([...long]).toEqual([]);
});
