/** Who makes a change and from where, for the audit. */
import type { Context } from "hono";
import type { Author } from "../audit/record-change.ts";
import type { HttpEnv } from "./http-env.ts";

/** Who makes a request; it must be behind `requireScope`. */
export function authorOf(c: Context<HttpEnv>): Author {
  const { kind, id, name } = c.get("actor");
  return { kind, id, name, address: c.get("client")().address ?? null };
}
