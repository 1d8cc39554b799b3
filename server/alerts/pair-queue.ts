/** The queue of what is judged node by node: each pair of a rule and a node once, as many as fit in a run. */
import type { NodeAddress } from "../contract/nodes.ts";

interface Pair {
  ruleId: string;
  node: NodeAddress;
  /** The watermark when it came to be judged: ms since 1970, UTC. */
  sinceMs: number;
}

const atOnce = 4;

export class PairQueue {
  readonly #waiting = new Map<string, Pair>();

  get size(): number {
    return this.#waiting.size;
  }

  /** Since when the first waits; undefined where none does. */
  get oldestMs(): number | undefined {
    const [first] = this.#waiting.values();
    return first?.sinceMs;
  }

  add(ruleId: string, node: NodeAddress, sinceMs: number): void {
    const key = `${ruleId} ${node}`;
    if (!this.#waiting.has(key)) this.#waiting.set(key, { ruleId, node, sinceMs });
  }

  /** Until none is left or the time is over. The first failure is thrown when those under way have ended; its pair is judged again later. */
  async work(mostMs: number, judge: (ruleId: string, node: NodeAddress) => Promise<void>): Promise<void> {
    const endsAtMs = performance.now() + mostMs;
    const failures: unknown[] = [];
    const next = () => {
      const [first] = this.#waiting;
      if (first) this.#waiting.delete(first[0]);
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
