/** Others reach this node where TIDEMARK_NODE_URL says: whether that leads here is asked until it does, and now and then after. */
import { z } from "zod";
import { asBody, type Peers } from "./peers.ts";

const withinMs = 2_000;
const againMs = 1_000;
const everyMs = 30_000;

const selfSchema = z.object({ name: z.string(), process: z.string() });

export interface SelfCheck {
  /** Call it when requests are served. */
  start(): void;
  /** In words; undefined: this node was reached, or has not been asked yet. */
  trouble(): string | undefined;
  stop(): void;
}

export function checkSelf(peers: Peers, { url, process }: { url: string; process: string }): SelfCheck {
  const elsewhere = "the other ingest nodes do not reach this one at TIDEMARK_NODE_URL";
  let trouble: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  async function ask(): Promise<void> {
    trouble = await peers.ask({ url }, "/cluster/self", asBody({}), selfSchema, withinMs).then(
      (reached) => (reached.process === process ? undefined : elsewhere),
      () => elsewhere,
    );
    timer = setTimeout(() => void ask(), trouble ? againMs : everyMs);
    timer.unref();
  }
  return { start: () => void ask(), trouble: () => trouble, stop: () => clearTimeout(timer) };
}
