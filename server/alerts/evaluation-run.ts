/** What one run of the evaluator evaluates by. */
import type { Pace } from "../fairness/pace.ts";
import type { AccountState } from "../overview/account-state.ts";
import type { Overrides } from "./holding-nodes.ts";
import type { RuleRecord } from "./rules.ts";

export interface EvaluationRun {
  state: AccountState;
  /** Those that are switched off take the place of others too. */
  overrides: Overrides;
  pace: Pace;
  batch: number;
  enabled: readonly RuleRecord[];
  watermark: Date;
}
