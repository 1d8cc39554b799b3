/** What a socket comes with: who it speaks for, from which page, and how often it asks. */
import type { IncomingMessage } from "node:http";
import type { Socket } from "socket.io";
import { z } from "zod";
import { liveLimits } from "../contract/live.ts";

export interface LiveCredentials {
  authorization?: string | undefined;
  cookie?: string | undefined;
}

/** A key comes as `auth.token` or as a bearer header, which browsers cannot send; a session as its cookie. */
export function credentialsOf({ auth, headers }: Pick<Socket["handshake"], "auth" | "headers">): LiveCredentials {
  const { token } = authSchema.parse(auth);
  const { authorization, cookie } = headers;
  return { authorization: token === undefined ? authorization : `Bearer ${token}`, cookie };
}

const authSchema = z.object({ token: z.string().max(512).optional().catch(undefined) }).catch({});

/** A page of another origin could use the cookie of whoever visits it; browsers always say where a socket comes from. */
export function isFromHere({ headers: { origin, host } }: IncomingMessage): boolean {
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === host);
}

/** Why a connection is refused. */
export type Refusal = "unauthenticated" | "forbidden" | "too_many_sockets" | "too_fast";

/** The client reads `data.code`. */
export function refusal(code: Refusal): Error {
  return Object.assign(new Error(code), { data: { code } });
}

/** `atMs`: when it asked within the last second; this time is added where it may. */
export function isTooFast(atMs: number[]): boolean {
  const nowMs = performance.now();
  while (atMs[0] !== undefined && nowMs - atMs[0] > 1_000) atMs.shift();
  if (atMs.length >= liveLimits.maxWatchesPerSecond) return true;
  atMs.push(nowMs);
  return false;
}
