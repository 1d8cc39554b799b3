/** What a chapter of the demonstration is given to tell it: ways to ask and to send, and when the story began. */
import { setTimeout as delay } from "node:timers/promises";
import type { UsageEvent } from "../contract/events.ts";
import { Emitter } from "../emitter/emitter.ts";
import { AnswerError, ApiCaller } from "../programs/api-caller.ts";
import type { Connection } from "../programs/connection.ts";

/** The receivers and the password that a demonstration is started with. */
export interface DemoSettings extends Connection {
  /** Takes what alerts and reports send. */
  webhookUrl: string;
  /** Where mails to somebody can be read, `ADDRESS` behind it; undefined where they go elsewhere. */
  mailsUrl: string | undefined;
  /** With which its people sign in; undefined: they stay invited. */
  password: string | undefined;
  /** How many of the usual meetings there are; 1 is all. */
  size: number;
}

/** Makes what is missing of its part, by names and ids that are the same at each start; what is there stays as somebody left it. */
export interface Chapter {
  /** What has happened once it is told. */
  title: string;
  tell(stage: Stage): Promise<void>;
}

const attemptEveryMs = 1_000;

export class Stage {
  readonly settings: DemoSettings;
  readonly signal: AbortSignal;
  /** With the demonstration's key. */
  readonly api: ApiCaller;
  /** When it was started for the first time, ms since 1970. */
  readonly startedAtMs: number;
  /** The first instant of the history, ms since 1970. */
  readonly firstMs: number;
  readonly #emitter: Emitter;
  readonly #people = new Map<string, ApiCaller>();

  constructor(settings: DemoSettings, times: { startedAtMs: number; firstMs: number }, signal: AbortSignal) {
    this.settings = settings;
    this.signal = signal;
    this.startedAtMs = times.startedAtMs;
    this.firstMs = times.firstMs;
    this.api = keyCaller(settings, signal);
    this.#emitter = new Emitter({ url: settings.url, key: settings.key, signal });
  }

  /** The instant this many days after the history began, RFC 3339. */
  day(days: number): string {
    return new Date(this.firstMs + days * 24 * 60 * 60_000).toISOString();
  }

  /** Resolves once the events are stored for good. */
  async emit(events: readonly UsageEvent[]): Promise<void> {
    await this.#emitter.send(events);
    await this.#emitter.flush();
  }

  /** As the person, or with the demonstration's key where nobody knows the person's password any more. */
  as(email: string): ApiCaller {
    return this.#people.get(email) ?? this.api;
  }

  async signIn(email: string): Promise<void> {
    const { password } = this.settings;
    if (password !== undefined) this.#people.set(email, await this.api.signIn(email, password));
  }

  /** Asks once a second until `look` finds something; undefined when it has not within the time. */
  async waitFor<T>(look: () => Promise<T | undefined>, withinMs: number): Promise<T | undefined> {
    for (const untilMs = Date.now() + withinMs; ; await delay(attemptEveryMs, undefined, { signal: this.signal })) {
      const found = await look();
      if (found !== undefined || Date.now() > untilMs) return found;
    }
  }
}

export const keyCaller = ({ url, key }: Connection, signal: AbortSignal) =>
  new ApiCaller(url, { authorization: `Bearer ${key}` }, signal);

/** Repeats `ask` while there is no answer or the service is not ready. */
export async function patiently<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const isPassing =
        error instanceof AnswerError && (error.status === 0 || error.status === 429 || error.status === 503);
      if (!isPassing) throw error;
      await delay(attemptEveryMs, undefined, { signal });
    }
  }
}
