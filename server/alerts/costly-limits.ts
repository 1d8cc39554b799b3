/** Limits that take statements of their own to evaluate: node by node and in turns, so that nobody waits for another's. */
import type { PeriodSource } from "../billing/period.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { AccountState } from "../overview/account-state.ts";
import { byCost } from "../overview/read-standings.ts";
import type { Finding } from "./finding.ts";
import { evaluateUsed, missedStandings, standingsOf, subscriptionsOf } from "./read-quota.ts";
import type { RuleRecord } from "./rules.ts";

/** Those of the nodes that have such limits. */
export function costlyNodes(
  source: PeriodSource,
  state: AccountState,
  nodes: ReadonlySet<NodeAddress>,
  atMs: number,
): ReadonlySet<NodeAddress> {
  const subscriptions = subscriptionsOf(state, nodes);
  return new Set(byCost(source, { ...state, subscriptions }, atMs).costly.map(({ node }) => node));
}

/** Up to where each rule was evaluated for each node, ms since 1970, UTC, and which of them wait for their turn. */
export class CostlyLimits {
  readonly #evaluatedUntil = new Map<string, number>();
  readonly #waiting = new Set<string>();

  /** `untilMs`: up to where it was evaluated by whoever evaluated before this process. */
  wait(rule: RuleRecord, node: NodeAddress, untilMs: number): void {
    const key = keyOf(rule.id, node);
    // Another process may have evaluated it since this one did.
    this.#evaluatedUntil.set(key, Math.max(untilMs, this.#evaluatedUntil.get(key) ?? untilMs));
    this.#waiting.add(key);
  }

  /** Up to where those that wait are all evaluated; undefined where none waits. */
  get evaluatedUntilMs(): number | undefined {
    let first: number | undefined;
    for (const key of this.#waiting) {
      const untilMs = this.#evaluatedUntil.get(key) ?? 0;
      first = Math.min(untilMs, first ?? untilMs);
    }
    return first;
  }

  /**
   * What is to be recorded in this order: of the spans that ended meanwhile, then of the one that runs. Undefined for a rule that
   * is evaluated by anything else than what is used. Rejects where some of it could not be read.
   */
  async evaluate(
    source: PeriodSource,
    state: AccountState,
    { rule, node, atMs }: { rule: RuleRecord; node: NodeAddress; atMs: number },
  ): Promise<Finding[][] | undefined> {
    const { condition } = rule;
    if (condition.kind !== "quota" || condition.on === "projected") return undefined;
    const nodes = new Set([node]);
    const { standings: now, failed } = await standingsOf(source, state, nodes, atMs);
    const sinceMs = this.#evaluatedUntil.get(keyOf(rule.id, node)) ?? atMs;
    const before = await missedStandings(source, state, now, { nodes, sinceMs, atMs });
    for (const [, error] of [...failed, ...before.failed]) throw error;
    return [...before.missed, now].map((standings) => evaluateUsed(condition, [node], standings));
  }

  /** It was recorded as of `atMs`. */
  evaluated(ruleId: string, node: NodeAddress, atMs: number): void {
    const key = keyOf(ruleId, node);
    if (this.#waiting.delete(key)) this.#evaluatedUntil.set(key, atMs);
  }

  /** The rule no longer exists. */
  forget(ruleId: string, node: NodeAddress): void {
    const key = keyOf(ruleId, node);
    this.#waiting.delete(key);
    this.#evaluatedUntil.delete(key);
  }
}

const keyOf = (ruleId: string, node: NodeAddress) => `${ruleId} ${node}`;
