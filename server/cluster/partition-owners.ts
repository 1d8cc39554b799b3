/**
 * How partitions change owners. Only the owner gives one away, after everything that it accepted for it is settled; what nodes
 * that have left still own is inherited.
 */
import { eq } from "drizzle-orm";
import type { Logger } from "pino";
import type { Postgres } from "../postgres/client.ts";
import { ingestCluster } from "../postgres/schema/ingest-nodes.ts";
import { partitionOf, preferredOwner } from "./partitions.ts";

export interface GiveAwayHandlers {
  /** So much waits to be stored that nothing can be given away soon. */
  isBehind(): boolean;
  /** Everything accepted before this call is settled; rejects when that takes too long. */
  whenSettled(): Promise<void>;
}

/** The owners and the nodes as they were last read. */
export interface OwnersView {
  /** By partition. */
  owners: readonly string[];
  version: number;
  nodes: readonly { name: string; isAlive: boolean; hasLeft: boolean }[];
}

export interface PartitionOwnersDeps {
  db: Postgres["db"];
  name: string;
  log: Logger;
  view: () => OwnersView;
  refresh: () => Promise<void>;
  /** Resolves when Postgres was read after this call, or there is nothing more to read for. */
  refreshUntilRead: () => Promise<void>;
}

export interface PartitionOwners {
  /** Undefined when the organization is this node's now. */
  ownerElsewhere(organization: string): string | undefined;
  /** What nodes that have left still own goes to those that should have it. */
  inherit(): Promise<void>;
  /** Gives away what others should have. */
  giveAway(handlers: GiveAwayHandlers): Promise<void>;
}

export function createPartitionOwners(deps: PartitionOwnersDeps): PartitionOwners {
  const { db, name, log, view, refresh } = deps;
  /** To be given away as soon as all their events are settled; nothing more is accepted for them meanwhile. */
  let releasing: ReadonlySet<number> = new Set();
  let isReleasing = false;

  function candidates(): string[] {
    const others = view().nodes.filter((node) => node.name !== name);
    return [name, ...others.flatMap((node) => (node.isAlive ? [node.name] : []))];
  }

  /** Writes new owners, unless anything has changed since they were read. */
  async function take(owners: string[]): Promise<void> {
    const { version } = view();
    await db
      .update(ingestCluster)
      .set({ owners, version: version + 1 })
      .where(eq(ingestCluster.version, version));
  }

  return {
    ownerElsewhere(organization) {
      const partition = partitionOf(organization);
      const owner = view().owners[partition];
      if (owner !== name) return owner;
      return releasing.has(partition) ? preferredOwner(partition, candidates()) : undefined;
    },
    async inherit() {
      const { owners, nodes } = view();
      const left = new Set(nodes.filter((node) => node.hasLeft).map((node) => node.name));
      if (!owners.some((owner) => left.has(owner))) return;
      const names = candidates();
      await take(
        owners.map((owner, partition) => (left.has(owner) ? (preferredOwner(partition, names) as string) : owner)),
      );
    },
    async giveAway(handlers) {
      if (isReleasing || handlers.isBehind()) return;
      const names = candidates();
      const isGivenAway = (owner: string, partition: number) =>
        owner === name && preferredOwner(partition, names) !== name;
      const leaving = view().owners.flatMap((owner, partition) => (isGivenAway(owner, partition) ? [partition] : []));
      if (leaving.length === 0) return;
      isReleasing = true;
      releasing = new Set(leaving);
      try {
        await handlers.whenSettled();
        await refresh();
        await take(
          view().owners.map((owner, partition) =>
            owner === name && releasing.has(partition) ? (preferredOwner(partition, names) as string) : owner,
          ),
        );
      } catch (err) {
        log.warn({ err }, "partitions could not be given to other nodes yet");
      } finally {
        // Whether they are given away is only known when they are read again: until then nothing of them is taken.
        await deps.refreshUntilRead();
        releasing = new Set();
        isReleasing = false;
      }
    },
  };
}
