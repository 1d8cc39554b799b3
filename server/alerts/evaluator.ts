/**
 * Evaluates all rules as the watermark moves: nodes with newly stored events at once, all others in sweeps. Postgres keeps where
 * it stopped, so that the process that goes on, however much later, misses nothing; record-evaluation.ts writes what it finds, exactly
 * once. One run at a time.
 */

import { and, eq, isNotNull, ne } from "drizzle-orm";
import type { Logger } from "pino";
import { z } from "zod";
import type { PeriodSource } from "../billing/period.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { nodeAddress } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { RuleKind } from "../contract/rules.ts";
import { createPace } from "../fairness/pace.ts";
import { AccountStates } from "../overview/account-state.ts";
import { alertProgress, alerts } from "../postgres/schema/alerts.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { withAllBelow } from "../tree/rows-within.ts";
import { tenantOf } from "../tree/tenant-of.ts";
import { CostlyLimits } from "./costly-limits.ts";
import { evaluateQuotas, noSuchLimit } from "./evaluate-quotas.ts";
import { evaluateThresholds } from "./evaluate-thresholds.ts";
import type { EvaluationRun } from "./evaluation-run.ts";
import { rulesOfTurn, turnOf } from "./evaluation-turns.ts";
import type { Evaluation } from "./finding.ts";
import { HeldRules } from "./held-rules.ts";
import { candidatesAmong, holdsFor, overridesAmong } from "./holding-nodes.ts";
import { lookBack } from "./look-back.ts";
import { type NotifySource, notifyDue } from "./notify.ts";
import { readPair } from "./read-pair.ts";
import { readSystem, type SystemSource } from "./read-system.ts";
import { recordEvaluation } from "./record-evaluation.ts";
import { RuleNodeQueue } from "./rule-node-queue.ts";
import type { RuleRecord } from "./rules.ts";
import { type OpenNodes, SweptRules } from "./swept-rules.ts";
import { type Failure, ThresholdRounds, type Watch, type Watched, watchesOf } from "./threshold-rounds.ts";
import { nodeWithoutAgent } from "./visibility.ts";

export interface EvaluatorSource extends PeriodSource, NotifySource, SystemSource {
  tree: NodeTree;
  settledBatch: () => number;
  onEvaluated?: ((kind: RuleKind, nodes: number) => void) | undefined;
  log: Pick<Logger, "warn">;
}

const changedOrganizations = defineQuery(
  "changed_organizations",
  z.object({ after: z.number(), settled: z.number() }),
  z.object({ organization: z.string() }),
);

const sweepEveryMs = 30_000;
/** After a change of rules, plans or subscriptions the next sweep comes this soon. */
const sweepAfterChangeMs = 4_000;
const slowEveryMs = 300_000;
const systemEveryMs = 5_000;
/** How long one run may evaluate thresholds, the other rules of a sweep, and what is evaluated node by node; the rest waits for the next run. */
const thresholdsMs = 1_500;
const sweepsMs = 1_000;
const pairsMs = 1_000;
/** If the watermark moves further than this between two runs, a condition may have begun and ended in between. */
const jumpMs = 15_000;

type Progress = typeof alertProgress.$inferSelect;

interface EvaluatorRun extends EvaluationRun {
  /** The nodes with newly stored events. */
  stored: ReadonlySet<NodeAddress>;
  /** The same; undefined in a sweep, which evaluates all. */
  changed: ReadonlySet<NodeAddress> | undefined;
}

export class Evaluator {
  readonly #source: EvaluatorSource;
  readonly #accounts: AccountStates;
  readonly #pairs: RuleNodeQueue;
  readonly #sweeps: SweptRules;
  readonly #costly = new CostlyLimits();
  readonly #rules: HeldRules;
  #sweptAtMs = Number.NEGATIVE_INFINITY;
  #sweptSequence = -1;
  #systemAtMs = Number.NEGATIVE_INFINITY;
  #slowAtMs = Number.NEGATIVE_INFINITY;
  #slowSequence = -1;
  readonly #thresholds = new ThresholdRounds();
  #evaluatedUntil: Date | undefined;
  /** Whether the next sweep looks back to where the last one was: nobody evaluated meanwhile. */
  #isLookingBack = true;

  constructor(source: EvaluatorSource) {
    this.#source = source;
    this.#accounts = new AccountStates(source.postgres);
    this.#rules = new HeldRules(source.postgres);
    const tenantOfNode = (node: NodeAddress) => tenantOf(nodeWithoutAgent(node), source.tree);
    this.#pairs = new RuleNodeQueue(tenantOfNode);
    this.#sweeps = new SweptRules(source, tenantOfNode);
  }

  /** How far evaluating is behind what can be queried, in seconds. */
  get lagSeconds(): number {
    const atMs = this.#source.watermark().getTime();
    const waitingMs = this.#thresholds.oldestMs ?? this.#sweeps.oldestMs ?? this.#pairs.oldestMs ?? atMs;
    const evaluatedMs = Math.min(this.#evaluatedUntil?.getTime() ?? atMs, waitingMs);
    return Math.max(0, atMs - evaluatedMs) / 1000;
  }

  /** Whether anything waits for its turn in a later run. */
  get isBehind(): boolean {
    return this.#pairs.size > 0 || this.#sweeps.isBusy || this.#thresholds.isBusy;
  }

  /** One run. Throws where a store cannot be asked: what it would have evaluated is evaluated by a later one. */
  async run(): Promise<void> {
    const { postgres, watermark, settledBatch, now = Date.now } = this.#source;
    const [progress] = await postgres.db.select().from(alertProgress);
    if (!progress) return;
    const state = await this.#accounts.read();
    const rules = await this.#rules.read(state.sequence);
    const enabled = rules.filter((one) => one.enabled);
    await this.#notifyWaiting(enabled);
    await this.#evaluateSystem(enabled, now());
    const batch = settledBatch();
    const asOf = watermark();
    const isChanged = state.sequence !== this.#sweptSequence;
    const hasJumped = asOf.getTime() - (this.#evaluatedUntil ?? asOf).getTime() > jumpMs;
    if (hasJumped) this.#isLookingBack = true;
    const isSweep = hasJumped || now() - this.#sweptAtMs >= (isChanged ? sweepAfterChangeMs : sweepEveryMs);
    const stored = enabled.length === 0 ? new Set<NodeAddress>() : await this.#changedSince(progress.batch, batch);
    const changed = isSweep ? undefined : stored;
    const made = { overrides: overridesAmong(rules), pace: createPace() };
    const run: EvaluatorRun = { state, ...made, batch, enabled, watermark: asOf, stored, changed };
    const failure = enabled.length > 0 ? await this.#evaluate(run, progress) : undefined;
    if (isSweep) [this.#sweptAtMs, this.#sweptSequence] = [now(), state.sequence];
    const costlyUntil = new Date(Math.min(asOf.getTime(), this.#costly.evaluatedUntilMs ?? asOf.getTime()));
    // What waits of the sweep is evaluated since the last one, also by a process that goes on after this one.
    const sweptAt = new Date(Math.min(asOf.getTime(), this.#sweeps.oldestMs ?? asOf.getTime()));
    const swept = isSweep && { sweptAt, costlyUntil };
    if (batch !== progress.batch || swept)
      await postgres.db.update(alertProgress).set({ batch, ...swept, auditSequence: state.sequence });
    this.#evaluatedUntil = asOf;
    if (failure) throw failure.error;
  }

  async #changedSince(after: number, settled: number): Promise<ReadonlySet<NodeAddress>> {
    const { clickhouse, tree } = this.#source;
    if (settled <= after) return new Set();
    const rows = await changedOrganizations(clickhouse, { after, settled });
    return new Set(rows.flatMap(({ organization }) => tree.ancestors(nodeAddress("organization", organization))));
  }

  /** Sends what a mute window, a snooze or a storm held back. */
  async #notifyWaiting(enabled: readonly RuleRecord[]): Promise<void> {
    const { postgres } = this.#source;
    const waiting = await postgres.db
      .selectDistinct({ ruleId: alerts.ruleId })
      .from(alerts)
      .where(isNotNull(alerts.due));
    for (const { ruleId } of waiting) {
      const rule = enabled.find(({ id }) => id === ruleId);
      if (rule) await postgres.transaction((tx) => notifyDue(tx, this.#source, rule));
    }
  }

  async #evaluateSystem(enabled: readonly RuleRecord[], nowMs: number): Promise<void> {
    if (nowMs - this.#systemAtMs < systemEveryMs) return;
    this.#systemAtMs = nowMs;
    for (const rule of rulesOfTurn(enabled, "clock")) {
      const { condition } = rule;
      if (condition.kind !== "system") continue;
      const findings = await readSystem(this.#source, condition, nowMs);
      await this.#record(rule, { nodes: ["all"], findings, missing: "ends" }, new Date(nowMs));
    }
  }

  /** Thresholds that could not be evaluated stay in their rounds: they hold up nothing else. */
  async #evaluate(run: EvaluatorRun, progress: Progress): Promise<Failure | undefined> {
    const { sweptAt, evaluatedUntil } = progress;
    const open = run.changed ? undefined : await this.#openNodes();
    await this.#evaluateQuotas(run, progress, open);
    if (open) await this.#endUnwatched(run, open);
    const failure = await this.#evaluateThresholds(run, evaluatedUntil);
    // What failed waits to be evaluated again by itself.
    const apart = (error: unknown): Failure => ({ error, nodes: [] });
    const ofSweeps = await this.#evaluateSweeps(run, sweptAt, open).catch(apart);
    const ofPairs = await this.#evaluatePairs(run).catch(apart);
    return failure ?? (ofSweeps || ofPairs || undefined);
  }

  async #openNodes(): Promise<OpenNodes> {
    const rows = await this.#source.postgres.db
      .selectDistinct({ ruleId: alerts.ruleId, node: alerts.node })
      .from(alerts)
      .where(ne(alerts.state, "resolved"));
    const open = new Map<string, Set<NodeAddress>>();
    for (const { ruleId, node } of rows) open.set(ruleId, (open.get(ruleId) ?? new Set()).add(node));
    return open;
  }

  async #evaluateQuotas(
    run: EvaluatorRun,
    { sweptAt, costlyUntil }: Progress,
    open: OpenNodes | undefined,
  ): Promise<void> {
    const { state, watermark, changed } = run;
    const atMs = watermark.getTime();
    await evaluateQuotas(this.#source, this.#costly, {
      state,
      atMs,
      sweptMs: sweptAt.getTime(),
      costlyUntilMs: costlyUntil.getTime(),
      changed,
      open,
      rules: rulesOfTurn(run.enabled, "batch"),
      held: (rule, nodes) => this.#held(run, rule, nodes),
      record: (rule, evaluation) => this.#record(rule, evaluation, watermark),
      evaluateLater: (rule, node) => this.#pairs.add(rule.id, node, atMs),
    });
  }

  async #held(
    { overrides, pace }: EvaluatorRun,
    rule: RuleRecord,
    nodes: ReadonlySet<NodeAddress>,
  ): Promise<NodeAddress[]> {
    const { tree } = this.#source;
    const held: NodeAddress[] = [];
    await pace.rest();
    for (const node of candidatesAmong(rule, nodes, tree)) {
      const rest = pace.rest();
      if (rest) await rest;
      if (holdsFor(rule, node, overrides, tree)) held.push(node);
    }
    return held;
  }

  /** All nodes that there are for a rule, or those among `nodes`: its own, or the organizations below it. */
  async #allHeld(run: EvaluatorRun, rule: RuleRecord, nodes?: ReadonlySet<NodeAddress>): Promise<NodeAddress[]> {
    const { tree } = this.#source;
    if (rule.scope === "node")
      return !nodes || nodes.has(nodeWithoutAgent(rule.node)) ? await this.#held(run, rule, new Set([rule.node])) : [];
    return await this.#held(run, rule, nodes ?? new Set(withAllBelow([rule.node], tree)));
  }

  async #evaluateSweeps(run: EvaluatorRun, sweptAt: Date, open: OpenNodes | undefined): Promise<void> {
    await this.#sweeps.work(sweepsMs, {
      ...run,
      sweptAt,
      isBegun: run.changed === undefined,
      openNodes: async () => open ?? (await this.#openNodes()),
      allHeld: (rule) => this.#allHeld(run, rule),
      record: (rule, evaluation) => this.#record(rule, evaluation, run.watermark),
    });
  }

  /** Ends the alerts, without a message, of nodes where a rule no longer holds: another took its place, or the node moved. */
  async #endUnwatched(run: EvaluatorRun, open: OpenNodes): Promise<void> {
    for (const rule of run.enabled) {
      if (["customer events", "clock"].includes(turnOf[rule.kind])) continue;
      const nodes = [...(open.get(rule.id) ?? [])];
      if (nodes.length === 0) continue;
      const held = new Set(await this.#held(run, rule, new Set(nodes)));
      const unwatched = nodes.filter((node) => !held.has(node));
      if (unwatched.length > 0)
        await this.#record(rule, { nodes: unwatched, findings: [], missing: "ends" }, run.watermark);
    }
  }

  async #evaluateThresholds(run: EvaluatorRun, evaluatedUntil: Date): Promise<Failure | undefined> {
    const rules = rulesOfTurn(run.enabled, "rounds");
    const atMs = run.watermark.getTime();
    if (run.changed) {
      // Those that wait for their time, or to resolve, are evaluated in every run.
      const waiting = rules.length > 0 ? await this.#openPlaces() : [];
      this.#thresholds.touch([...run.stored, ...waiting], atMs);
    } else if (this.#thresholds.sweep(atMs, this.#isLookingBack ? evaluatedUntil.getTime() : undefined))
      this.#isLookingBack = false;
    else this.#thresholds.touch(run.stored, atMs);
    const { state } = run;
    const { sweptMs, failure } = await this.#thresholds.work(thresholdsMs, {
      watches: watchesOf(rules),
      watchedBy: (watch, nodes) => this.#watchedBy(run, watch, nodes),
      evaluate: async (watch, watched, past) => {
        const left = past ? await lookBack(this.#source, state, watch, watched, { ...past, atMs }) : [];
        const waiting = new Set(left.map(([node]) => node));
        const known = watched.filter(([node]) => !waiting.has(node));
        this.#source.onEvaluated?.(
          "threshold",
          known.reduce((pairs, [, own]) => pairs + own.length, 0),
        );
        await evaluateThresholds(this.#source, state, watch, known, atMs);
        return left;
      },
    });
    if (sweptMs !== undefined)
      await this.#source.postgres.db.update(alertProgress).set({ evaluatedUntil: new Date(sweptMs) });
    if (failure) this.#isLookingBack = true;
    return failure;
  }

  async #openPlaces(): Promise<NodeAddress[]> {
    const rows = await this.#source.postgres.db
      .selectDistinct({ place: alerts.place })
      .from(alerts)
      .where(and(eq(alerts.kind, "threshold"), ne(alerts.state, "resolved")));
    return rows.map(({ place }) => place);
  }

  async #watchedBy(
    run: EvaluatorRun,
    { rules }: Watch,
    nodes: ReadonlySet<NodeAddress> | undefined,
  ): Promise<Watched[]> {
    const watched = new Map<NodeAddress, RuleRecord[]>();
    for (const rule of rules)
      for (const node of await this.#allHeld(run, rule, nodes)) {
        const known = watched.get(node);
        if (known) known.push(rule);
        else watched.set(node, [rule]);
      }
    return [...watched];
  }

  async #evaluatePairs(run: EvaluatorRun): Promise<void> {
    const slow = rulesOfTurn(run.enabled, "queue");
    const atMs = run.watermark.getTime();
    if (!run.changed && this.#isSlowDue(run.state.sequence))
      for (const rule of slow) for (const node of await this.#allHeld(run, rule)) this.#pairs.add(rule.id, node, atMs);
    const rules = new Map(run.enabled.map((rule) => [rule.id, rule]));
    await this.#pairs.work(pairsMs, async (ruleId, node) => {
      const rule = rules.get(ruleId);
      if (rule) await this.#evaluatePair(run, rule, node);
      else this.#costly.forget(ruleId, node);
    });
  }

  /** Figures of hours and cycles change slowly, so they are evaluated less often. */
  #isSlowDue(sequence: number): boolean {
    const nowMs = (this.#source.now ?? Date.now)();
    if (sequence === this.#slowSequence && nowMs - this.#slowAtMs < slowEveryMs) return false;
    [this.#slowAtMs, this.#slowSequence] = [nowMs, sequence];
    return true;
  }

  async #evaluatePair(run: EvaluatorRun, rule: RuleRecord, node: NodeAddress): Promise<void> {
    const atMs = run.watermark.getTime();
    const used = await this.#costly.evaluate(this.#source, run.state, { rule, node, atMs });
    for (const findings of used ?? [await readPair(this.#source, rule.condition, node, atMs)])
      await this.#record(rule, { nodes: [node], findings, missing: noSuchLimit }, run.watermark);
    this.#costly.evaluated(rule.id, node, atMs);
  }

  async #record(rule: RuleRecord, evaluation: Evaluation, watermark: Date): Promise<void> {
    this.#source.onEvaluated?.(rule.kind, evaluation.nodes.length);
    if (evaluation.nodes.length === 0) return;
    await recordEvaluation(this.#source, rule, evaluation, watermark);
  }
}
