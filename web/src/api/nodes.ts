import type { ImportAnswer } from "@contract/nodes.ts";
import type { Problem } from "@contract/problem.ts";
import { api } from "./client.ts";
import { ApiError } from "./request.ts";

/** All lines are taken or none, with `isDryRun` none; what is wrong with lines is in the answer either way. */
export async function importNodes(csv: string, isDryRun: boolean): Promise<ImportAnswer> {
  try {
    return await api.importNodes({ csv, query: { dry_run: isDryRun } });
  } catch (thrown) {
    const answer = thrown instanceof ApiError ? (thrown.problem as (Problem & ImportAnswer) | undefined) : undefined;
    if (answer?.errors) return answer;
    throw thrown;
  }
}
