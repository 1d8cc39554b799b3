/** Judges threshold rules that ask for the same figure, at many nodes at once. */
import type { NodeAddress } from "../contract/nodes.ts";
import type { AccountState } from "../overview/account-state.ts";
import type { Postgres } from "../postgres/client.ts";
import { recordEpisodes } from "./claim.ts";
import { judgeThreshold } from "./judge-threshold.ts";
import type { Judged, Judgement } from "./judged.ts";
import { type FigureSource, type NodeFigure, readFigures } from "./read-figures.ts";
import type { RuleRecord } from "./rules.ts";
import type { TellSource } from "./tell.ts";
import type { Watch, Watched } from "./threshold-rounds.ts";

export interface ThresholdSource extends FigureSource, TellSource {
  postgres: Postgres;
  tree: FigureSource["tree"] & TellSource["tree"];
}

export const noSuchMeter = { because: "There is no such meter for it any more." };

/** By what is known now. `atMs`: the watermark, ms since 1970, UTC. */
export async function judgeThresholds(
  source: ThresholdSource,
  state: AccountState,
  { asked }: Watch,
  watched: readonly Watched[],
  atMs: number,
): Promise<void> {
  const nodes = watched.map(([node]) => node);
  const figures = await readFigures(source, state, asked, nodes, atMs);
  const byRule = new Map<RuleRecord, { nodes: NodeAddress[]; judged: Judged[] }>();
  for (const [node, rules] of watched)
    for (const rule of rules) {
      const found = byRule.get(rule) ?? { nodes: [], judged: [] };
      byRule.set(rule, found);
      found.nodes.push(node);
      found.judged.push(...judgedBy(rule, node, figures.get(node)));
    }
  const judgements = [...byRule].map(([rule, found]): { rule: RuleRecord; judgement: Judgement } => {
    return { rule, judgement: { ...found, missing: noSuchMeter } };
  });
  await recordEpisodes(source, judgements, new Date(atMs));
}

/** Nothing where there is no such meter. */
export function judgedBy({ condition }: RuleRecord, node: NodeAddress, found: NodeFigure | undefined): Judged[] {
  if (!found || condition.kind !== "threshold") return [];
  return [judgeThreshold(condition, node, found.figure, found.meter)];
}
