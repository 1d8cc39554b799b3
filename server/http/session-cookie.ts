/** The cookie that keeps a browser signed in. */
import type { Context } from "hono";
import { setCookie } from "hono/cookie";
import { sessionCookie } from "../accounts/sessions.ts";

/** Browsers keep none longer; when the session ends is decided on the server. */
const cookieLifetimeSeconds = 400 * 24 * 60 * 60;

export function setSessionCookie(c: Context, token: string): void {
  setCookie(c, sessionCookie, token, { ...cookieAttributes(c), maxAge: cookieLifetimeSeconds });
}

/** No script reads such a cookie, no other site's form sends it, and what came over TLS never goes in the clear. */
export function cookieAttributes(c: Context) {
  const isHttps = new URL(c.req.url).protocol === "https:" || c.req.header("x-forwarded-proto") === "https";
  return { path: "/", httpOnly: true, sameSite: "Lax", secure: isHttps } as const;
}
