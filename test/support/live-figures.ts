/** What a live gateway is made with in tests: figures and accounts without stores. */
import type { LiveAnswer } from "../../server/contract/live.ts";
import type { Actor } from "../../server/identity/actor.ts";
import type { LiveCredentials } from "../../server/live/socket-credentials.ts";

/** Figures that tests change; counts who reads what. */
export class Figures {
  readonly participants = new Map<string, number>();
  readonly reads: { node: string; atMs: number }[] = [];
  isDown = false;

  read = async (node: string): Promise<LiveAnswer> => {
    this.reads.push({ node, atMs: performance.now() });
    if (this.isDown) throw new Error("storage is away");
    const at = new Date().toISOString();
    const live_participants = this.participants.get(node) ?? 0;
    return {
      node,
      at,
      watermark: at,
      levels: { live_participants, live_sessions: 0, active_recordings: 0 },
      rooms: [],
    };
  };

  readsOf(node: string): number {
    return this.reads.filter((read) => read.node === node).length;
  }
}

/** Tokens that are good, and the node that each of them may see with what is below it. */
export class Accounts {
  readonly nodes: Map<string, string>;
  readonly seen: LiveCredentials[] = [];

  constructor(nodes: Iterable<[token: string, node: string]>) {
    this.nodes = new Map(nodes);
  }

  authenticate = async (credentials: LiveCredentials): Promise<Actor | undefined> => {
    this.seen.push(credentials);
    const token =
      credentials.authorization?.slice("Bearer ".length) ?? /session=(\w+)/.exec(credentials.cookie ?? "")?.[1];
    const node = token === undefined ? undefined : this.nodes.get(token);
    if (node === undefined) return undefined;
    return {
      kind: "key",
      id: "key_1",
      name: "test",
      node,
      reach: [node],
      grants: [{ node, actions: new Set(["read"]) }],
      createOrganizations: false,
    };
  };
}
