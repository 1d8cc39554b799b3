/** Requests as questions that take turns (server/fairness), each with its own view of the store that it asks. */
import type { Writable } from "node:stream";
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { askedFor, type ClickHouse } from "../clickhouse/client.ts";
import type { Question, Questions } from "../fairness/questions.ts";
import type { Actor } from "../identity/actor.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { tenantOf } from "../tree/tenant-of.ts";
import type { HttpEnv } from "./http-env.ts";

/** Waits for the turn of a caller whom the route has judged, and whose body is here: nobody keeps a turn by sending slowly. */
export const awaitTurn = createMiddleware<HttpEnv>(async (c, next) => {
  const actor: Actor | undefined = c.get("actor");
  const inTurn = c.get("inTurn");
  if (actor && inTurn) await inTurn(actor, next);
  else await next();
});

/** Mount it before the routes: those of `createRouter` use `awaitTurn`. */
export function takeTurns(questions: Questions, tree: Pick<NodeTree, "ancestors">) {
  return createMiddleware<HttpEnv>(async (c, next) => {
    c.set("inTurn", async (actor, answer) => {
      if (c.get("question")) return await answer();
      const caller = { tenant: tenantOf(actor.node, tree), id: actor.id };
      await questions.answer(caller, c.req.raw.signal, async (question) => {
        c.set("question", question);
        await answer();
        lastUntilSent(c, question);
      });
    });
    await next();
  });
}

/** An answer that nobody reads is held in memory: its turn is not over, so one caller has no more of them than turns. */
function lastUntilSent(c: Context<HttpEnv>, question: Pick<Question, "send">): void {
  // Under node-server alone.
  const { outgoing } = (c.env ?? {}) as { outgoing?: Writable };
  if (!outgoing || outgoing.writableFinished || outgoing.destroyed) return;
  const { isSent } = question.send();
  outgoing.once("finish", isSent).once("close", isSent);
}

/** The store for what this request asks: its statements end when its caller has gone. */
export function storeFor(c: Context<HttpEnv>, clickhouse: ClickHouse): ClickHouse {
  return askedFor(clickhouse, c.get("question"));
}
