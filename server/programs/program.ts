/** What every emitter-side program does around its work: end with a code, and say in one line what a person did wrong. */
import { UsageError } from "./connection.ts";

/** Exits with 2 and `usage` when called wrongly, with 1 when the work fails or answers false. */
export async function runProgram(usage: string, work: (args: string[]) => Promise<boolean>): Promise<void> {
  try {
    process.exitCode = (await work(process.argv.slice(2))) ? 0 : 1;
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`${error.message}\nUsage: ${usage}`);
      process.exitCode = 2;
    } else {
      console.error(error instanceof Error ? error.message : error);
      process.exitCode = 1;
    }
  }
}
