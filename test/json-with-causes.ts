/** The JSON report of the tests, in which each error names the causes behind it. */
import type { TestError } from "vitest";
import { JsonReporter, type TestModule } from "vitest/node";

function withCauses(error: TestError): string {
  const said = [error.stack || error.message];
  for (let cause = error.cause as TestError | undefined; cause && said.length < 5; cause = cause.cause as TestError)
    said.push(`Caused by: ${cause.stack || cause.message || String(cause)}`);
  return said.join("\n");
}

function printCauses(errors: readonly TestError[] | undefined): void {
  for (const error of errors ?? []) if (error.cause) error.stack = withCauses(error);
}

export default class JsonWithCauses extends JsonReporter {
  override async onTestRunEnd(modules: readonly TestModule[]): Promise<void> {
    for (const module of modules) {
      for (const error of module.errors()) if (error.cause) error.message = withCauses(error);
      for (const test of module.children.allTests()) printCauses(test.result().errors);
      for (const suite of module.children.allSuites()) printCauses(suite.errors());
    }
    await super.onTestRunEnd(modules as never);
  }
}
