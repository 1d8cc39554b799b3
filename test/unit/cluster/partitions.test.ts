import fc from "fast-check";
import { expect, test } from "vitest";
import { partitionCount, preferredOwner } from "../../../server/cluster/partitions.ts";

const partitions = Array.from({ length: partitionCount }, (_, partition) => partition);
const names = fc.uniqueArray(fc.stringMatching(/^[a-z0-9-]{1,12}$/), { minLength: 1, maxLength: 8 });

test("a node that joins or leaves moves nothing but its own share, in whatever order the nodes are known", () => {
  fc.assert(
    fc.property(names, fc.stringMatching(/^[A-Z]{1,8}$/), (others, joining) => {
      for (const partition of partitions) {
        const before = preferredOwner(partition, others);
        const after = preferredOwner(partition, [joining, ...[...others].reverse()]);
        expect([before, joining]).toContain(after);
      }
    }),
    { numRuns: 20 },
  );
});

test("three nodes have about a third each", () => {
  const shares = ["one", "two", "three"].map(
    (name) => partitions.filter((partition) => preferredOwner(partition, ["one", "two", "three"]) === name).length,
  );
  for (const share of shares) expect(share).toBeGreaterThan(partitionCount / 6);
});
