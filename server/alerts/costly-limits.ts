/** Limits that take statements of their own to judge: node by node and in turns, so that nobody waits for another's. */
import type { PeriodSource } from "../billing/period.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { AccountState } from "../overview/account-state.ts";
import { byCost } from "../overview/read-standings.ts";
import type { Judged } from "./judged.ts";
import { judgeUsed, missedStandings, standingsOf } from "./read-quota.ts";
import type { RuleRecord } from "./rules.ts";

/** Those of the nodes that have such limits. */
export function costlyNodes(
  source: PeriodSource,
  state: AccountState,
  nodes: ReadonlySet<NodeAddress>,
  atMs: number,
): ReadonlySet<NodeAddress> {
  const subscriptions = state.subscriptions.filter(({ node }) => nodes.has(node));
  return new Set(byCost(source, { ...state, subscriptions }, atMs).costly.map(({ node }) => node));
}

export class CostlyLimits {
  /** Since when spans that ended are still to be judged, ms since 1970, UTC: by rule and node. */
  readonly #unjudgedSince = new Map<string, number>();

  /** A sweep came that looks back to `sinceMs`; of those that come before it is judged the first counts. */
  wait(rule: RuleRecord, node: NodeAddress, sinceMs: number): void {
    const key = keyOf(rule, node);
    if (!this.#unjudgedSince.has(key)) this.#unjudgedSince.set(key, sinceMs);
  }

  /**
   * What is to be recorded in this order: of the spans that ended meanwhile, then of the one that runs. Undefined for a rule that
   * is judged by anything else than what is used.
   */
  async judge(
    source: PeriodSource,
    state: AccountState,
    { rule, node, atMs }: { rule: RuleRecord; node: NodeAddress; atMs: number },
  ): Promise<Judged[][] | undefined> {
    const { condition } = rule;
    if (condition.kind !== "quota" || condition.on === "projected") return undefined;
    const sinceMs = this.#unjudgedSince.get(keyOf(rule, node));
    const now = await standingsOf(source, state, new Set([node]), atMs);
    const missed = sinceMs === undefined ? [] : await missedStandings(source, state, now, sinceMs);
    return [...missed, now].map((standings) => judgeUsed(condition, [node], standings));
  }

  /** It was recorded. */
  judged(rule: RuleRecord, node: NodeAddress): void {
    this.#unjudgedSince.delete(keyOf(rule, node));
  }
}

const keyOf = ({ id }: RuleRecord, node: NodeAddress) => `${id} ${node}`;
