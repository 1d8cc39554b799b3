/** What the audit keeps of a snapshot, however large it is. */
import { hash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { boundedSnapshot, maxSnapshotCharacters, withoutDigests } from "../../../server/audit/bounded-snapshot.ts";
import { canonicalJson, type Json } from "../../../server/audit/canonical-json.ts";

test("a snapshot that is not large is kept whole", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), (value) => {
      const snapshot = value as Json;
      fc.pre(canonicalJson(snapshot).length <= maxSnapshotCharacters);
      expect(boundedSnapshot(snapshot)).toEqual(snapshot);
    }),
    { seed: 20_261_130 },
  );
});

test("of a large one small members stay, lists keep their first items, and a hash stands for what is left out", () => {
  const fields = { note: "x".repeat(50_000) };
  const nodes = Array.from({ length: 10_000 }, (_, n) => `organization:${n}`);
  const kept = boundedSnapshot({ status: "trial", fields, nodes }) as Record<string, Json>;
  const digest = `sha256:${hash("sha256", canonicalJson(fields), "hex")} of ${canonicalJson(fields).length} characters`;
  expect(kept).toMatchObject({ status: "trial", fields: digest });
  const listed = kept.nodes as string[];
  expect(listed.slice(0, -1)).toEqual(nodes.slice(0, listed.length - 1));
  expect(listed.at(-1)).toMatch(/^sha256:[0-9a-f]{64} of \d+ characters$/);
  expect(withoutDigests(kept)).toMatchObject({ fields: `sha256:… of ${canonicalJson(fields).length} characters` });
  expect(JSON.stringify(withoutDigests(kept))).not.toMatch(/[0-9a-f]{64}/);
});

test("no snapshot is kept beyond the bound, whatever makes it large, nor takes more time than its size does", () => {
  // Time that grew with the square of the members would be hours.
  const many = Object.fromEntries(Array.from({ length: 30_000 }, (_, n) => [`member-${n}`, n]));
  const long = "é".repeat(100_000);
  for (const snapshot of [many, long, [long, long], Array(50_000).fill("x"), { a: [long], b: many, c: long }] as Json[])
    expect(canonicalJson(boundedSnapshot(snapshot)).length).toBeLessThanOrEqual(maxSnapshotCharacters + 100);
});
