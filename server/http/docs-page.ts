/** The page that shows the API. Everything on it comes from this server. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { Hono } from "hono";
import type { HttpEnv } from "./http-env.ts";

/** Where the build leaves the viewer, and where it is without a build; the same from the sources and the built server. */
const viewerPaths = ["dist/docs/standalone.js", "node_modules/@scalar/api-reference/dist/browser/standalone.js"].map(
  (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url)),
);

/** GET /docs and the two scripts that it loads; it reads /openapi.json. */
export function docsPage(): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  app.get("/docs", (c) => c.html(page));
  app.get("/docs/start.js", (c) => c.body(start, 200, { "content-type": "text/javascript; charset=utf-8" }));
  let viewer: Promise<{ packed: Buffer; etag: string }> | undefined;
  app.get("/docs/viewer.js", async (c) => {
    viewer ??= packFile(viewerPaths.find(existsSync));
    viewer.catch(() => {
      viewer = undefined;
    });
    const { packed, etag } = await viewer;
    c.header("etag", etag);
    c.header("cache-control", "no-cache");
    c.header("vary", "accept-encoding");
    if (c.req.header("if-none-match") === etag) return c.body(null, 304);
    c.header("content-type", "text/javascript; charset=utf-8");
    const takesGzip = /\bgzip\b/.test(c.req.header("accept-encoding") ?? "");
    if (takesGzip) c.header("content-encoding", "gzip");
    return c.body(new Uint8Array(takesGzip ? packed : await promisify(gunzip)(packed)));
  });
  return app;
}

/** Kept packed only: the viewer has 3.6 MB, its packed form 1 MB. */
async function packFile(path: string | undefined): Promise<{ packed: Buffer; etag: string }> {
  if (path === undefined) throw new Error("the API viewer is missing: build the service again with `npm run build`");
  const content = await readFile(path);
  const etag = `"${createHash("sha256").update(content).digest("base64url").slice(0, 22)}"`;
  return { packed: await promisify(gzip)(content), etag };
}

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tidemark API</title>
</head>
<body>
<div id="docs"></div>
<noscript>The API is described in <a href="/openapi.json">/openapi.json</a>; <a href="/docs/guides">guides</a>, <a href="/docs/events">events</a> and <a href="/docs/meters">meters</a> are pages without scripts.</noscript>
<script src="/docs/viewer.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;

/** Everything that the viewer could fetch from elsewhere (fonts, assistants, telemetry) is off. */
const start = `Scalar.createApiReference("#docs", {
  url: "/openapi.json",
  withDefaultFonts: false,
  telemetry: false,
  hideClientButton: true,
  agent: { disabled: true },
  mcp: { disabled: true },
  showDeveloperTools: "never",
});
`;
