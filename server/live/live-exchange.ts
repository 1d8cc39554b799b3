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
/** One message: the nodes, and those who wait for each. Who asks when it is sent asks in the next one, and so hears nothing old. */
type Question = Map<NodeAddress, ((answer: Answer) => void)[]>;

export function createLiveExchange({ redis, read, isSource, log }: LiveExchangeDeps): LiveExchange {
  const process = randomUUID();
  // Channels are those of the whole server, whatever database a connection uses.
  const prefix = `tidemark:${redis.options.db ?? 0}:live`;
  const askedChannel = `${prefix}:asked`;
  const answeredChannel = (by: string) => `${prefix}:answered:${by}`;
  const subscriber = redis.duplicate();
  // The connection that it doubles logs its outages.
  subscriber.on("error", () => undefined);
  const sent = new Map<number, Question>();
  let sentNumber = 0;
  let gathered: Question = new Map();
  let sendTimer: NodeJS.Timeout | undefined;
  let silentUntilMs = Number.NEGATIVE_INFINITY;

  subscriber.subscribe(askedChannel, answeredChannel(process)).catch((err: unknown) => {
    log.warn({ err }, "live levels of other processes cannot be asked for");
  });
  subscriber.on("message", (channel, text) => {
    try {
      if (channel === askedChannel) answer(askedSchema.parse(parseJson(text)));
      else take(answeredSchema.parse(parseJson(text)));
    } catch (err) {
      log.warn({ err }, "a message about live levels could not be read");
    }
  });

  function publish(channel: string, message: object): void {
    if (redis.status === "ready") redis.publish(channel, JSON.stringify(message)).catch(() => undefined);
  }

  function answer({ by, number, nodes }: z.output<typeof askedSchema>): void {
    if (by === process) return;
    const answers = nodes.flatMap((node) => read(node) ?? []);
    const answered = new Set(answers.map(({ node }) => node));
    const stored = isSource() ? nodes.filter((node) => !answered.has(node)) : [];
    if (answers.length > 0 || stored.length > 0) publish(answeredChannel(by), { number, answers, stored });
  }

  function take({ number, answers, stored }: z.output<typeof answeredSchema>): void {
    silentUntilMs = Number.NEGATIVE_INFINITY;
    const question = sent.get(number);
    const answerAll = (node: NodeAddress, answer: Answer) => {
      for (const resolve of question?.get(node) ?? []) resolve(answer);
      question?.delete(node);
    };
    for (const one of answers) answerAll(one.node, one);
    for (const node of stored) answerAll(node, undefined);
    if (question?.size === 0) sent.delete(number);
  }

  function send(): void {
    sendTimer = undefined;
    const question = gathered;
    gathered = new Map();
    const number = ++sentNumber;
    sent.set(number, question);
    publish(askedChannel, { by: process, number, nodes: [...question.keys()] });
    setTimeout(() => {
      if (!sent.delete(number)) return;
      silentUntilMs = performance.now() + pauseMs;
      giveUp(question);
    }, patienceMs);
  }

  return {
    ask(node) {
      if (redis.status !== "ready" || performance.now() < silentUntilMs) return Promise.resolve(undefined);
      return new Promise((resolve) => {
        const waiting = gathered.get(node) ?? [];
        gathered.set(node, [...waiting, resolve]);
        if (gathered.size < maxNodesPerMessage) sendTimer ??= setTimeout(send, gatherMs);
        else {
          clearTimeout(sendTimer);
          send();
        }
      });
    },
    close() {
      clearTimeout(sendTimer);
      for (const question of [gathered, ...sent.values()]) giveUp(question);
      sent.clear();
      subscriber.disconnect();
    },
  };
}

function giveUp(question: Question): void {
  for (const waiting of question.values()) for (const resolve of waiting) resolve(undefined);
}
