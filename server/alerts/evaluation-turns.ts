/** When rules are evaluated, by their kind: a kind without a turn does not compile, so that none is accepted and never evaluated. */
import type { RuleKind } from "../contract/rules.ts";

type Turn =
  /** With each batch, at the nodes that it changed, and in sweeps. */
  | "batch"
  /** The same, in rounds that have so much time in each run. */
  | "rounds"
  /** In sweeps alone: nothing comes when nothing is sent. */
  | "sweep"
  /** In sweeps, by what happened to the nodes themselves and to their bills. */
  | "customer events"
  /** A rule at a node at a time, in turns among tenants. */
  | "queue"
  /** By the clock: it is about the service itself. */
  | "clock";

export const turnOf: Readonly<Record<RuleKind, Turn>> = {
  quota: "batch",
  threshold: "rounds",
  no_data: "sweep",
  customers: "customer events",
  billing: "customer events",
  unusual: "queue",
  low_usage: "queue",
  system: "clock",
};

export function rulesOfTurn<Rule extends { kind: RuleKind }>(rules: readonly Rule[], turn: Turn): Rule[] {
  return rules.filter(({ kind }) => turnOf[kind] === turn);
}
