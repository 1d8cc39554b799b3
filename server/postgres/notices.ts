/**
 * LISTEN on one connection of its own. What is notified while the connection is down is lost, so a subscriber is also
 * called at every new connection and must then read its state again.
 */
import type pg from "pg";

export interface Subscriber {
  /** A NOTIFY on the channel. */
  notified(payload: string): void;
  /** LISTEN is in force (again): notices before this moment may have been missed. */
  listening(): void;
}

const retryDelaysMs = [50, 200, 500, 1_000, 2_000] as const;
/** A connection that is cut without a word is found this soon. */
const probeEveryMs = 5_000;

export class Notices {
  readonly #connect: () => pg.Client;
  readonly #subscribers = new Map<string, Set<Subscriber>>();
  #client: pg.Client | undefined;
  #connecting: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #failures = 0;
  #isClosed = false;

  constructor(connect: () => pg.Client) {
    this.#connect = connect;
  }

  /**
   * Resolves when LISTEN is in force and `listening` was called. Rejects when the database cannot be reached now; it is
   * tried again until it can, so the subscriber stays.
   */
  async subscribe(channel: string, subscriber: Subscriber): Promise<void> {
    const existing = this.#subscribers.get(channel);
    if (existing) existing.add(subscriber);
    else this.#subscribers.set(channel, new Set([subscriber]));
    if (this.#client) {
      await this.#client.query(`LISTEN ${quoted(channel)}`);
      subscriber.listening();
      return;
    }
    await this.#open();
  }

  /** What is notified from now on does not reach the subscriber. */
  unsubscribe(channel: string, subscriber: Subscriber): void {
    this.#subscribers.get(channel)?.delete(subscriber);
  }

  /** Calls the subscribers of this process, which are not to wait until Postgres brings the notice. */
  deliver(channel: string, payload: string): void {
    for (const subscriber of this.#subscribers.get(channel) ?? []) subscriber.notified(payload);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    await this.#connecting?.catch(() => {});
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => {});
  }

  #open(): Promise<void> {
    this.#connecting ??= this.#establish().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #establish(): Promise<void> {
    const client = this.#connect();
    let probe: NodeJS.Timeout | undefined;
    const lost = () => {
      clearInterval(probe);
      if (this.#client !== client) return;
      this.#client = undefined;
      this.#reopenLater();
    };
    client.on("error", lost);
    client.on("end", lost);
    client.on("notification", ({ channel, payload }) => this.deliver(channel, payload ?? ""));
    try {
      await client.connect();
      const channels = [...this.#subscribers.keys()];
      if (channels.length > 0) await client.query(channels.map((channel) => `LISTEN ${quoted(channel)}`).join("; "));
    } catch (error) {
      client.end().catch(() => {});
      this.#reopenLater();
      throw error;
    }
    if (this.#isClosed) {
      await client.end().catch(() => {});
      return;
    }
    this.#client = client;
    this.#failures = 0;
    probe = setInterval(() => {
      const deadline = setTimeout(() => client.connection.stream.destroy(), probeEveryMs);
      client.query("SELECT 1").then(
        () => clearTimeout(deadline),
        () => clearTimeout(deadline),
      );
    }, probeEveryMs);
    probe.unref();
    for (const subscribers of this.#subscribers.values()) for (const subscriber of subscribers) subscriber.listening();
  }

  #reopenLater(): void {
    if (this.#isClosed) return;
    const delayMs = retryDelaysMs[Math.min(this.#failures++, retryDelaysMs.length - 1)];
    this.#retry = setTimeout(() => {
      this.#open().catch(() => {});
    }, delayMs);
  }
}

function quoted(channel: string): string {
  return `"${channel.replaceAll('"', '""')}"`;
}
