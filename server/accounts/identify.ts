/** From what a request or a socket carries to who it is. */
import type { Actor } from "./actor.ts";
import type { Keys } from "./keys.ts";
import { type Sessions, sessionCookie } from "./sessions.ts";

export interface Credentials {
  /** The `Authorization` header. */
  authorization?: string | undefined;
  /** The `Cookie` header. */
  cookie?: string | undefined;
}

/** Undefined when nothing was given or what was given is not (or no longer) valid. Rejects when Postgres cannot be asked. */
export type Identify = (credentials: Credentials) => Promise<Actor | undefined>;

/** A bearer key goes before a cookie: a request that shows a key is never answered with the rights of a browser's session. */
export function createIdentify({ keys, sessions }: { keys: Keys; sessions: Sessions }): Identify {
  return async ({ authorization, cookie }) => {
    if (authorization !== undefined) {
      const key = bearerKey(authorization);
      return key === undefined ? undefined : keys.verify(key);
    }
    const token = sessionToken(cookie);
    return token === undefined ? undefined : sessions.verify(token);
  };
}

export function sessionToken(cookie: string | undefined): string | undefined {
  for (const part of cookie?.split(";") ?? []) {
    const [name, value] = part.trim().split("=", 2);
    if (name === sessionCookie && value) return value;
  }
  return undefined;
}

/** Longer ones are not keys, and hashing them would be work for nothing. */
const maxKeyLength = 512;

function bearerKey(authorization: string): string | undefined {
  const match = /^bearer +(\S+) *$/i.exec(authorization);
  return match?.[1] && match[1].length <= maxKeyLength ? match[1] : undefined;
}
