/**
 * Says that somebody asks: from then on, for some seconds, events are stored as soon as they can be. Who asks first waits for what
 * has gathered meanwhile.
 */
import { createMiddleware } from "hono/factory";
import type { HttpEnv } from "./http-env.ts";

export function noteQuestions(asked: () => Promise<void>) {
  return createMiddleware<HttpEnv>(async (c, next) => {
    if (c.req.method === "GET") await asked();
    await next();
  });
}
