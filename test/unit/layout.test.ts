import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

interface SourceFile {
  path: string;
  imports: string[];
  text: string;
}

function sourcesIn(folder: string): SourceFile[] {
  const files: SourceFile[] = [];
  const walk = (path: string) => {
    if (statSync(path).isDirectory()) for (const name of readdirSync(path)) walk(join(path, name));
    else if (/\.(ts|svelte)$/.test(path)) {
      const text = readFileSync(path, "utf8");
      const imports = [...text.matchAll(/(?:from|import\()\s*["']([^"']+)["']/g)].map((match) => match[1] as string);
      files.push({ path: relative(root, path), imports, text });
    }
  };
  walk(join(root, folder));
  return files;
}

const server = sourcesIn("server");
const web = sourcesIn("web/src");
const importersOf = (files: readonly SourceFile[], name: string) =>
  files
    .filter((file) => file.imports.some((one) => one === name || one.startsWith(`${name}/`)))
    .map((file) => file.path);
const inFolders = (...folders: string[]) =>
  server.filter((file) => folders.some((folder) => file.path.startsWith(`server/${folder}/`)));

test("the top level holds the folders and files that the README names, and nothing else", () => {
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

/** What starts, wires or serves; every other folder is a domain. */
const outside = ["bootstrap", "cluster", "demo", "embedded", "emitter", "http", "jobs", "programs", "wiring"];

test("domain folders never import http, jobs, or what starts and wires", () => {
  const domains = readdirSync(join(root, "server")).filter(
    (name) => statSync(join(root, "server", name)).isDirectory() && !outside.includes(name),
  );
  for (const { path, imports } of inFolders(...domains))
    expect(
      imports.filter((one) => /\/(?:http|jobs|programs|demo)\/|\/(?:app|service|main)\.ts$/.test(one)),
      path,
    ).toEqual([]);
});

test("accept, log and flush know each other in the order of the way of an event only", () => {
  for (const [folder, forbidden] of [
    ["ingest/log", /\/(?:accept|flush)\//],
    ["ingest/accept", /\/flush\//],
  ] as const)
    for (const { path, imports } of inFolders(folder))
      expect(
        imports.filter((one) => forbidden.test(one)),
        path,
      ).toEqual([]);
});

test("bodies of requests are read in one place, and as they come by the ingest alone", () => {
  const reads = /\breq\.(?:json|text|arrayBuffer|bytes|blob|formData|parseBody)\(|\breq\.raw\.body\b|\bincoming \?\?/;
  const found = inFolders("http").filter(({ text }) => reads.test(text));
  expect(found.map(({ path }) => path).sort()).toEqual(["server/http/read-body.ts", "server/http/routes/events.ts"]);
});

test("the demo knows the service by its contract and the client of its programs only, and no program knows the demo", () => {
  for (const { path, imports } of inFolders("programs"))
    expect(
      imports.filter((one) => one.startsWith("../demo/")),
      path,
    ).toEqual([]);
  for (const { path, imports } of inFolders("demo"))
    expect(
      imports.filter((one) => one.startsWith("../") && !/^\.\.\/(?:contract|emitter|programs)\//.test(one)),
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
  expect(importersOf(web, "chart.js")).toEqual(["web/src/charts/chart.ts"]);
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

test("no module of the server imports itself over others", () => {
  const byPath = new Map(server.map((file) => [file.path, file]));
  const valueImports = (file: SourceFile) =>
    [...file.text.matchAll(/^(?:import|export)\s+(?!type\b)[^;]*?from\s+"(\.[^"]+)"/gm)]
      .map((match) => relative(root, resolve(root, dirname(file.path), match[1] as string)))
      .filter((path) => byPath.has(path));
  const state = new Map<string, "open" | "done">();
  const visit = (path: string, way: string[]): void => {
    if (state.get(path) === "done") return;
    if (state.get(path) === "open") throw new Error(`imports run in a circle: ${[...way, path].join(" -> ")}`);
    state.set(path, "open");
    for (const next of valueImports(byPath.get(path) as SourceFile)) visit(next, [...way, path]);
    state.set(path, "done");
  };
  for (const path of byPath.keys()) visit(path, []);
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
