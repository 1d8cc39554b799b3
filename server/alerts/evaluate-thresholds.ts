/** Evaluates threshold rules that ask for the same figure, at many nodes at once. */
import type { NodeAddress } from "../contract/nodes.ts";
import type { AccountState } from "../overview/account-state.ts";
import type { Postgres } from "../postgres/client.ts";
import { evaluateThreshold } from "./evaluate-threshold.ts";
import type { Evaluation, Finding } from "./finding.ts";
import type { NotifySource } from "./notify.ts";
import { type FigureSource, type NodeFigure, readFigures } from "./read-figures.ts";
import { recordEpisodes } from "./record-evaluation.ts";
import type { RuleRecord } from "./rules.ts";
import type { Watch, Watched } from "./threshold-rounds.ts";

export interface ThresholdSource extends FigureSource, NotifySource {
  postgres: Postgres;
  tree: FigureSource["tree"] & NotifySource["tree"];
}

export const noSuchMeter = { because: "Its meter no longer exists." };

/** By what is known now. `atMs`: the watermark, ms since 1970, UTC. */
export async function evaluateThresholds(
  source: ThresholdSource,
  state: AccountState,
  { asked }: Watch,
  watched: readonly Watched[],
  atMs: number,
): Promise<void> {
  const nodes = watched.map(([node]) => node);
  const figures = await readFigures(source, state, asked, nodes, atMs);
  const byRule = new Map<RuleRecord, { nodes: NodeAddress[]; findings: Finding[] }>();
  for (const [node, rules] of watched)
    for (const rule of rules) {
      const found = byRule.get(rule) ?? { nodes: [], findings: [] };
      byRule.set(rule, found);
      found.nodes.push(node);
      found.findings.push(...findingsOf(rule, node, figures.get(node)));
    }
  const evaluations = [...byRule].map(([rule, found]): { rule: RuleRecord; evaluation: Evaluation } => {
    return { rule, evaluation: { ...found, missing: noSuchMeter } };
  });
  await recordEpisodes(source, evaluations, new Date(atMs));
}

/** Nothing where there is no such meter. */
export function findingsOf({ condition }: RuleRecord, node: NodeAddress, found: NodeFigure | undefined): Finding[] {
  if (!found || condition.kind !== "threshold") return [];
  return [evaluateThreshold(condition, node, found.figure, found.meter)];
}
