/**
 * In which order the nodes of threshold rules are evaluated: those with newly stored events in rounds of their own, all of them in
 * sweeps, each as far as a run has time for. What waits is held once for each node, however many rules watch it.
 */
import { hash } from "node:crypto";
import type { NodeAddress } from "../contract/nodes.ts";
import type { FigureAsked } from "./read-figures.ts";
import type { RuleRecord } from "./rules.ts";

/** Rules that ask for the same figure. */
export interface Watch {
  asked: FigureAsked;
  rules: readonly RuleRecord[];
}

/** A node, and those rules of a watch that hold for it. */
export type Watched = readonly [node: NodeAddress, rules: readonly RuleRecord[]];

export interface LookBack {
  /** ms since 1970, UTC. */
  sinceMs: number;
  /** No other node is begun after it: `performance.now()`. */
  endsAtMs: number;
}

export interface Rounds {
  watches: readonly Watch[];
  /** For all nodes, or for those that are given. */
  watchedBy(watch: Watch, nodes: ReadonlySet<NodeAddress> | undefined): Watched[] | Promise<Watched[]>;
  /** `lookBack`: everything since then is evaluated, not only what holds now. Gives those that there was no time for. */
  evaluate(watch: Watch, nodes: readonly Watched[], lookBack: LookBack | undefined): Promise<readonly Watched[]>;
}

interface Round {
  /** Undefined: a sweep. */
  nodes: ReadonlySet<NodeAddress> | undefined;
  /** The watermark when it began: ms since 1970, UTC. */
  begunMs: number;
  sinceMs: number | undefined;
  /** As they were when it began: rules that were made since have the next one. */
  watches: readonly Watch[] | undefined;
  watch: number;
  /** Steps that were evaluated, and those that could not be. */
  evaluated: number;
  failed: number;
  /** What is left of the watch that is evaluated now. */
  left: Watched[] | undefined;
}

const notBegun = { watches: undefined, watch: 0, evaluated: 0, failed: 0, left: undefined };

/** How many sweeps in a row may fail to evaluate everything. */
const maxIncomplete = 5;

export interface Failure {
  error: unknown;
  nodes: readonly NodeAddress[];
}

export interface Worked {
  /** Everything up to then is evaluated: the watermark when a sweep that ended had begun. */
  sweptMs: number | undefined;
  failure: Failure | undefined;
}

/** As many as one statement answers within a fraction of a second. */
const nodesAtOnce = 2_500;
/** Looking back takes a few statements for each node where something may have happened. */
const nodesLookedBackAt = 200;

export class ThresholdRounds {
  #changed = new Map<NodeAddress, number>();
  #round: Round | undefined;
  #sweep: Round | undefined;
  #isSweepsTurn = false;
  #incomplete = 0;

  /** Whether anything waits. */
  get isBusy(): boolean {
    return this.#round !== undefined || this.#sweep !== undefined || this.#changed.size > 0;
  }

  /** Since when the first of what is urgent waits, else of the rest; undefined where nothing does. */
  get oldestMs(): number | undefined {
    const [changedMs] = this.#changed.values();
    return this.#round?.begunMs ?? changedMs ?? this.#sweep?.begunMs;
  }

  touch(nodes: Iterable<NodeAddress>, atMs: number): void {
    for (const node of nodes) if (!this.#changed.has(node)) this.#changed.set(node, atMs);
  }

  /** False where one is under way, which goes on; one that looks back, until `sinceMs`, takes the place of one that does not. */
  sweep(begunMs: number, sinceMs: number | undefined): boolean {
    if (this.#sweep && (sinceMs === undefined || this.#sweep.sinceMs !== undefined)) return false;
    this.#sweep = { nodes: undefined, begunMs, sinceMs, ...notBegun };
    return true;
  }

  /** Until none is left, the time is over or something could not be evaluated, which is evaluated again later. */
  async work(maxMs: number, rounds: Rounds): Promise<Worked> {
    const endsAtMs = performance.now() + maxMs;
    let sweptMs: number | undefined;
    do {
      const round = this.#next();
      if (!round) break;
      const failure = await takeStep(round, rounds, endsAtMs);
      if (failure && round.nodes) this.touch(failure.nodes, round.begunMs);
      if (isOver(round)) sweptMs = this.#end(round) ?? sweptMs;
      if (failure) return { sweptMs, failure };
    } while (performance.now() < endsAtMs);
    return { sweptMs, failure: undefined };
  }

  /** Gives since when everything is evaluated, where that is known now. */
  #end(round: Round): number | undefined {
    if (round === this.#round) {
      [this.#round, this.#isSweepsTurn] = [undefined, true];
      return undefined;
    }
    this.#sweep = undefined;
    // What fails again and again, while others do not, is a fault that no later sweep mends.
    this.#incomplete = round.failed === 0 ? 0 : this.#incomplete + 1;
    const isComplete = round.failed === 0 || (round.evaluated > 0 && this.#incomplete >= maxIncomplete);
    // What was missed is reported first: once a node was evaluated as of now, its past is not searched any more.
    if (!isComplete && round.sinceMs !== undefined) this.#sweep = { ...round, ...notBegun };
    return isComplete ? round.begunMs : undefined;
  }

  /** What happened while nothing was evaluated comes first, in its order; then what is new; a sweep goes on between two rounds of that. */
  #next(): Round | undefined {
    if (this.#sweep?.sinceMs !== undefined) return this.#sweep;
    if (this.#isSweepsTurn && this.#sweep) {
      this.#isSweepsTurn = false;
      return this.#sweep;
    }
    if (!this.#round && this.#changed.size > 0) {
      const [begunMs = 0] = this.#changed.values();
      this.#round = { nodes: new Set(this.#changed.keys()), begunMs, sinceMs: undefined, ...notBegun };
      this.#changed = new Map();
    }
    return this.#round ?? this.#sweep;
  }
}

const isOver = ({ watches, watch }: Round) => watch >= (watches?.length ?? 0);

/** Evaluates the next nodes of a round; gives those that could not be. */
async function takeStep(
  round: Round,
  { watches, watchedBy, evaluate }: Rounds,
  endsAtMs: number,
): Promise<Failure | undefined> {
  round.watches ??= watches;
  const watch = round.watches[round.watch];
  if (!watch) return undefined;
  const waiting = round.left ?? (await watchedBy(watch, round.nodes));
  const most = round.sinceMs === undefined ? nodesAtOnce : nodesLookedBackAt;
  const some = waiting.slice(0, most);
  const later = waiting.slice(most);
  const { sinceMs } = round;
  try {
    const lookBack = sinceMs === undefined ? undefined : { sinceMs, endsAtMs };
    const left = some.length === 0 ? [] : await evaluate(watch, some, lookBack);
    if (some.length > 0) round.evaluated++;
    goOn(round, [...left, ...later]);
    return undefined;
  } catch (error) {
    round.failed++;
    goOn(round, later);
    return { error, nodes: some.map(([node]) => node) };
  }
}

function goOn(round: Round, left: Watched[]): void {
  round.left = left.length > 0 ? left : undefined;
  if (!round.left) round.watch++;
}

/** Kept by rule record: a filter may be long, and each run asks for the key of every rule. */
const keys = new WeakMap<RuleRecord, string>();

/** The same for rules that ask for the same figure. */
function keyOf(rule: RuleRecord, { meter, window, filter }: FigureAsked): string {
  const known = keys.get(rule);
  if (known !== undefined) return known;
  const key = hash("sha256", JSON.stringify([meter, window, filter]), "base64");
  keys.set(rule, key);
  return key;
}

/** The rules by the figure that they ask for. */
export function watchesOf(rules: readonly RuleRecord[]): Watch[] {
  const watches = new Map<string, { asked: FigureAsked; rules: RuleRecord[] }>();
  for (const rule of rules) {
    const { condition } = rule;
    if (condition.kind !== "threshold") continue;
    const { meter, window, filter } = condition;
    const asked = { meter, window, filter };
    const key = keyOf(rule, asked);
    const known = watches.get(key);
    if (known) known.rules.push(rule);
    else watches.set(key, { asked, rules: [rule] });
  }
  return [...watches.values()];
}
