/** The cookie that keeps a browser signed in. */
import type { Context } from "hono";
import { setCookie } from "hono/cookie";
import { sessionCookie } from "../identity/sign-in-sessions.ts";
import type { HttpEnv } from "./http-env.ts";

/** Browsers keep none longer; when the session ends is decided on the server. */
const cookieLifetimeSeconds = 400 * 24 * 60 * 60;

export function setSessionCookie(c: Context<HttpEnv>, token: string): void {
  setCookie(c, sessionCookie, token, { ...cookieAttributes(c), maxAge: cookieLifetimeSeconds });
}

/** Recognises a browser that signed in before when it signs in again. It gives no right. */
export const deviceCookie = "tidemark_device";

export function setDeviceCookie(c: Context<HttpEnv>, device: string): void {
  setCookie(c, deviceCookie, device, { ...cookieAttributes(c), path: "/v1", maxAge: cookieLifetimeSeconds });
}

/** No script reads such a cookie, no other site's form sends it, and what came over TLS never goes in the clear. */
export function cookieAttributes(c: Context<HttpEnv>) {
  return { path: "/", httpOnly: true, sameSite: "Lax", secure: c.get("client")().isHttps } as const;
}
