/** The files of the built dashboard, and its one page at every path that is nothing else's. */
import { existsSync } from "node:fs";
import { serveStatic } from "@hono/node-server/serve-static";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import type { EmbedTokens } from "../reports/embed-tokens.ts";
import { contentSecurityPolicy } from "./app-pieces.ts";
import type { HttpEnv } from "./http-env.ts";

/**
 * Mount it last. The build wrote each file packed beside itself, which is what goes out; a name in `assets/` stands for its
 * content for ever, all other names are asked for anew each time, so that a new release is seen at the next load.
 */
export function serveDashboard(
  app: OpenAPIHono<HttpEnv>,
  folder: string,
  embedTokens: Pick<EmbedTokens, "readOrigins">,
): void {
  if (!existsSync(folder)) return;
  const files = { root: folder, precompressed: true };
  const file = serveStatic(files);
  serveSharedPages(app, serveStatic({ ...files, path: "shared.html" }), embedTokens);
  const onePage = serveStatic({ ...files, path: "index.html" });
  const nothing = async () => {};
  app.use("/assets/*", async (c) => {
    const found = await file(c, nothing);
    found?.headers.set("cache-control", "public, max-age=31536000, immutable");
    return found ?? c.notFound();
  });
  app.use("*", async (c, next) => {
    const isPage = c.req.header("accept")?.includes("text/html") && !c.req.path.startsWith("/v1/");
    // The dashboard's own paths are all its one page; the router in it reads the path.
    const found = (await file(c, nothing)) ?? (isPage ? await onePage(c, nothing) : undefined);
    if (!found) return next();
    found.headers.set("cache-control", "no-cache");
    return found;
  });
}

/**
 * The page of shared dashboards, the same whatever token stands behind `#`, which no server sees. At `/embed` pages of the origins
 * that the address names with this installation's mark may frame it; nothing else of this server can be framed.
 */
function serveSharedPages(
  app: OpenAPIHono<HttpEnv>,
  page: MiddlewareHandler<HttpEnv>,
  embedTokens: Pick<EmbedTokens, "readOrigins">,
): void {
  const nothing = async () => {};
  for (const path of ["/shared", "/embed"])
    app.use(path, async (c) => {
      const found = await page(c, nothing);
      if (!found) return c.notFound();
      found.headers.set("cache-control", "no-cache");
      found.headers.set("x-robots-tag", "noindex, nofollow");
      const frame = path === "/embed" ? c.req.query("frame") : undefined;
      const origins = frame === undefined ? [] : await embedTokens.readOrigins(frame);
      if (origins.length > 0) {
        found.headers.set("content-security-policy", contentSecurityPolicy(origins));
        found.headers.delete("x-frame-options");
      }
      return found;
    });
}
