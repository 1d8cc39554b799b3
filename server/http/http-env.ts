/** What every handler finds in its context. */
import type { Actor } from "../accounts/actor.ts";
import type { Client } from "./client.ts";

export interface HttpEnv {
  Variables: {
    /** Set by `requireScope`: there only in routes that use it. */
    actor: Actor;
    requestId: string;
    /** Who is at the other end, found out on the first call. */
    client: () => Client;
    /** Who asks, found out on the first call; a route that never calls it costs no look-up. */
    identify: () => Promise<Actor | undefined>;
    /** The key of entity tags; see entity-tag.ts. */
    tagSecret: () => Promise<string>;
  };
}
