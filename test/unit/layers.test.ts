import { expect, test } from "vitest";
import { importedBy, type SourceFile, sourcesIn } from "../support/source-files.ts";

/**
 * The layers of the server from the lowest to the highest. A layer imports itself and those that stand before it, types too, so
 * that each can be read, and tested, knowing nothing of what comes after it. A layer is a folder, of `ingest` a folder within it,
 * or a file at the top.
 */
const layers = [
  // What all others speak in.
  "contract",
  "problem",
  "address-ranges",
  "numbers",
  "json",
  "fairness",
  // The stores, and what is known of events before any comes.
  "clickhouse",
  "postgres",
  "redis",
  "mail",
  "catalog",
  // Who there is, what they may do, and what they pay.
  "metrics",
  "audit",
  "tree",
  "identity",
  "billing",
  // The way of an event.
  "ingest/log",
  "ingest/accept",
  "rollups",
  "ingest/flush",
  "corrections",
  "quarantine",
  // What is asked, shown and sent.
  "meters",
  "overview",
  "lists",
  "delivery",
  "alerts",
  "reports",
  // What keeps a process and a cluster running.
  "config",
  "process",
  "health",
  "telemetry",
  "live",
  "cluster",
  // What serves, starts and wires.
  "http",
  "jobs",
  "embedded",
  "wiring",
  // What a shell starts.
  "emitter",
  "programs",
  "demo",
  "main",
];

function layerOf(path: string): string {
  const [, first = "", second = ""] = /^server\/([^/]+)(?:\/([^/]+))?/.exec(path) ?? [];
  if (first === "ingest") return `${first}/${second}`;
  return first.replace(/\.ts$/, "");
}

const server = sourcesIn("server");

test("every layer of the server has its place in the order", () => {
  expect([...new Set(server.map(({ path }) => layerOf(path)))].sort()).toEqual([...layers].sort());
});

test("no layer imports one that stands above it", () => {
  const upward = server.flatMap((file) =>
    importedBy(file)
      .filter(
        (target) => target.endsWith(".ts") && layers.indexOf(layerOf(target)) > layers.indexOf(layerOf(file.path)),
      )
      .map((target) => `${file.path} -> ${target}`),
  );
  expect(upward).toEqual([]);
});

/** One way round over other files that leads back to where it began; undefined where there is none. */
function cycleOf(files: readonly SourceFile[]): string[] | undefined {
  const targets = new Map(files.map((file) => [file.path, importedBy(file).filter((target) => target !== file.path)]));
  const state = new Map<string, "open" | "done">();
  const visit = (path: string, way: readonly string[]): string[] | undefined => {
    if (state.get(path) === "done") return undefined;
    if (state.get(path) === "open") return [...way.slice(way.indexOf(path)), path];
    state.set(path, "open");
    for (const next of targets.get(path) ?? []) {
      const found = visit(next, [...way, path]);
      if (found) return found;
    }
    state.set(path, "done");
    return undefined;
  };
  for (const path of targets.keys()) {
    const found = visit(path, []);
    if (found) return found;
  }
  return undefined;
}

test("no file of the server, the dashboard or the tests imports itself over others, by types neither", () => {
  expect(cycleOf(server)).toBeUndefined();
  expect(cycleOf(sourcesIn("web/src"))).toBeUndefined();
  expect(cycleOf(sourcesIn("test"))).toBeUndefined();
});

test("a cycle is found, whichever file it is looked for from", () => {
  const file = (path: string, ...imports: string[]): SourceFile => ({ path, imports, text: "" });
  const [a, b, c] = [file("a.ts", "./b.ts"), file("b.ts", "./c.ts"), file("c.ts", "./b.ts")];
  expect(cycleOf([a, b, c])).toEqual(["b.ts", "c.ts", "b.ts"]);
  expect(cycleOf([a, b, file("c.ts")])).toBeUndefined();
});
