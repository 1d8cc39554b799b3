/**
 * Who may ingest into the stores: one process alone, or the nodes of one cluster, never both and never two that do not know
 * of each other: each would count what the other counted. Pure; what is refused is said in words for who starts the process.
 */

/** A process that wants to ingest. */
export interface IngestProcess {
  name: string;
  /** Identifies the data folder, whose log is nowhere else. */
  folder: string;
  /** On one host a data folder has one process, which its lock sees to. */
  host: string;
  /** New at each start. */
  process: string;
  /** The node whose data folder is lost for good, and whose place this one takes. */
  lostNode: string | undefined;
}

/** What Postgres knows of a process. */
export interface KnownProcess {
  name: string;
  folder: string;
  host: string;
  process: string;
  isAlive: boolean;
}

export interface KnownNode extends KnownProcess {
  url: string;
  hasLeft: boolean;
}

export interface KnownStores {
  mode: "none" | "single" | "cluster";
  secretProof: string | null;
  /** The one that is alone; undefined unless `mode` is `single`. */
  single: KnownProcess | undefined;
  nodes: readonly KnownNode[];
}

/** `wait`: another process still sends heartbeats and may end within a moment; the reason is given when it does not. */
export type ClaimVerdict = { kind: "granted" } | { kind: "wait" | "refused"; reason: string };

const granted: ClaimVerdict = { kind: "granted" };
const refused = (reason: string): ClaimVerdict => ({ kind: "refused", reason });

/** For a process without cluster settings. */
export function evaluateSingle(mine: IngestProcess, { mode, single, nodes }: KnownStores): ClaimVerdict {
  if (mode === "cluster") {
    const names = present(nodes);
    return refused(
      `These stores belong to a cluster of ingest nodes${names ? ` (${names})` : ""}, and this process has no cluster settings: ` +
        "it would count their events twice. Set TIDEMARK_NODE_URL and the cluster's TIDEMARK_CLUSTER_SECRET. " +
        "To go back to a single process, stop every node with SIGTERM and let it finish: the last one to leave releases the stores" +
        `${names ? `; ${names} did not leave yet` : ""}.`,
    );
  }
  return single ? evaluateAfterSingle(mine, single, "start both as nodes of a cluster") : granted;
}

/** For a node of a cluster. */
export function evaluateNode(
  mine: IngestProcess & { url: string; secretProof: string },
  stores: KnownStores,
): ClaimVerdict {
  const { mode, single, secretProof, nodes } = stores;
  if (single) return evaluateAfterSingle(mine, single, "stop it with SIGTERM; then the cluster's nodes can start");
  const others = nodes.filter(({ hasLeft }) => !hasLeft);
  if (mode === "cluster" && secretProof !== null && secretProof !== mine.secretProof)
    return refused(
      `TIDEMARK_CLUSTER_SECRET is not the one of the cluster that these stores belong to (${present(nodes) || "no node runs"}). ` +
        "Use the same secret for every node. To change it, stop all nodes with SIGTERM and start them with the new one.",
    );
  const sameFolder = others.find(({ name, folder }) => folder === mine.folder && name !== mine.name);
  if (sameFolder)
    return refused(
      `This data folder is the ingest node ${sameFolder.name}'s, which owns what its log holds: set TIDEMARK_NODE=${sameFolder.name}, ` +
        "or stop it under that name with SIGTERM before it is given another.",
    );
  const sameUrl = others.find(({ name, url }) => url === mine.url && name !== mine.name && name !== mine.lostNode);
  if (sameUrl)
    return {
      kind: sameUrl.isAlive ? "refused" : "wait",
      reason:
        `TIDEMARK_NODE_URL ${mine.url} is where the ingest node ${sameUrl.name} is reached. Give each node its own; ` +
        `if this one replaces ${sameUrl.name}, whose data folder is lost, ${replacing(sameUrl.name)}.`,
    };
  const before = others.find(({ name }) => name === mine.name);
  if (!before || isSameProcessAgain(mine, before)) return granted;
  if (before.isAlive)
    return {
      kind: "wait",
      reason: `Another process (on ${before.host || "another host"}) is the ingest node ${mine.name}. Give each its own TIDEMARK_NODE and data folder.`,
    };
  if (before.folder === mine.folder || mine.lostNode === mine.name) return granted;
  return refused(leftBehind(mine.name));
}

function evaluateAfterSingle(mine: IngestProcess, single: KnownProcess, orElse: string): ClaimVerdict {
  if (single.process === mine.process || isSameProcessAgain(mine, single)) return granted;
  if (single.isAlive)
    return {
      kind: "wait",
      reason:
        `The ingest process ${single.name} (on ${single.host}) already uses these stores, and two processes that do not know of each other ` +
        `would count events twice. Stop that one first, or ${orElse}.`,
    };
  if (single.folder === mine.folder || mine.lostNode === single.name) return granted;
  return refused(leftBehind(single.name));
}

/** The folder's lock says that the process before this one is over. */
function isSameProcessAgain(mine: IngestProcess, before: KnownProcess): boolean {
  return before.folder === mine.folder && before.host === mine.host;
}

function leftBehind(name: string): string {
  return (
    `The ingest process ${name} was not stopped cleanly, and its data folder may hold events that were acknowledged and are not stored yet. ` +
    `Start it once more with that folder. If the folder is lost for good, ${replacing(name)} for one start; events that only it held are then lost.`
  );
}

const replacing = (name: string) => `set TIDEMARK_NODE=${name} and TIDEMARK_LOST_NODE=${name}`;

const present = (nodes: readonly KnownNode[]) =>
  nodes
    .filter(({ hasLeft }) => !hasLeft)
    .map(({ name }) => name)
    .sort()
    .join(", ");
