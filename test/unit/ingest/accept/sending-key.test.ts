/** For whom somebody may send who may do so at several nodes. */
import { expect, test } from "vitest";
import { posting } from "../../../support/posting.ts";

const world = posting(Date.UTC(2026, 10, 21, 9));
const { event, post } = world;

const person = { id: "usr_1", node: "reseller:r1", createOrganizations: true };

test("who may send at several nodes sends for every organization below any of them, and for no other", async () => {
  world.accepting.tree.organizations.set("lonely", { partner: "", reseller: "" });
  const batch = ["acme", "globex", "lonely"].map((organization) => event({ organization }));
  expect(await post(batch, { sendingKey: { ...person, alsoAt: ["organization:globex"] } })).toMatchObject({
    accepted: 2,
    rejected: [
      { index: 2, code: "outside_subtree", message: expect.stringContaining("reseller:r1 or organization:globex") },
    ],
  });
});

test("what they name that there is not yet is made below the first of their nodes", async () => {
  const sendingKey = { ...person, alsoAt: ["organization:globex"] };
  expect(await post(event({ organization: "newco" }), { sendingKey })).toMatchObject({ accepted: 1 });
  expect(world.accepting.tree.organizations.get("newco")).toEqual({ partner: "", reseller: "r1" });
});

test("for an organization of which they have agents alone they send what these did, for another all of it", async () => {
  const alsoAt = ["agent:globex/a1", "agent:globex/a2", "agent:acme/a9"];
  const of = (organization: string, agents: (string | undefined)[]) =>
    agents.map((agent) => event({ organization, agent }));
  const sent = [...of("globex", ["a1", "a2", "a3", undefined]), ...of("acme", ["a1", undefined])];
  const { accepted, rejected } = await post(sent, { sendingKey: { ...person, alsoAt } });
  expect([accepted, rejected.map(({ index, field }) => [index, field])]).toEqual([
    4,
    [
      [2, "agent"],
      [3, "agent"],
    ],
  ]);
});
