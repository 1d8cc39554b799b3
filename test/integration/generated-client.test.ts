import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createWorld, type World } from "../support/isolation-world.ts";

const run = promisify(execFile);
/** In a folder of its own: the generator wants another TypeScript than this project has. */
const packages = ["openapi-typescript@7.13.0", "openapi-fetch@0.17.0", "typescript@5.9.3"];

let world: World;
let folder: string;
beforeAll(async () => {
  world = await createWorld();
  folder = await mkdtemp(join(tmpdir(), "tidemark-client-"));
  await writeFile(join(folder, "package.json"), JSON.stringify({ type: "module", private: true }));
  await run("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", ...packages], {
    cwd: folder,
  });
});
afterAll(async () => {
  await world.close();
  await rm(folder, { recursive: true, force: true });
});

/** As somebody writes it who has nothing but the generated types. */
const program = `import createClient from "openapi-fetch";
import type { components, operations, paths } from "./api.js";

const client = createClient<paths>({
  baseUrl: process.env.TIDEMARK_URL,
  headers: { authorization: \`Bearer \${process.env.TIDEMARK_KEY}\` },
});
function must<T>({ data, error, response }: { data?: T; error?: unknown; response: Response }): T {
  if (data === undefined) throw new Error(\`\${response.url} answered \${response.status}: \${JSON.stringify(error)}\`);
  return data;
}
const node = "organization:inside-9f3c";
const event: components["schemas"]["UsageEvent"] = {
  id: "generated-1", type: "chat.posted", organization: "inside-9f3c", time: "2026-03-05T09:00:00Z", user: "ada",
};
const verdict = must(await client.POST("/v1/events", { params: { query: { ack: "stored" } }, body: event }));
const asked: operations["getUsage"]["parameters"]["query"] = {
  meter: "chat_posts", node, from: "2026-03-05", to: "2026-03-06", window: "total",
};
const usage = must(await client.GET("/v1/usage", { params: { query: asked } }));
const [figure] = "meters" in usage ? usage.meters : [];
const live = must(await client.GET("/v1/live", { params: { query: { node } } }));
const records = must(await client.GET("/v1/records", { params: { query: { node } } }));
const meters = must(await client.GET("/v1/meters"));
const found = must(await client.GET("/v1/nodes/{node}", { params: { path: { node } } }));
const plan = must(
  await client.POST("/v1/plans", {
    params: { header: { "Idempotency-Key": "generated-plan" } },
    body: { name: "Generated", currency: "EUR", fixed_fee: {}, features: [], offered: false },
  }),
);
const read = await client.GET("/v1/plans/{id}", { params: { path: { id: plan.id } } });
const changed = must(
  await client.PATCH("/v1/plans/{id}", {
    params: { path: { id: must(read).id }, header: { "If-Match": read.response.headers.get("etag") ?? "" } },
    body: { name: "Generated again" },
  }),
);
const refused = await client.GET("/v1/nodes/{node}", { params: { path: { node: "organization:elsewhere-9f3c" } } });
const code: string | undefined = refused.error?.code;
console.log(JSON.stringify([
  verdict.accepted, figure?.total, live.levels.live_participants, records.records.length, meters.meters.length > 20,
  found.id, plan.name, changed.name, code,
]));
`;

test("a client that is generated from the API's document compiles in a strict project, and its ten calls do what they say", async () => {
  const { key } = await world.makeKey(["ingest", "read", "admin"], "reseller:asked-about-9f3c");
  await run("npx", ["openapi-typescript", `${world.url}/openapi.json`, "--output", "api.d.ts"], { cwd: folder });
  await writeFile(join(folder, "program.ts"), program);
  const compilerOptions = {
    strict: true,
    module: "nodenext",
    target: "es2022",
    skipLibCheck: false,
    outDir: "out",
    lib: ["es2023", "dom"],
    types: [],
  };
  const globals = "declare const process: { env: Record<string, string> };\n";
  await writeFile(join(folder, "globals.d.ts"), globals);
  await writeFile(
    join(folder, "tsconfig.json"),
    JSON.stringify({ compilerOptions, files: ["globals.d.ts", "program.ts"] }),
  );
  const compiled = await run("npx", ["tsc", "-p", "."], { cwd: folder }).catch((error: { stdout: string }) => error);
  expect(compiled.stdout).toBe("");
  const env = { PATH: process.env.PATH, TIDEMARK_URL: world.url, TIDEMARK_KEY: key };
  const { stdout } = await run(process.execPath, ["out/program.js"], { cwd: folder, env });
  expect(JSON.parse(stdout)).toEqual([1, 1, 0, 1, true, "inside-9f3c", "Generated", "Generated again", "forbidden"]);
});
