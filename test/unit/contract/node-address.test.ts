import fc from "fast-check";
import { expect, test } from "vitest";
import { addressOf, agentAddress, nodeAddress, parseNode } from "../../../server/contract/node-address.ts";
import { nodeAddressSchema } from "../../../server/contract/nodes.ts";
import { isAddressable, isStorableText } from "../../../server/contract/text.ts";

const id = fc
  .string({
    unit: fc.oneof(fc.constantFrom("/", "%", "2", "5", "F", ":", "."), fc.string({ unit: "binary", maxLength: 1 })),
    minLength: 1,
    maxLength: 20,
  })
  .filter((text) => text !== "" && isStorableText(text) && isAddressable(text));

test("every id has an address that leads back to it, and no two share one", () => {
  fc.assert(
    fc.property(
      id,
      id,
      fc.constantFrom("partner" as const, "reseller" as const, "organization" as const),
      (one, other, kind) => {
        const address = nodeAddress(kind, one);
        expect(parseNode(address)).toEqual({ kind, id: one });
        expect(nodeAddressSchema.parse(address)).toBe(address);
        const agent = agentAddress(one, other);
        expect(parseNode(agent)).toMatchObject({ kind: "agent", organization: one, agent: other });
        expect(addressOf(parseNode(agent))).toBe(agent);
        expect(agent.match(/\//g)).toHaveLength(1);
        if (one !== other) expect(nodeAddress(kind, other)).not.toBe(address);
      },
    ),
    { numRuns: 3_000 },
  );
});

test.each([
  ["organization:a/b", "organization:a%2Fb"],
  ["organization:100%", "organization:100%25"],
  ["organization:a%2fb", "organization:a%2Fb"],
  ["agent:acme/x/y", "agent:acme/x%2Fy"],
  ["agent:acme%2Fx/a1", "agent:acme%2Fx/a1"],
])("%s is taken for %s", (given, address) => {
  expect(nodeAddressSchema.parse(given)).toBe(address);
});

test.each([
  "",
  "acme",
  "organization:",
  "organization:.",
  "organization:..",
  "agent:acme",
  "agent:acme/",
  "agent:/a",
  "agent:acme/..",
  "user:x",
  "organization:a\0b",
  "organization:\ud800",
  `organization:${"x".repeat(257)}`,
])("%j is no address", (given) => {
  expect(nodeAddressSchema.safeParse(given).success).toBe(false);
});
