/**
 * The sessions that are held in memory, up to as many members in all as fit into what the process may take. The one that was used
 * longest ago goes first: whoever needs it again reads it from storage, which has all of it.
 */
import type { RunningSession } from "./running-session.ts";
import { sessionKey } from "./session-members.ts";

/** Some 700 bytes each. */
const mostMembers = 100_000;

export interface HeldSizes {
  sessions: number;
  members: number;
}

export class RunningSessions {
  /** In order of their last use, by `sessionKey`. */
  readonly #held = new Map<string, { session: RunningSession; members: number }>();
  readonly #mostMembers: number;
  #members = 0;

  constructor(most = mostMembers) {
    this.#mostMembers = most;
  }

  get sizes(): HeldSizes {
    return { sessions: this.#held.size, members: this.#members };
  }

  get(key: string): RunningSession | undefined {
    return this.#held.get(key)?.session;
  }

  /** Holds it from now on, as it is stored. */
  hold(session: RunningSession): void {
    const key = sessionKey(session.named);
    this.letGo(key);
    this.#held.set(key, { session, members: session.members });
    this.#members += session.members;
    for (const oldest of this.#held.keys()) {
      if (this.#members <= this.#mostMembers) return;
      this.letGo(oldest);
    }
  }

  letGo(key: string): void {
    const entry = this.#held.get(key);
    if (!entry) return;
    this.#held.delete(key);
    this.#members -= entry.members;
  }

  letGoOf(organization: string): void {
    for (const [key, { session }] of this.#held) if (session.named.organization === organization) this.letGo(key);
  }

  letAllGo(): void {
    this.#held.clear();
    this.#members = 0;
  }
}
