import { fileURLToPath } from "node:url";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";
import JsonWithCauses from "./json-with-causes.ts";
import { LongestFirst } from "./longest-first.ts";
import { patienceMs, testPatienceMs } from "./support/patience.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const alias = { "@contract": fileURLToPath(new URL("../server/contract", import.meta.url)) };

/** One second, as it is by default, is less than a busy machine takes for anything. */
const expectStates = { poll: { timeout: patienceMs } };

/** Several whole services whose leases are of seconds: each has the machine to itself. */
const cluster = [
  "test/integration/cluster.test.ts",
  "test/integration/mixed-ingest.test.ts",
  "test/integration/rolling-restart.test.ts",
];

/**
 * Unit tests need nothing; the others share one ClickHouse, one Postgres and one Redis, and own a database in each.
 * Files of a worker share their modules: loading the server anew for each file costs seconds. Their time-outs are there to end what hangs: none of them says how fast anything has to be.
 */
/** Where an error was planted, that a property fails is all that is asked. */
const setupFiles = process.env.PLANTED_ERROR === undefined ? [] : ["test/planted/end-on-failure.ts"];

export default defineConfig({
  root,
  test: {
    reporters: ["default", new JsonWithCauses({})],
    outputFile: { json: "dist/test-results.json" },
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        root,
        plugins: [svelte()],
        resolve: { alias },
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          isolate: false,
          setupFiles,
          expect: expectStates,
          testTimeout: testPatienceMs,
          maxWorkers: 2,
        },
      },
      {
        root,
        resolve: { alias },
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          exclude: cluster,
          isolate: false,
          setupFiles,
          globalSetup: ["test/support/shared-stores.ts"],
          expect: expectStates,
          testTimeout: testPatienceMs,
          hookTimeout: testPatienceMs,
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
      {
        root,
        resolve: { alias },
        test: {
          name: "cluster",
          include: cluster,
          fileParallelism: false,
          globalSetup: ["test/support/shared-stores.ts"],
          expect: expectStates,
          testTimeout: testPatienceMs,
          hookTimeout: testPatienceMs,
          sequence: { groupOrder: 3 },
        },
      },
      {
        root,
        resolve: { alias },
        test: {
          name: "system",
          include: ["test/e2e/**/*.test.ts"],
          // A browser on a busy machine may miss a moment; `.ci/run` tells which tests passed only at the second try. No other
          // kind is tried again: what they see once in many runs may be a lost event.
          retry: 1,
          expect: expectStates,
          testTimeout: testPatienceMs,
          hookTimeout: testPatienceMs,
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
      {
        root,
        resolve: { alias },
        test: {
          name: "chaos",
          include: ["test/chaos/**/*.test.ts"],
          expect: expectStates,
          testTimeout: testPatienceMs,
          hookTimeout: testPatienceMs,
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
