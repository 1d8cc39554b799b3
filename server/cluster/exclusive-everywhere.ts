/** Work that writes into storage while no node stores anything, one piece of it after another. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { FlushLoop } from "../ingest/flush/flush-loop.ts";
import type { ExclusiveResult } from "../rollups/exclusive-storage.ts";
import { holdLastsMs } from "./holds.ts";
import type { ClusterNode } from "./membership.ts";
import { asBody, type Peers } from "./peers.ts";

const holdWithinMs = 30_000;
const heldSchema = z.object({});

export interface ExclusiveEverywhereDeps {
  flush: Pick<FlushLoop, "exclusive">;
  peers: Peers;
  others: () => readonly ClusterNode[];
  /** Throws where another node derives. */
  epoch: () => unknown;
}

/** Every other node holds still first, so what runs here sees nothing half stored and nobody's batch in between. */
export function exclusiveEverywhere({ flush, peers, others, epoch }: ExclusiveEverywhereDeps): FlushLoop["exclusive"] {
  let last: Promise<unknown> = Promise.resolve();

  async function alone(work: () => Promise<ExclusiveResult>): Promise<void> {
    epoch();
    const token = randomUUID();
    const asked = others();
    const ask = (path: string) =>
      Promise.all(asked.map((node) => peers.ask(node, path, asBody({ token }), heldSchema, holdWithinMs)));
    const keep = setInterval(() => void ask("/cluster/hold").catch(() => undefined), holdLastsMs / 3);
    try {
      await ask("/cluster/hold");
      await flush.exclusive(work);
    } finally {
      clearInterval(keep);
      await ask("/cluster/release").catch(() => undefined);
    }
  }

  return (work) => {
    const next = last.then(() => alone(work));
    last = next.catch(() => undefined);
    return next;
  };
}
