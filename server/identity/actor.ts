/** Who makes a request, and their rights: actions, each at a node and all below it. permissions.ts has the rules. */
import { randomUUID } from "node:crypto";
import type { Action, Role } from "../contract/accounts.ts";
import type { NodeAddress } from "../contract/nodes.ts";

/** A role of a user, or all that a key gives. */
export interface Grant {
  node: NodeAddress;
  actions: ReadonlySet<Action>;
  /** Users only. */
  role?: Role;
  /** The node's status, where it takes away actions that the role or the key would give. */
  status?: "suspended" | "cancelled";
}

export interface Actor {
  kind: "user" | "key";
  id: string;
  /** A user's e-mail address, or a key's name. */
  name: string;
  /** The default node of a question: the first of `reach`. */
  node: NodeAddress;
  /** The nodes of the grants that allow what the request does; with all below them the most that it may be about. */
  reach: readonly NodeAddress[];
  /** At least one. */
  grants: readonly Grant[];
  /** Whether events may create the organizations that they name. */
  createOrganizations: boolean;
  /** A user's; keys have none. */
  hasSecondFactor?: boolean;
  hasPassword?: boolean;
  /** When the session began: ms since 1970, UTC. */
  signedInAtMs?: number;
  /** When the key ends, if it does: ms since 1970, UTC. */
  expiresAtMs?: number;
}

/** A new id such as `key_5f…`: 122 random bits, its kind in front. */
export function newId(
  kind:
    | "key"
    | "usr"
    | "plan"
    | "sub"
    | "stm"
    | "view"
    | "lnk"
    | "adj"
    | "pay"
    | "mdl"
    | "psk"
    | "chn"
    | "dlv"
    | "rule"
    | "alr"
    | "ntf"
    | "rpt"
    | "run"
    | "sch"
    | "slt"
    | "ann",
): string {
  return `${kind}_${randomUUID().replaceAll("-", "")}`;
}
