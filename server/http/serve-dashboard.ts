/** The files of the built dashboard, and its one page at every path that is nothing else's. */
import { existsSync } from "node:fs";
import { serveStatic } from "@hono/node-server/serve-static";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { HttpEnv } from "./http-env.ts";

/**
 * Mount it last. The build wrote each file packed beside itself, which is what goes out; a name in `assets/` stands for its
 * content for ever, all other names are asked for anew each time, so that a new release is seen at the next load.
 */
export function serveDashboard(app: OpenAPIHono<HttpEnv>, folder: string): void {
  if (!existsSync(folder)) return;
  const files = { root: folder, precompressed: true };
  const file = serveStatic(files);
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
