/** What every handler finds in its context. */
import type { Next } from "hono";
import type { Question } from "../fairness/questions.ts";
import type { Actor } from "../identity/actor.ts";
import type { BodyReservation } from "./body-memory.ts";
import type { Client } from "./client.ts";

export interface HttpEnv {
  Variables: {
    /** Set by `requireScope`: there only in routes that use it. */
    actor: Actor;
    requestId: string;
    /** What the request holds of the memory for bodies. */
    bodyReservation: BodyReservation;
    /** Present once reading has begun. */
    body?: Promise<Buffer>;
    /** Carries out the rest of the request at most once; there where the caller asked for that. */
    once?: (next: Next) => Promise<Response | undefined>;
    /** Who is at the other end, determined on the first call. */
    client: () => Client;
    /** The caller, determined on the first call; a route that never calls it costs no look-up. */
    identify: () => Promise<Actor | undefined>;
    /** The key of entity tags; see entity-tag.ts. */
    tagSecret: () => Promise<string>;
    /** Carries the rest of the request out when it is the caller's turn; absent where nobody shares anything. */
    inTurn?: (caller: Pick<Actor, "id" | "node">, answer: () => Promise<void>) => Promise<void>;
    /** The request as one of those that share this process and the stores; set by `inTurn`. */
    question?: Question;
  };
}
