/**
 * The rules that are evaluated in sweeps alone: nothing comes when nothing is sent, and what happens to customers and their bills
 * is in no batch. Tenants take turns, as many rules as a run has time for: whatever number one of them has, those of the others come.
 */
import type { ClickHouse } from "../clickhouse/client.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { ConditionOf } from "../contract/rules.ts";
import type { Postgres } from "../postgres/client.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import type { EvaluationRun } from "./evaluation-run.ts";
import { rulesOfTurn } from "./evaluation-turns.ts";
import type { Evaluation } from "./finding.ts";
import { holdsFor, treeOf } from "./holding-nodes.ts";
import { isMovedAway, readBilling, readCustomers } from "./read-customer-events.ts";
import { LastEvents, readSilence } from "./read-silence.ts";
import { RuleNodeQueue } from "./rule-node-queue.ts";
import type { RuleRecord } from "./rules.ts";
import { isAgent } from "./visibility.ts";

/** By rule, the nodes with alerts that are not resolved. */
export type OpenNodes = ReadonlyMap<string, ReadonlySet<NodeAddress>>;

interface SweepSource {
  clickhouse: ClickHouse;
  postgres: Postgres;
  tree: NodeTree;
}

export interface SweptRulesRun extends EvaluationRun {
  /** Whether a sweep begins with this run: all rules are to be evaluated. */
  isBegun: boolean;
  /** Everything up to then was evaluated before. */
  sweptAt: Date;
  openNodes(): Promise<OpenNodes>;
  /** All nodes that there are for a rule. */
  allHeld(rule: RuleRecord): Promise<NodeAddress[]>;
  record(rule: RuleRecord, evaluation: Evaluation): Promise<void>;
}

const everything = Number.MAX_SAFE_INTEGER;

export class SweptRules {
  readonly #source: SweepSource;
  /** Those of the last sweep that are still to be evaluated, each at its own node. */
  readonly #queue: RuleNodeQueue;
  readonly #lastEvents = new LastEvents();
  /** By the rule as it is held: one that was changed is looked at anew. */
  readonly #customersReadUntil = new WeakMap<RuleRecord, number>();

  constructor(source: SweepSource, tenantOf: (node: NodeAddress) => NodeAddress) {
    this.#source = source;
    this.#queue = new RuleNodeQueue(tenantOf);
  }

  get isBusy(): boolean {
    return this.#queue.size > 0;
  }

  /** The watermark when the first that waits came to be evaluated: ms since 1970, UTC. */
  get oldestMs(): number | undefined {
    return this.#queue.oldestMs;
  }

  /** Until none is left or the time is over. Throws the first failure, after the others: what failed is evaluated again. */
  async work(maxMs: number, run: SweptRulesRun): Promise<void> {
    const silences = rulesOfTurn(run.enabled, "sweep");
    const rules = new Map([...silences, ...rulesOfTurn(run.enabled, "customer events")].map((one) => [one.id, one]));
    const atMs = run.watermark.getTime();
    if (run.isBegun) for (const { id, node } of rules.values()) this.#queue.add(id, node, atMs);
    if (!this.isBusy) return;
    const open = await run.openNodes();
    if (silences.length > 0) {
      const agents = [...new Set(silences.map(({ node }) => node).filter(isAgent))];
      await this.#lastEvents.read(this.#source.clickhouse, { settled: run.batch, atMs, agents });
    }
    await this.#queue.work(maxMs, async (ruleId) => {
      const rule = rules.get(ruleId);
      await run.pace.rest();
      if (rule?.condition.kind === "no_data") await this.#evaluateSilence(run, rule, rule.condition, open);
      else if (rule) await this.#evaluateCustomerEvents(run, rule, open);
    });
  }

  async #evaluateSilence(
    run: SweptRulesRun,
    rule: RuleRecord,
    condition: ConditionOf<"no_data">,
    open: OpenNodes,
  ): Promise<void> {
    const { tree } = this.#source;
    const sources = {
      organizationsOf: (node: NodeAddress) =>
        tree.list([node], { kind: "organization", limit: everything }).map((one) => one.node),
      isWithin: (node: NodeAddress, top: NodeAddress) => tree.isWithin(node, top),
    };
    const held = await run.allHeld(rule);
    const atMs = run.watermark.getTime();
    const findings = await readSilence(this.#source, this.#lastEvents, condition, held, sources, atMs);
    const nodes = new Set([...findings.map(({ node }) => node), ...(open.get(rule.id) ?? [])]);
    await run.record(rule, { nodes: [...nodes], findings, missing: "ends" });
  }

  async #evaluateCustomerEvents(run: SweptRulesRun, rule: RuleRecord, open: OpenNodes): Promise<void> {
    const { tree } = this.#source;
    const { condition } = rule;
    if (condition.kind !== "customers" && condition.kind !== "billing") return;
    // A rule concerns everything below its node.
    const holds = (node: NodeAddress, path = tree.ancestors(node) as readonly NodeAddress[]) => {
      const stood = treeOf(path);
      return rule.scope === "node" ? stood.isWithin(node, rule.node) : holdsFor(rule, node, run.overrides, stood);
    };
    const sinceMs = rule.inForceSince.getTime();
    const times = { atMs: run.watermark.getTime(), sinceMs, evaluatedUntilMs: run.sweptAt.getTime() };
    const asked = { state: run.state, node: rule.node, holdsFor: holds, ...times };
    const ofRule = { ruleId: rule.id, readUntil: this.#customersReadUntil.get(rule) };
    const { findings, readUntil } =
      condition.kind === "customers"
        ? await readCustomers(this.#source, condition, { ...asked, ...ofRule })
        : { findings: await readBilling(this.#source, condition, asked), readUntil: undefined };
    const nodes = new Set([...findings.map(({ node }) => node), ...(open.get(rule.id) ?? [])]);
    const ofBills = { because: "It was paid, renewed or cancelled.", endsWhere: isMovedAway(holds) };
    const missing = condition.kind === "customers" ? "ends" : ofBills;
    await run.record(rule, { nodes: [...nodes], findings, missing });
    if (readUntil !== undefined) this.#customersReadUntil.set(rule, readUntil);
  }
}
