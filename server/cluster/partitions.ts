/**
 * Organizations fall into a fixed number of partitions, and each partition has one owner at a time: the node that checks
 * its events' identities, logs and stores them. Which node a partition should go to follows from the names alone
 * (rendezvous hashing), so a node that comes or goes moves no more than its own share.
 */
import { hashText } from "../ingest/accept/event-hash.ts";

/** Never to be changed: nodes that counted differently would own one organization twice. */
export const partitionCount = 128;

export function partitionOf(organization: string): number {
  return Number(hashText(organization) % BigInt(partitionCount));
}

/** The node of `names` that the partition should belong to; undefined when there are none. */
export function preferredOwner(partition: number, names: readonly string[]): string | undefined {
  let best: { name: string; score: bigint } | undefined;
  for (const name of names) {
    const score = hashText(`${partition} ${name}`);
    if (!best || score > best.score || (score === best.score && name > best.name)) best = { name, score };
  }
  return best?.name;
}
