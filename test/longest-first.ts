/** The order of the test files where no earlier run is known, as in a clean checkout. */
import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Those that take longest, most of it waiting: begun first, they leave no worker alone with one of them at the end. */
const longest = [
  "test/unit/emitter/spool.test.ts",
  "test/unit/http/http-server.test.ts",
  "test/unit/rollups/running-session.test.ts",
  "test/unit/emitter/life.test.ts",
  "test/integration/reconciliation.test.ts",
  "test/integration/rebuild.test.ts",
  "test/integration/isolation/isolation-matrix.test.ts",
  "test/integration/live-levels.test.ts",
  "test/integration/metrics/questions.test.ts",
  "test/integration/abuse/questions.test.ts",
  "test/integration/alerts/contract.test.ts",
  "test/integration/limits-and-trials.test.ts",
  "test/integration/rollups/set-aside.test.ts",
  "test/integration/rollups/split-intervals.test.ts",
  "test/integration/alerts/evaluate.test.ts",
  "test/integration/jobs.test.ts",
  "test/integration/emitters-page.test.ts",
  "test/integration/metrics/exactness.test.ts",
  "test/integration/payments.test.ts",
  "test/integration/metrics/moves.test.ts",
  "test/integration/organizations.test.ts",
  "test/integration/rollups/running-sessions.test.ts",
  "test/integration/alerts/thresholds.test.ts",
  "test/integration/embedded-clickhouse.test.ts",
  "test/integration/node-move.test.ts",
  "test/integration/store-outages.test.ts",
  "test/e2e/overview.test.ts",
  "test/e2e/dashboard.test.ts",
  "test/e2e/controls.test.ts",
  "test/e2e/customers.test.ts",
  "test/e2e/tasks.test.ts",
  "test/chaos/kills.test.ts",
  "test/e2e/reports.test.ts",
  "test/chaos/alerts.test.ts",
  "test/integration/mixed-ingest.test.ts",
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const found = longest.indexOf(relative(this.ctx.config.root, moduleId));
      return found < 0 ? longest.length : found;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}
