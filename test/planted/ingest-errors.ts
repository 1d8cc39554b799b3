/** Errors on the way of a batch from the log into storage. */
import type { PlantedError } from "./project-copy.ts";

export const ingestErrors: readonly PlantedError[] = [
  {
    rule: "what waits is queryable within a second, with the time that settling takes",
    file: "server/ingest/flush/gathering.ts",
    right: "Math.max(queryableWithinMs - settlingMs, settlingMs)",
    wrong: "Math.max(queryableWithinMs, settlingMs)",
    tests: "--project unit test/unit/ingest/flush/gathering.test.ts",
  },
  {
    rule: "a repeat of an event that is still being stored is found",
    file: "server/ingest/flush/flush-loop.ts",
    right: "      // What is being stored cannot be found yet.\n      await this.#storing;\n",
    wrong: "",
    tests: "--project integration test/integration/ingest/flush/flush-loop.test.ts",
  },
  {
    rule: "a batch writes no two rows of one key",
    file: "clickhouse/migrations/0004_intervals.sql",
    right: "SELECT DISTINCT organization, level, interval, session\n",
    wrong: "SELECT organization, level, interval, session\n",
    tests: "--project integration test/integration/ingest/flush/store-batch.test.ts",
  },
];
