import { expect, test } from "vitest";
import { minuteMs } from "../../../server/contract/durations.ts";
import { RunningEdges } from "../../../server/rollups/running-edges.ts";

test("changes in more minutes than a call may have arguments are taken as any others", () => {
  const edges = new RunningEdges();
  const many = 150_000;
  for (let place = 0; place < many; place++) {
    const startMs = place * minuteMs;
    edges.addSpan({ level: "participants", startMs, endMs: startMs + 1_000 }, 1);
  }
  expect(edges.takeChanges()).toHaveLength(2 * many);
  expect(edges.peak()).toEqual({ value: 1, atMs: 0 });
});
