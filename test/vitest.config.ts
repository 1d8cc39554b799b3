import { fileURLToPath } from "node:url";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

const root = fileURLToPath(new URL("..", import.meta.url));
const alias = { "@contract": fileURLToPath(new URL("../server/contract", import.meta.url)) };

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
export default defineConfig({
  root,
  test: {
    reporters: ["default", "json"],
    outputFile: { json: "dist/test-results.json" },
    projects: [
      {
        root,
        plugins: [svelte()],
        resolve: { alias },
        test: { name: "unit", include: ["test/unit/**/*.test.ts"], isolate: false, testTimeout: 60_000 },
      },
      {
        root,
        resolve: { alias },
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          exclude: cluster,
          isolate: false,
          globalSetup: ["test/support/shared-stores.ts"],
          testTimeout: 180_000,
          hookTimeout: 180_000,
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
          testTimeout: 180_000,
          hookTimeout: 180_000,
          sequence: { groupOrder: 3 },
        },
      },
      {
        root,
        resolve: { alias },
        test: {
          name: "system",
          include: ["test/e2e/**/*.test.ts", "test/chaos/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
