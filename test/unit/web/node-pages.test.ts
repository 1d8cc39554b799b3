/** Where the pages of nodes are, and what each kind of node has there. */
import { expect, test } from "vitest";
import { nodeOfPath, pageOf, tabsOf } from "../../../web/src/words/nodes.ts";

const partsOf = (path: string): [organization: string, node: string] => {
  const [, list, part = ""] = path.split("/").map(decodeURIComponent);
  return list === "organizations" ? [part, ""] : ["", part];
};

test("the page of a node leads back to that node, whatever characters its id has", () => {
  for (const node of [
    "all",
    "partner:p1",
    "reseller:r1",
    "organization:acme",
    "agent:acme/a1",
    "organization:a%2Fb",
    "agent:a%2Fb/c%25d",
    "reseller:a:b",
    "partner:ä ö?#&=+",
    "agent:x:y/z:1",
  ])
    expect([node, nodeOfPath(...partsOf(pageOf(node)))]).toEqual([node, node]);
  expect(pageOf("reseller:r1")).toBe("/tree/reseller:r1");
  expect(pageOf("organization:acme")).toBe("/organizations/acme");
});

test("a path that names no node has no page", () => {
  for (const text of ["", "acme", "person:u1", "reseller:", "agent:acme", "agent:/a1"])
    expect([text, nodeOfPath("", text)]).toEqual([text, undefined]);
});

test("each kind of node has the tabs of an organization that apply to it, and customers where it has some", () => {
  const ids = (kind: Parameters<typeof tabsOf>[0]) => tabsOf(kind).map(({ id }) => id);
  const shared = ["overview", "people", "sessions", "features", "documents"];
  const organization = [...shared, "subscription", "statements", "alerts", "reports"];
  expect(ids("organization")).toEqual(organization);
  expect(ids("agent")).toEqual([...shared, "alerts", "reports"]);
  for (const kind of ["all", "partner", "reseller"] as const)
    expect(ids(kind)).toEqual(["overview", "customers", ...organization.slice(1)]);
});
