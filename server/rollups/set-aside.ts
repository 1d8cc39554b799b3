/**
 * Sessions of which storage has more than a derivation may read. They stay as they were derived the last time, so that they hold up nobody
 * else, and are tried again after a while: what was too much for a busy server need not be so later. A new process tries those of
 * the one before.
 */
import { sessionKey } from "./session-intervals.ts";

export interface SessionName {
  organization: string;
  session: string;
}

const retryAfterMs = 10 * 60_000;
/** Tried again at once: each may take as much of the store as a derivation may. */
const mostAtOnce = 10;

interface Aside extends SessionName {
  againAtMs: number;
}

export class SetAside {
  /** By `sessionKey`, as those below. */
  readonly #sessions = new Map<string, Aside>();
  /** Those that are being tried again: what comes of them is not written yet. */
  readonly #tried = new Map<string, Aside>();

  add(name: SessionName, nowMs: number): void {
    const { organization, session } = name;
    const key = sessionKey(name);
    this.#tried.delete(key);
    this.#sessions.set(key, { organization, session, againAtMs: nowMs + retryAfterMs });
  }

  /** Those that another process had set aside: their time has come. */
  recall(names: readonly SessionName[], nowMs: number): void {
    for (const name of names) if (!this.has(name)) this.#sessions.set(sessionKey(name), { ...name, againAtMs: nowMs });
  }

  has(name: SessionName): boolean {
    return this.#sessions.size > 0 && this.#sessions.has(sessionKey(name));
  }

  /** Those whose time has come. They are no longer set aside: whoever takes them derives them, or sets them aside again. */
  takeDue(nowMs: number): SessionName[] {
    const due = [...this.#sessions].filter(([, { againAtMs }]) => againAtMs <= nowMs).slice(0, mostAtOnce);
    for (const [key, name] of due) {
      this.#sessions.delete(key);
      this.#tried.set(key, name);
    }
    return due.map(([, name]) => name);
  }

  /** They are derived, and written. */
  settle(names: readonly SessionName[]): void {
    for (const name of names) this.#tried.delete(sessionKey(name));
  }

  /** What came of those that were taken is not written: their time has still come. */
  putBack(): void {
    for (const [key, name] of this.#tried) this.#sessions.set(key, name);
    this.#tried.clear();
  }

  /** As parameters of statements about dirty sessions, which leave them out. */
  asParams(): { aside_organizations: string[]; aside_sessions: string[] } {
    const names = [...this.#sessions.values()];
    return {
      aside_organizations: names.map(({ organization }) => organization),
      aside_sessions: names.map(({ session }) => session),
    };
  }
}
