/** Each request waits for its turn (fairness/questions.ts says what turns are), and asks the store by a view of its own. */
import type { Writable } from "node:stream";
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { askedFor, type ClickHouse } from "../clickhouse/client.ts";
import type { Question, Questions } from "../fairness/questions.ts";
import type { Actor } from "../identity/actor.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { tenantOf } from "../tree/tenant-of.ts";
import type { HttpEnv } from "./http-env.ts";
import { readerPatience } from "./list-form.ts";

/** Waits for the turn of a caller whom the route has checked, and whose body is here: nobody keeps a turn by sending slowly. */
export const awaitTurn = createMiddleware<HttpEnv>(async (c, next) => {
  const actor: Actor | undefined = c.get("actor");
  const inTurn = c.get("inTurn");
  if (actor && inTurn) await inTurn(actor, next);
  else await next();
});

/** Mount it before the routes: those of `createRouter` use `awaitTurn`. */
export function takeTurns(questions: Questions, tree: Pick<NodeTree, "ancestors">) {
  return createMiddleware<HttpEnv>(async (c, next) => {
    c.set("inTurn", async ({ id, node }, answer) => {
      if (c.get("question")) return await answer();
      const caller = { tenant: tenantOf(node, tree), id };
      await questions.answer(caller, c.req.raw.signal, async (question) => {
        c.set("question", question);
        await answer();
        // Nobody reads the body of an answer to HEAD, whose writer would wait for a reader.
        if (c.req.raw.method === "HEAD" && !c.res.body?.locked) await c.res.body?.cancel();
        lastUntilSent(c, question);
      });
    });
    await next();
  });
}

/** An answer that nobody reads is held in memory: its turn is not over, so one caller has no more of them than turns. */
function lastUntilSent(c: Context<HttpEnv>, question: Pick<Question, "send" | "isLarge">): void {
  // Under node-server alone.
  const { outgoing } = (c.env ?? {}) as { outgoing?: Outgoing };
  if (!outgoing || outgoing.writableFinished || outgoing.destroyed) return;
  const { isSent } = question.send();
  const unwatch = cutSlowReader(outgoing, question.isLarge ? maxSendingLargeMs : Number.POSITIVE_INFINITY);
  const end = () => {
    unwatch();
    isSent();
  };
  outgoing.once("finish", end).once("close", end);
}

type Outgoing = Writable & { socket?: { bytesWritten: number } | null };

/** However fast its reader is, a large answer keeps others from theirs no longer. */
export const maxSendingLargeMs = 10 * 60_000;
const lookEveryMs = 1_000;

/**
 * Cuts the connection off when its reader has kept what was written waiting for longer than a reader may, or `maxMs` are over: a
 * reader holds a turn for as long as its answer needs, not for as long as it likes.
 */
function cutSlowReader(outgoing: Outgoing, maxMs: number): () => void {
  const { graceMs, bytesPerSecond } = readerPatience;
  const before = outgoing.socket?.bytesWritten ?? 0;
  let [passedMs, waitingMs] = [0, 0];
  const timer = setInterval(() => {
    passedMs += lookEveryMs;
    if (outgoing.writableLength > 0) waitingMs += lookEveryMs;
    const bytes = (outgoing.socket?.bytesWritten ?? 0) - before;
    if (passedMs >= maxMs || waitingMs >= graceMs + (bytes / bytesPerSecond) * 1_000) outgoing.destroy();
  }, lookEveryMs).unref();
  return () => clearInterval(timer);
}

/** The store for what this request asks: its statements end when its caller has gone. */
export function storeFor(c: Context<HttpEnv>, clickhouse: ClickHouse): ClickHouse {
  return askedFor(clickhouse, c.get("question"));
}
