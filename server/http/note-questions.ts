/** Says that somebody asks: from then on, for some seconds, events are stored as soon as they can be. */
import { createMiddleware } from "hono/factory";
import type { HttpEnv } from "./http-env.ts";

export function noteQuestions(asked: () => void) {
  return createMiddleware<HttpEnv>(async (c, next) => {
    if (c.req.method === "GET") asked();
    await next();
  });
}
