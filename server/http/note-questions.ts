/**
 * Says that a caller asks: from then on, for some seconds, events are stored as soon as they can be. Who asks first waits for what
 * has gathered meanwhile. Sending events asks nothing, and nor does a stranger, who could keep the service at it for nothing.
 */
import { createMiddleware } from "hono/factory";
import type { HttpEnv } from "./http-env.ts";

const sendingPath = /^\/v1\/(?:events|quarantine\/.*replay)$/;

export function noteQuestions(asked: () => Promise<void>) {
  return createMiddleware<HttpEnv>(async (c, next) => {
    const isSending = c.req.method === "POST" && sendingPath.test(c.req.path);
    // Who cannot be identified is refused by the route, which says why.
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
