/** Rules about what is used of limits: of most nodes in a few statements, of the rest by the queue of pairs. */
import type { PeriodSource } from "../billing/period.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { AccountState } from "../overview/account-state.ts";
import { type CostlyLimits, costlyNodes } from "./costly-limits.ts";
import type { Evaluation } from "./finding.ts";
import { endedSince, evaluateUsed, missedStandings, standingsOf, subscribedNodes } from "./read-quota.ts";
import type { RuleRecord } from "./rules.ts";
import { isAgent, nodeWithoutAgent } from "./visibility.ts";

export const noSuchLimit = { because: "Its meter, limit or threshold no longer exists." };

export interface QuotaRound {
  state: AccountState;
  rules: readonly RuleRecord[];
  /** The watermark: ms since 1970, UTC, as the two below. */
  atMs: number;
  /** Everything up to then was evaluated, and all that is evaluated in turns. */
  sweptMs: number;
  costlyUntilMs: number;
  /** The nodes with newly stored events; undefined: all nodes. */
  changed: ReadonlySet<NodeAddress> | undefined;
  /** By rule, the nodes with alerts that are not resolved; known where all nodes are evaluated. */
  open: ReadonlyMap<string, ReadonlySet<NodeAddress>> | undefined;
  /** Those among the nodes for which the rule holds. */
  held(rule: RuleRecord, nodes: ReadonlySet<NodeAddress>): Promise<NodeAddress[]>;
  record(rule: RuleRecord, evaluation: Evaluation): Promise<void>;
  /** Leaves it to the queue of pairs. */
  evaluateLater(rule: RuleRecord, node: NodeAddress): void;
}

export async function evaluateQuotas(source: PeriodSource, costly: CostlyLimits, round: QuotaRound): Promise<void> {
  const { state, rules, atMs, sweptMs, costlyUntilMs, changed, open, held, record, evaluateLater } = round;
  if (rules.length === 0) return;
  const subscribed = subscribedNodes(state, atMs);
  const nodes = withAgents(
    [...(changed ?? subscribed)].filter((node) => subscribed.has(node)),
    rules,
  );
  const ended = changed ? [] : endedSince(state, costlyUntilMs, atMs).filter((node) => !subscribed.has(node));
  if (nodes.size === 0 && ended.length === 0 && !open?.size) return;
  const inTurns = costlyNodes(source, state, nodes, atMs);
  const asked = new Set([...nodes].filter((node) => !inTurns.has(node)));
  const { standings, failed } = await standingsOf(source, state, asked, atMs);
  const before = changed
    ? undefined
    : await missedStandings(source, state, standings, { nodes: asked, sinceMs: sweptMs, atMs });
  // What could not be read says nothing about a limit: it is asked again by itself, and holds up no others.
  const unread = new Set([...failed.keys(), ...(before?.failed.keys() ?? [])]);
  const together = new Set([...asked].filter((node) => !unread.has(node)));
  const apart = new Set([...inTurns, ...unread, ...withAgents(ended, rules)]);
  for (const rule of rules) {
    const { condition } = rule;
    if (condition.kind !== "quota") continue;
    if (condition.on === "projected") {
      for (const node of await held(rule, nodes)) evaluateLater(rule, node);
      continue;
    }
    for (const node of await held(rule, apart)) {
      costly.wait(rule, node, costlyUntilMs);
      evaluateLater(rule, node);
    }
    for (const earlier of before?.missed ?? []) {
      const nodesBefore = await held(rule, new Set([...earlier.keys()].filter((node) => !unread.has(node))));
      const findings = evaluateUsed(condition, nodesBefore, earlier);
      await record(rule, { nodes: nodesBefore, findings, missing: noSuchLimit });
    }
    const unsubscribed = new Set(
      [...(open?.get(rule.id) ?? [])].filter((node) => !nodes.has(node) && !apart.has(node)),
    );
    const evaluatedNow = [...(await held(rule, together)), ...(await held(rule, unsubscribed))];
    const findings = evaluateUsed(condition, evaluatedNow, standings);
    await record(rule, { nodes: evaluatedNow, findings, missing: noSuchLimit });
  }
}

/** With those agents of the organizations among them that have a rule of their own: others are evaluated by none. */
function withAgents(nodes: readonly NodeAddress[], rules: readonly RuleRecord[]): Set<NodeAddress> {
  const found = new Set(nodes);
  for (const { node } of rules) if (isAgent(node) && found.has(nodeWithoutAgent(node))) found.add(node);
  return found;
}
