/** Who asks, and what that gives the right to: rights are a node (with all below it) and scopes. */
import { randomUUID } from "node:crypto";
import type { KeyScope } from "../contract/accounts.ts";
import type { NodeAddress } from "../contract/nodes.ts";

export interface Actor {
  kind: "user" | "key";
  id: string;
  /** A user's e-mail address, or a key's name. */
  name: string;
  node: NodeAddress;
  scopes: ReadonlySet<KeyScope>;
  createOrganizations: boolean;
  /** Keys that end: ms since 1970, UTC. */
  expiresAtMs?: number;
}

/** A new id such as `key_5f…`: 122 random bits, its kind in front. */
export function newId(kind: "key" | "usr"): string {
  return `${kind}_${randomUUID().replaceAll("-", "")}`;
}
