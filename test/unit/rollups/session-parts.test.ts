import fc from "fast-check";
import { expect, test } from "vitest";
import { type Edge, edgeSteps } from "../../../server/rollups/resolve-session.ts";
import { sessionParts, splitEdges } from "../../../server/rollups/session-parts.ts";
import { stepped } from "../../support/resolve-session.ts";

const edge = (atMs: number, delta: number, starts = Math.max(0, delta), level = "participants"): Edge => ({
  level,
  atMs,
  delta,
  starts,
});

test("an interval that runs at a bound ends there and goes on there, without a start", () => {
  expect(splitEdges([edge(10, 2), edge(50, -2)], [30])).toEqual([
    [edge(10, 2), edge(30, -2, 0)],
    [edge(30, 2, 0), edge(50, -2)],
  ]);
});

test("an interval that ends at a bound is not beyond it, one that starts at it is not before it", () => {
  expect(splitEdges([edge(10, 1), edge(30, 0, 1), edge(50, -1)], [30])).toEqual([
    [edge(10, 1), edge(30, -1, 0)],
    [edge(30, 1, 1), edge(50, -1)],
  ]);
  expect(splitEdges([edge(10, 1), edge(30, -1)], [30])).toEqual([[edge(10, 1), edge(30, -1, 0)], []]);
});

test("every list is the levels within its bounds, and together they are the whole", () => {
  const span = fc.record({
    level: fc.constantFrom("participants", "recordings"),
    startMs: fc.integer({ min: 0, max: 20 }),
    endMs: fc.option(fc.integer({ min: 0, max: 12 }), { nil: undefined }),
  });
  const bounds = fc.uniqueArray(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.array(span, { maxLength: 6 }), bounds, (drawn, drawnBounds) => {
      const spans = drawn.map((one) => ({
        ...one,
        endMs: one.endMs === undefined ? undefined : one.startMs + one.endMs,
      }));
      const edges = stepped(edgeSteps(spans));
      const ordered = [...drawnBounds].sort((a, b) => a - b);
      const lists = splitEdges(edges, ordered);
      const levelAt = (of: readonly Edge[], level: string, atMs: number) =>
        of.reduce((sum, one) => (one.level === level && one.atMs <= atMs ? sum + one.delta : sum), 0);
      const startsOf = (of: readonly Edge[], level: string) =>
        of.filter((one) => one.level === level).reduce((sum, one) => sum + one.starts, 0);
      for (const level of ["participants", "recordings", "sessions"]) {
        for (let atMs = 0; atMs < 40; atMs++) {
          const place = ordered.filter((bound) => bound <= atMs).length;
          lists.forEach((list, index) => {
            expect(levelAt(list, level, atMs)).toBe(index === place ? levelAt(edges, level, atMs) : 0);
          });
        }
        expect(lists.reduce((sum, list) => sum + startsOf(list, level), 0)).toBe(startsOf(edges, level));
      }
      for (const list of lists) {
        const keys = list.map((one) => `${one.level} ${one.atMs}`);
        expect(keys).toHaveLength(new Set(keys).size);
        const times = (level: string) => list.filter((one) => one.level === level).map((one) => one.atMs);
        for (const level of ["participants", "recordings", "sessions"])
          expect(times(level)).toEqual([...times(level)].sort((a, b) => a - b));
      }
    }),
  );
});

test("a session that nothing of is left beyond a move is not in parts", () => {
  const resolved = { spans: [], edges: [edge(10, 1), edge(30, -1)], orphans: 0, invertedAt: [] };
  const placements = [
    { sinceMs: 0, partner: "p1", reseller: "" },
    { sinceMs: 30, partner: "p2", reseller: "" },
  ];
  expect(sessionParts(resolved, placements, { partner: "", reseller: "" })).toMatchObject([
    { part: 0, parts: 0, partner: "p1", edges: resolved.edges },
  ]);
  const [whole, ...parts] = sessionParts({ ...resolved, edges: [edge(10, 1), edge(31, -1)] }, placements, {
    partner: "",
    reseller: "",
  });
  expect(whole).toMatchObject({ part: 0, parts: 2, partner: "", edges: [], peak: { value: 1, atMs: 10 } });
  expect(parts.map(({ part, partner, sinceMs, peak }) => [part, partner, sinceMs, peak.atMs])).toEqual([
    [1, "p1", 0, 10],
    [2, "p2", 30, 30],
  ]);
});
