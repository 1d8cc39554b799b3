/**
 * Live levels for processes that do not derive: they ask over Redis, and the process that has them in memory answers, with its
 * watermark. Messages may be lost; then who asked reads storage, and asks nobody for a while.
 */
import { randomUUID } from "node:crypto";
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import { z } from "zod";
import { type LiveAnswer, liveAnswerSchema } from "../contract/live.ts";
import { type NodeAddress, nodeAddressSchema } from "../contract/nodes.ts";
import { parseJson } from "../json/parse-json.ts";

export interface LiveExchangeDeps {
  redis: Redis;
  /** What this process has in memory itself; undefined: another one may. */
  read: (node: NodeAddress) => LiveAnswer | undefined;
  /** Whether this process is the one that has them: then what it does not have is in storage alone. */
  isSource: () => boolean;
  log: Pick<Logger, "warn">;
}

export interface LiveExchange {
  /** undefined: nobody has it, or nobody answered in time, and storage is to be read. */
  ask(node: NodeAddress): Promise<LiveAnswer | undefined>;
  close(): void;
}

/** What is asked within this time goes as one message. */
const gatherMs = 5;
const maxNodesPerMessage = 200;
const patienceMs = 500;
/** After nobody answered. */
const pauseMs = 2_000;

const askedSchema = z.object({ by: z.string(), number: z.int(), nodes: z.array(nodeAddressSchema) });
const answeredSchema = z.object({
  number: z.int(),
  answers: z.array(liveAnswerSchema),
  /** To be read from storage. */
  stored: z.array(nodeAddressSchema).default([]),
});

type Answer = LiveAnswer | undefined;
/** One message: the nodes, and those who wait for each. What is asked for once it was sent goes into the next message, so that nobody gets an old answer. */
type Question = Map<NodeAddress, ((answer: Answer) => void)[]>;

export function createLiveExchange(deps: LiveExchangeDeps): LiveExchange {
  return new RedisLiveExchange(deps);
}

class RedisLiveExchange implements LiveExchange {
  readonly #deps: LiveExchangeDeps;
  readonly #process = randomUUID();
  readonly #askedChannel: string;
  readonly #subscriber: Redis;
  readonly #sent = new Map<number, Question>();
  #sentNumber = 0;
  #gathered: Question = new Map();
  #sendTimer: NodeJS.Timeout | undefined;
  #silentUntilMs = Number.NEGATIVE_INFINITY;

  constructor(deps: LiveExchangeDeps) {
    const { redis, log } = deps;
    this.#deps = deps;
    this.#askedChannel = `${this.#prefix}:asked`;
    this.#subscriber = redis.duplicate();
    // The connection that it doubles logs its outages.
    this.#subscriber.on("error", () => undefined);
    this.#subscriber.subscribe(this.#askedChannel, this.#answeredChannel(this.#process)).catch((err: unknown) => {
      log.warn({ err }, "live levels of other processes cannot be asked for");
    });
    this.#subscriber.on("message", (channel, text) => {
      try {
        if (channel === this.#askedChannel) this.#answer(askedSchema.parse(parseJson(text)));
        else this.#take(answeredSchema.parse(parseJson(text)));
      } catch (err) {
        log.warn({ err }, "a message about live levels could not be read");
      }
    });
  }

  /** Channels are those of the whole server, whatever database a connection uses. */
  get #prefix(): string {
    return `tidemark:${this.#deps.redis.options.db ?? 0}:live`;
  }

  #answeredChannel(by: string): string {
    return `${this.#prefix}:answered:${by}`;
  }

  #publish(channel: string, message: object): void {
    const { redis } = this.#deps;
    if (redis.status === "ready") redis.publish(channel, JSON.stringify(message)).catch(() => undefined);
  }

  #answer({ by, number, nodes }: z.output<typeof askedSchema>): void {
    if (by === this.#process) return;
    const answers = nodes.flatMap((node) => this.#deps.read(node) ?? []);
    const answered = new Set(answers.map(({ node }) => node));
    const stored = this.#deps.isSource() ? nodes.filter((node) => !answered.has(node)) : [];
    if (answers.length > 0 || stored.length > 0) this.#publish(this.#answeredChannel(by), { number, answers, stored });
  }

  #take({ number, answers, stored }: z.output<typeof answeredSchema>): void {
    this.#silentUntilMs = Number.NEGATIVE_INFINITY;
    const question = this.#sent.get(number);
    const answerAll = (node: NodeAddress, answer: Answer) => {
      for (const resolve of question?.get(node) ?? []) resolve(answer);
      question?.delete(node);
    };
    for (const one of answers) answerAll(one.node, one);
    for (const node of stored) answerAll(node, undefined);
    if (question?.size === 0) this.#sent.delete(number);
  }

  #send(): void {
    this.#sendTimer = undefined;
    const question = this.#gathered;
    this.#gathered = new Map();
    const number = ++this.#sentNumber;
    this.#sent.set(number, question);
    this.#publish(this.#askedChannel, { by: this.#process, number, nodes: [...question.keys()] });
    setTimeout(() => {
      if (!this.#sent.delete(number)) return;
      this.#silentUntilMs = performance.now() + pauseMs;
      giveUp(question);
    }, patienceMs);
  }

  ask(node: NodeAddress): Promise<Answer> {
    if (this.#deps.redis.status !== "ready" || performance.now() < this.#silentUntilMs)
      return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const waiting = this.#gathered.get(node) ?? [];
      this.#gathered.set(node, [...waiting, resolve]);
      if (this.#gathered.size < maxNodesPerMessage) this.#sendTimer ??= setTimeout(() => this.#send(), gatherMs);
      else {
        clearTimeout(this.#sendTimer);
        this.#send();
      }
    });
  }

  close(): void {
    clearTimeout(this.#sendTimer);
    for (const question of [this.#gathered, ...this.#sent.values()]) giveUp(question);
    this.#sent.clear();
    this.#subscriber.disconnect();
  }
}

function giveUp(question: Question): void {
  for (const waiting of question.values()) for (const resolve of waiting) resolve(undefined);
}
