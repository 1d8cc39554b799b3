/** Agents as nodes of the account tree: who they are is known from events alone. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { allPages } from "../support/all-pages.ts";
import { type Billing, createBilling } from "../support/billing.ts";
import { askedAbout, inside } from "../support/isolation-world.ts";

let billing: Billing;
const agents = ["a/1", "a%2", "a1", "a2", "b", "Ωμέγα"];
const addresses = ["a%252", "a%2F1", "a1", "a2", "b", "Ωμέγα"].map((id) => `agent:inside-9f3c/${id}`);
const calls = (organization: string, names: readonly string[]) =>
  names.map((agent) => ({ type: "call.completed", organization, agent, time: "2026-03-05T10:00:00Z", value: "1.5" }));

beforeAll(async () => {
  billing = await createBilling();
  await billing.send(calls("inside-9f3c", [...agents, ...agents]));
});
afterAll(() => billing.world.close());

interface Page {
  nodes: { node: string; kind: string; name: string; parent: string | null }[];
  next_cursor: string | null;
}
const addressesOf = ({ nodes }: Page) => nodes.map(({ node }) => node);
const list = async (query: string, key?: string): Promise<Page> => await billing.get(`/v1/nodes?${query}`, key);

test("the agents of an organization are listed below it, each once and in order, whatever the pages' size", async () => {
  const whole = await list(`parent=${inside}`);
  expect(addressesOf(whole)).toEqual(addresses);
  expect(whole.nodes[1]).toMatchObject({ kind: "agent", name: "a/1", parent: inside });
  expect(addressesOf(await list(`parent=${inside}&kind=agent`))).toEqual(addresses);
  const paged = await allPages<Page, string>((query) => list(query), `parent=${inside}&limit=1`, addressesOf);
  expect(paged).toEqual(addresses);
});

test("they are found by a part of their name, by the status of their organization, and as no other kind", async () => {
  expect(addressesOf(await list(`parent=${inside}&search=ωμέ`))).toEqual([addresses[5]]);
  expect(addressesOf(await list(`parent=${inside}&search=A/`))).toEqual([addresses[1]]);
  expect(addressesOf(await list(`parent=${inside}&status=active`))).toEqual(addresses);
  expect(addressesOf(await list(`parent=${inside}&status=suspended`))).toEqual([]);
  expect(addressesOf(await list(`parent=${inside}&kind=organization`))).toEqual([]);
  expect(addressesOf(await list("kind=organization&limit=1000"))).not.toContain(addresses[0]);
});

test("each listed agent answers as a node, with its own usage", async () => {
  for (const address of addresses) {
    const node = encodeURIComponent(address);
    expect(await billing.get(`/v1/nodes/${node}`)).toMatchObject({ node: address, kind: "agent", parent: inside });
    const asked = `node=${node}&meter=call_minutes&from=2026-03-05&to=2026-03-06&window=total`;
    expect((await billing.get(`/v1/usage?${asked}`)).meters[0].total).toBe("3");
  }
});

test("an organization's own people need not say which, a reseller must, and nobody else sees them", async () => {
  const { world } = billing;
  const { key } = await world.makeKey(["read"], inside);
  expect(addressesOf(await list("kind=agent", key))).toEqual(addresses);
  const above = await world.makeKey(["read"], askedAbout);
  expect(addressesOf(await list(`kind=agent&parent=${inside}`, above.key))).toEqual(addresses);
  const unsaid = await world.ask("GET", "/v1/nodes?kind=agent", { key: above.key });
  expect(unsaid).toMatchObject({ status: 400, body: { field: "parent" } });
  await world.ask("POST", "/v1/nodes", {
    key: billing.key,
    body: { kind: "organization", id: "beside-it", parent: "all" },
  });
  const beside = await world.makeKey(["read"], "organization:beside-it");
  const refused = await world.ask("GET", `/v1/nodes?kind=agent&parent=${inside}`, { key: beside.key });
  expect([refused.status, refused.body.field]).toEqual([403, "parent"]);
  expect(addressesOf(await list("kind=agent", beside.key))).toEqual([]);
});

test("a table of them has every one", async () => {
  const headers = { authorization: `Bearer ${billing.key}`, accept: "text/csv" };
  const answer = await fetch(`${billing.world.url}/v1/nodes?parent=${inside}&limit=2`, { headers });
  const lines = (await answer.text()).trimEnd().split("\r\n").slice(1);
  expect(lines.map((line) => line.split(",")[0])).toEqual(addresses);
});
