/** The whole table of rights, once more and by hand: a change of either without the other fails. */
import { describe, expect, test } from "vitest";
import { type Action, actions, type KeyScope, type Role, roles } from "../../../server/contract/accounts.ts";
import type { Actor } from "../../../server/identity/actor.ts";
import { actionsOfKey, actionsOfRole, byDepth, can, canAll, narrowTo } from "../../../server/identity/permissions.ts";

/** Columns: owner, admin, manager, finance, viewer | a key with ingest, read, admin, admin + prices, read + prices, read + admin. */
const table: Record<Action, string> = {
  ingest: "xx... | x.....",
  read: "xxxxx | .x..xx",
  "nodes:write": "xxx.. | ..xx.x",
  "events:correct": "xxx.. | ..xx.x",
  "rules:write": "xxx.. | ..xx.x",
  "reports:write": "xxx.. | ..xx.x",
  "views:share": "xxx.. | .....x",
  "meters:write": "xx... | ..xx.x",
  "keys:write": "xx... | ..xx.x",
  "users:write": "xx... | .....x",
  "audit:read": "xx... | ..xx.x",
  "prices:read": "x..x. | ....x.",
  "plans:write": "x..x. | ...x..",
  "payments:write": "x..x. | ...x..",
  admin: "xx... | ..xx.x",
};
const keys: [KeyScope[], boolean][] = [
  [["ingest"], false],
  [["read"], false],
  [["admin"], false],
  [["admin"], true],
  [["read"], true],
  [["read", "admin"], false],
];

describe.each(actions)("%s", (action) => {
  const [ofRoles = "", ofKeys = ""] = table[action].split(" | ");
  test("is allowed to these roles and no others", () => {
    expect(roles.map((role) => (actionsOfRole(role).has(action) ? "x" : ".")).join("")).toBe(ofRoles);
  });
  test("is allowed to keys with these scopes and no others", () => {
    expect(keys.map(([scopes, prices]) => (actionsOfKey(scopes, prices).has(action) ? "x" : ".")).join("")).toBe(
      ofKeys,
    );
  });
});

/** all > reseller:r > organization:a, organization:b */
const parents: Record<string, string> = {
  "reseller:r": "all",
  "organization:a": "reseller:r",
  "organization:b": "reseller:r",
};
const tree = {
  isWithin(node: string, top: string): boolean {
    for (let current: string | undefined = node; current; current = parents[current]) if (current === top) return true;
    return false;
  },
};

function userWith(...given: [Role, string][]): Actor {
  const grants = byDepth(given.map(([role, node]) => ({ role, node, actions: actionsOfRole(role) })));
  const reach = grants.map(({ node }) => node);
  return { kind: "user", id: "usr_1", name: "u", node: reach[0] ?? "", reach, grants, createOrganizations: false };
}

test("a role holds at its node and everywhere below it, and nowhere else", () => {
  const manager = userWith(["manager", "reseller:r"]);
  for (const node of ["reseller:r", "organization:a", "organization:b"])
    expect(can(manager, "nodes:write", node, tree)).toBe(true);
  expect(can(manager, "nodes:write", "all", tree)).toBe(false);
  expect(can(userWith(["manager", "organization:a"]), "nodes:write", "organization:b", tree)).toBe(false);
});

test("several roles add up, each at its own node: the right at one gives nothing at another", () => {
  const user = userWith(["admin", "organization:a"], ["viewer", "reseller:r"], ["finance", "organization:b"]);
  expect(can(user, "read", "organization:b", tree)).toBe(true);
  expect(can(user, "keys:write", "organization:a", tree)).toBe(true);
  expect(can(user, "keys:write", "organization:b", tree)).toBe(false);
  expect(can(user, "prices:read", "organization:b", tree)).toBe(true);
  expect(can(user, "prices:read", "organization:a", tree)).toBe(false);
  expect(user.node).toBe("reseller:r");
  expect(narrowTo(user, "keys:write")).toMatchObject({ node: "organization:a", reach: ["organization:a"] });
  expect(narrowTo(user, "audit:read")?.reach).toEqual(["organization:a"]);
  expect(narrowTo(userWith(["viewer", "all"]), "keys:write")).toBeUndefined();
});

test("nobody has all rights of a role that they do not outrank", () => {
  const admin = userWith(["admin", "reseller:r"]);
  for (const [role, may] of [
    ["viewer", true],
    ["manager", true],
    ["admin", true],
    ["finance", false],
    ["owner", false],
  ] as const)
    expect(canAll(admin, actionsOfRole(role), "organization:a", tree), role).toBe(may);
  expect(canAll(admin, actionsOfRole("viewer"), "all", tree)).toBe(false);
  const both = userWith(["admin", "reseller:r"], ["finance", "reseller:r"]);
  expect(canAll(both, actionsOfRole("owner"), "reseller:r", tree)).toBe(true);
});
