/** The queue of what is judged node by node: each pair of a rule and a node once, urgent ones first, as many as fit in a run. */
import type { NodeAddress } from "../contract/nodes.ts";

interface Pair {
  ruleId: string;
  node: NodeAddress;
  /** The watermark when it came to be judged: ms since 1970, UTC. */
  sinceMs: number;
}

const atOnce = 4;

export class PairQueue {
  #urgent = new Map<string, Pair>();
  #waiting = new Map<string, Pair>();

  get size(): number {
    return this.#urgent.size + this.#waiting.size;
  }

  /** Since when the first of what is urgent waits, else of the rest; undefined where nothing does. */
  get oldestMs(): number | undefined {
    const [first] = this.#urgent.size > 0 ? this.#urgent.values() : this.#waiting.values();
    return first?.sinceMs;
  }

  add(ruleId: string, node: NodeAddress, sinceMs: number): void {
    const key = `${ruleId} ${node}`;
    if (!this.#urgent.has(key) && !this.#waiting.has(key)) this.#waiting.set(key, { ruleId, node, sinceMs });
  }

  addFirst(ruleId: string, node: NodeAddress, sinceMs: number): void {
    const key = `${ruleId} ${node}`;
    if (this.#urgent.has(key)) return;
    this.#waiting.delete(key);
    this.#urgent.set(key, { ruleId, node, sinceMs });
  }

  /** Until none is left or the time is over. The first failure is thrown when those under way have ended; its pair is judged again later. */
  async work(mostMs: number, judge: (ruleId: string, node: NodeAddress) => Promise<void>): Promise<void> {
    const endsAtMs = performance.now() + mostMs;
    const failures: unknown[] = [];
    const next = () => {
      const from = this.#urgent.size > 0 ? this.#urgent : this.#waiting;
      const [first] = from;
      if (first) from.delete(first[0]);
      return first?.[1];
    };
    const worker = async () => {
      while (failures.length === 0 && performance.now() < endsAtMs) {
        const pair = next();
        if (!pair) return;
        await judge(pair.ruleId, pair.node).catch((error: unknown) => {
          this.add(pair.ruleId, pair.node, pair.sinceMs);
          failures.push(error);
        });
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    if (failures.length > 0) throw failures[0];
  }
}
