/**
 * The queue of what is evaluated node by node: each pair of a rule and a node once, as many as fit in a run. Tenants take turns, so
 * that however many pairs one of them has, those of the others come.
 */
import type { NodeAddress } from "../contract/nodes.ts";

interface Pair {
  ruleId: string;
  node: NodeAddress;
  /** The watermark when it came to be evaluated: ms since 1970, UTC. */
  sinceMs: number;
}

const atOnce = 4;
const maxFailures = 16;

export class RuleNodeQueue {
  /** By tenant, the one whose turn is next first. */
  readonly #waiting = new Map<NodeAddress, Map<string, Pair>>();
  readonly #tenantOf: (node: NodeAddress) => NodeAddress;

  constructor(tenantOf: (node: NodeAddress) => NodeAddress) {
    this.#tenantOf = tenantOf;
  }

  get size(): number {
    let size = 0;
    for (const pairs of this.#waiting.values()) size += pairs.size;
    return size;
  }

  /** Since when the first waits; undefined where none does. */
  get oldestMs(): number | undefined {
    const firsts = [...this.#waiting.values()].flatMap((pairs) => [...pairs.values()].slice(0, 1));
    return firsts.length === 0 ? undefined : Math.min(...firsts.map(({ sinceMs }) => sinceMs));
  }

  add(ruleId: string, node: NodeAddress, sinceMs: number): void {
    const tenant = this.#tenantOf(node);
    const pairs = this.#waiting.get(tenant) ?? new Map<string, Pair>();
    this.#waiting.set(tenant, pairs);
    const key = `${ruleId} ${node}`;
    if (!pairs.has(key)) pairs.set(key, { ruleId, node, sinceMs });
  }

  #next(): Pair | undefined {
    const [turn] = this.#waiting;
    if (!turn) return undefined;
    const [tenant, pairs] = turn;
    const [first] = pairs;
    this.#waiting.delete(tenant);
    if (!first) return this.#next();
    pairs.delete(first[0]);
    if (pairs.size > 0) this.#waiting.set(tenant, pairs);
    return first[1];
  }

  /**
   * Until none is left or the time is over. One that fails holds up no others and is evaluated again in a later run; after many
   * failures the run ends, since a store may be away. The first failure is thrown at the end.
   */
  async work(maxMs: number, evaluate: (ruleId: string, node: NodeAddress) => Promise<void>): Promise<void> {
    const endsAtMs = performance.now() + maxMs;
    const failures: { pair: Pair; error: unknown }[] = [];
    const worker = async () => {
      while (failures.length < maxFailures && performance.now() < endsAtMs) {
        const pair = this.#next();
        if (!pair) return;
        await evaluate(pair.ruleId, pair.node).catch((error: unknown) => {
          failures.push({ pair, error });
        });
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    for (const { pair } of failures) this.add(pair.ruleId, pair.node, pair.sinceMs);
    if (failures[0]) throw failures[0].error;
  }
}
