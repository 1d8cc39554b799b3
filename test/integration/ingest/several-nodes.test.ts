/** People who may send events at several nodes, by the cookie of their session. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Role } from "../../../server/contract/accounts.ts";
import type { NodeAddress } from "../../../server/contract/nodes.ts";
import { newId } from "../../../server/identity/actor.ts";
import { userRoles, users } from "../../../server/postgres/schema/accounts.ts";
import { createWorld, type World } from "../../support/isolation-world.ts";

let world: World;
beforeAll(async () => {
  world = await createWorld();
  const { key } = await world.makeKey(["admin", "read"], "all");
  for (const id of ["one", "two", "three"])
    await world.ask("POST", "/v1/nodes", { key, body: { kind: "organization", id, parent: "all" } });
});
afterAll(() => world.close());

test("whoever may send at two organizations sends to both in one request, and to none where they only read", async () => {
  const { postgres, signInSessions } = world.deps;
  const id = newId("usr");
  await postgres.db.insert(users).values({ id, email: "two@example.com" });
  const roles: [NodeAddress, Role][] = [
    ["organization:one", "admin"],
    ["organization:two", "admin"],
    ["organization:three", "viewer"],
  ];
  await postgres.db.insert(userRoles).values(roles.map(([node, role]) => ({ userId: id, node, role })));
  const { token } = await signInSessions.create(id);
  const body = ["one", "two", "three"].map((organization) => ({ id: "e", type: "chat.posted", organization }));
  const sent = await world.ask("POST", "/v1/events", { session: token, headers: { origin: world.url }, body });
  expect([sent.status, sent.body.accepted]).toEqual([202, 2]);
  expect(sent.body.rejected).toMatchObject([{ index: 2, code: "outside_subtree" }]);
});
