/**
 * Says that a caller asks: from then on, for some seconds, events are stored as soon as they can be. The first to ask waits for
 * what has gathered meanwhile. Sending events does not count as asking, nor does a stranger, who could keep the service busy for
 * nothing.
 */
import { createMiddleware } from "hono/factory";
import type { HttpEnv } from "./http-env.ts";

const sendingPath = /^\/v1\/(?:events|quarantine\/.*replay)$/;

export function noteQuestions(asked: () => Promise<void>) {
  return createMiddleware<HttpEnv>(async (c, next) => {
    const isSending = c.req.method === "POST" && sendingPath.test(c.req.path);
    // The route refuses a caller that cannot be identified, and says why.
    if (
      !isSending &&
      (await c
        .get("identify")()
        .catch(() => undefined))
    )
      await asked();
    await next();
  });
}
