/** Who makes a change and from where, for the audit. */
import { getConnInfo } from "@hono/node-server/conninfo";
import type { Context } from "hono";
import type { Author } from "../audit/record-change.ts";
import type { HttpEnv } from "./http-env.ts";

/** Of a request behind `requireScope`. */
export function authorOf(c: Context<HttpEnv>): Author {
  const { kind, id, name } = c.get("actor");
  return { kind, id, name, address: addressOf(c) ?? null };
}

/** The peer's address. Forwarded headers are not believed: anyone can write one to get fresh attempts, or to be another. */
export function addressOf(c: Context): string | undefined {
  return getConnInfo(c).remote.address;
}
