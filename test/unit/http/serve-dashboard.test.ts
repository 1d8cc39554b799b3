import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { pino } from "pino";
import { afterAll, expect, test } from "vitest";
import { applyFoundation, createRouter } from "../../../server/http/app-pieces.ts";
import { serveDashboard } from "../../../server/http/serve-dashboard.ts";

const folder = mkdtempSync(join(tmpdir(), "dashboard-"));
afterAll(() => rmSync(folder, { recursive: true }));
const script = "console.log('tide');".repeat(200);
mkdirSync(join(folder, "assets"));
writeFileSync(join(folder, "index.html"), "<title>Tidemark</title>");
writeFileSync(join(folder, "shared.html"), "<title>Shared</title>");
writeFileSync(join(folder, "assets", "index-a1.js"), script);
writeFileSync(join(folder, "assets", "index-a1.js.br"), brotliCompressSync(script));
writeFileSync(join(folder, "assets", "index-a1.js.gz"), gzipSync(script));
const app = createRouter();
applyFoundation(app, { log: pino({ level: "silent" }) });
const signed = "what-this-installation-signed";
const framing = ["https://portal.example.com", "https://wall.example.com:8443"];
serveDashboard(app, folder, { readOrigins: async (text) => (text === signed ? framing : []) });

const ask = async (path: string, headers: Record<string, string> = {}) => {
  const response = await app.request(path, { headers });
  const { status, headers: sent } = response;
  const bytes = (await response.arrayBuffer()).byteLength;
  return { status, encoding: sent.get("content-encoding"), cache: sent.get("cache-control"), bytes };
};

test("a file named after its content is sent packed as the build packed it, and kept for ever", async () => {
  const cache = "public, max-age=31536000, immutable";
  expect(await ask("/assets/index-a1.js", { "accept-encoding": "gzip, deflate, br" })).toEqual({
    status: 200,
    encoding: "br",
    cache,
    bytes: brotliCompressSync(script).length,
  });
  expect(await ask("/assets/index-a1.js", { "accept-encoding": "gzip" })).toMatchObject({ encoding: "gzip", cache });
  expect(await ask("/assets/index-a1.js")).toMatchObject({ encoding: null, cache, bytes: script.length });
});

test("the page that names those files is asked for anew at every load, whatever the path", async () => {
  for (const path of ["/", "/index.html", "/usage", "/organizations/acme"])
    expect(await ask(path, { accept: "text/html" }), path).toMatchObject({ status: 200, cache: "no-cache" });
});

test("a file of another release is not found, rather than answered with the page", async () => {
  expect((await ask("/assets/index-old.js", { accept: "*/*" })).status).toBe(404);
  expect((await ask("/assets/index-old.js", { accept: "text/html" })).status).toBe(404);
});

test("only the page of embedded dashboards can be framed, and only by the origins that its address was signed for", async () => {
  const policyOf = async (path: string) => {
    const { headers } = await app.request(path, { headers: { accept: "text/html" } });
    return [
      /frame-ancestors ([^;]*)/.exec(headers.get("content-security-policy") ?? "")?.[1],
      headers.get("x-frame-options"),
    ];
  };
  expect(await policyOf(`/embed?frame=${signed}`)).toEqual([framing.join(" "), null]);
  for (const path of [
    "/embed",
    "/embed?frame=made-up",
    "/embed?frame=",
    `/shared?frame=${signed}`,
    `/usage?frame=${signed}`,
  ])
    expect(await policyOf(path), path).toEqual(["'none'", "DENY"]);
});

test("pages of shared dashboards are kept out of search engines and send no referrer", async () => {
  for (const path of ["/shared", "/embed"]) {
    const { status, headers } = await app.request(path, { headers: { accept: "text/html" } });
    const sent = Object.fromEntries(headers);
    expect({ status, ...sent }).toMatchObject({
      status: 200,
      "cache-control": "no-cache",
      "referrer-policy": "no-referrer",
      "x-robots-tag": "noindex, nofollow",
    });
    expect(headers.get("set-cookie")).toBeNull();
  }
});
