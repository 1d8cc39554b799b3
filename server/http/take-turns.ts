/** Requests as questions that take turns (server/fairness), each with its own view of the store that it asks. */
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { askedFor, type ClickHouse } from "../clickhouse/client.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Questions } from "../fairness/questions.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import type { HttpEnv } from "./http-env.ts";

/** Mount it before the routes: `requireScope` waits for the caller's turn, once it is known that the caller may ask. */
export function takeTurns(questions: Questions, tree: Pick<NodeTree, "ancestors">) {
  return createMiddleware<HttpEnv>(async (c, next) => {
    c.set("inTurn", async (actor, answer) => {
      if (c.get("question")) return await answer();
      const caller = { tenant: tenantOf(actor.node, tree), id: actor.id };
      await questions.answer(caller, c.req.raw.signal, async (question) => {
        c.set("question", question);
        await answer();
      });
    });
    await next();
  });
}

/** Who share among themselves what is shared between tenants: all below one node right below the root. */
export function tenantOf(node: NodeAddress, tree: Pick<NodeTree, "ancestors">): NodeAddress {
  return tree.ancestors(node).at(-2) ?? "all";
}

/** The store for what this request asks: its statements end when its caller has gone. */
export function storeFor(c: Context<HttpEnv>, clickhouse: ClickHouse): ClickHouse {
  return askedFor(clickhouse, c.get("question"));
}
