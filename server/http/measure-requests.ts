/** Measures how long each answer took, under the pattern of its route: a path that a caller made up is never a label. */
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { matchedRoutes } from "hono/route";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { HttpEnv } from "./http-env.ts";

/** Mount it before everything else. */
export function measureRequests(telemetry: Pick<Telemetry, "requestAnswered">) {
  return createMiddleware<HttpEnv>(async (c, next) => {
    const startedAtMs = performance.now();
    await next();
    const seconds = (performance.now() - startedAtMs) / 1000;
    telemetry.requestAnswered({ ...answeredRoute(c), status: c.res.status, seconds });
  });
}

/** Middleware is mounted for all methods, and the dashboard's files at `*`. */
function answeredRoute(c: Context<HttpEnv>): { method: string; route: string } {
  const routes = matchedRoutes(c);
  const own = routes.findLast(({ method, path }) => method !== "ALL" && !path.includes("*"));
  if (own) return { method: own.method, route: own.path };
  const isFile = c.res.status < 400 && c.req.method === "GET";
  return isFile ? { method: "GET", route: "dashboard" } : { method: "none", route: "none" };
}
