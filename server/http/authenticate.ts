/**
 * Who asks, and whether they may. Every route that is not public uses `requireScope`; what a route then answers is
 * limited to the caller's subtree by `resolveNode`.
 */
import { createMiddleware } from "hono/factory";
import type { Action } from "../contract/accounts.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { isStoreUnavailable } from "../health/store-trouble.ts";
import type { Actor } from "../identity/actor.ts";
import type { Keys } from "../identity/keys.ts";
import { limitedByStatus, narrowTo, rightsOfActions } from "../identity/permissions.ts";
import { type SignInSessions, sessionCookie } from "../identity/sign-in-sessions.ts";
import { ProblemError } from "../problem.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import type { HttpEnv } from "./http-env.ts";
import { withRequiredRights } from "./needed-rights.ts";

/** The credentials of a request or a socket, as its headers have them, and from where they came where that is known. */
export interface Credentials {
  authorization?: string | undefined;
  cookie?: string | undefined;
  address?: string | undefined;
}

export interface Authenticator {
  /**
   * Undefined when nothing was given or what was given is not (or no longer) valid. Rejects when Postgres cannot be
   * asked.
   */
  authenticate(credentials: Credentials): Promise<Actor | undefined>;
}

/** Longer ones are not keys, and hashing them would be work for nothing. */
const maxKeyLength = 512;

const lookUpRetrySeconds = 5;

/** A bearer key takes precedence over a cookie: a request with a key never gets the rights of a browser's session. */
export function createAuthenticator({
  keys,
  signInSessions,
  tree,
}: {
  keys: Pick<Keys, "verify">;
  signInSessions: Pick<SignInSessions, "verify">;
  tree: Pick<NodeTree, "effectiveStatus">;
}): Authenticator {
  async function identify({ authorization, cookie, address }: Credentials): Promise<Actor | undefined> {
    if (authorization !== undefined) {
      const key = /^bearer +(\S+) *$/i.exec(authorization)?.[1];
      return key === undefined || key.length > maxKeyLength ? undefined : keys.verify(key, address);
    }
    const token = sessionToken(cookie);
    return token === undefined ? undefined : signInSessions.verify(token, address);
  }
  return {
    async authenticate(credentials) {
      const actor = await identify(credentials).catch((cause: unknown) => {
        if (!isStoreUnavailable(cause)) throw cause;
        const detail = "these credentials cannot be checked right now; nothing was done. Try again";
        throw new ProblemError("store_unavailable", detail, { retryAfterSeconds: lookUpRetrySeconds, cause });
      });
      return actor && limitedByStatus(actor, tree);
    },
  };
}

/** The session's token in a `Cookie` header. */
export function sessionToken(cookie: string | undefined): string | undefined {
  for (const part of cookie?.split(";") ?? []) {
    const [name, value] = part.trim().split("=", 2);
    if (name === sessionCookie && value) return value;
  }
  return undefined;
}

/** Mount before the routes that use `requireScope` or `requireActor`. It refuses nothing by itself. */
export function attachActor(authenticator: Authenticator) {
  return createMiddleware<HttpEnv>(async (c, next) => {
    let actor: Promise<Actor | undefined> | undefined;
    c.set("identify", () => {
      actor ??= authenticator.authenticate({
        authorization: c.req.header("authorization"),
        cookie: c.req.header("cookie"),
        address: c.get("client")().address,
      });
      return actor;
    });
    await next();
  });
}

/**
 * Lets through only callers that may do this at one node at least, and puts them into the context as `actor`, narrowed to
 * the nodes where they may: what a route then answers is limited to these by `resolveNode` and `isWithinReach`.
 */
export function requireScope(action: Action) {
  const guard = createMiddleware<HttpEnv>(async (c, next) => {
    const caller = await identified(c.get("identify"), c.req.raw);
    const actor = narrowTo(caller, action);
    if (!actor) {
      const held = caller.grants.find(({ status }) => status !== undefined);
      if (held?.status) throw new ProblemError("forbidden", `${held.node} or a node above it is ${held.status}`);
      const rights = rightsOfActions[action];
      const needed = `needs a key with ${rights.key.join(" and ")}, or a user with the role ${rights.roles.join(" or ")}`;
      throw new ProblemError("forbidden", `the caller does not have permission for this: ${needed}`);
    }
    c.set("actor", actor);
    await next();
  });
  return withRequiredRights(guard, rightsOfActions[action]);
}

/** Lets through every caller who is known, whatever the scopes. */
export const requireActor = createMiddleware<HttpEnv>(async (c, next) => {
  c.set("actor", await identified(c.get("identify"), c.req.raw));
  await next();
});

/**
 * The node that a request is about: the requested one, by default the caller's own. `field` names the parameter.
 * Throws `forbidden` outside the nodes that `requireScope` narrowed the caller to, whether the node exists or not;
 * `not_found` inside.
 */
export function resolveNode(
  actor: Pick<Actor, "node" | "reach">,
  tree: Pick<NodeTree, "get" | "isWithin">,
  requested?: NodeAddress,
  field = "node",
): NodeAddress {
  const node = nodeWithin(actor, tree, requested);
  if (node !== undefined) return node;
  if (requested !== undefined && isWithinReach(actor, tree, requested))
    throw new ProblemError("not_found", `there is no node ${requested}`, { field });
  throw new ProblemError("forbidden", `${requested} is not within ${actor.reach.join(" or ")}`, { field });
}

/** Whether the node is one of those that the caller is narrowed to, or stands below one. */
export function isWithinReach(
  actor: Pick<Actor, "reach">,
  tree: Pick<NodeTree, "isWithin">,
  node: NodeAddress,
): boolean {
  return actor.reach.some((top) => tree.isWithin(node, top));
}

/** What was found, if it is of such a node. Throws `not_found` otherwise, as if there were none. */
export function withinReach<Found extends { node: NodeAddress }>(
  actor: Pick<Actor, "reach">,
  tree: Pick<NodeTree, "isWithin">,
  found: Found | undefined,
  what: string,
): Found {
  if (!found || !isWithinReach(actor, tree, found.node))
    throw new ProblemError("not_found", `there is no such ${what}`);
  return found;
}

/** `resolveNode` for sockets: undefined where that throws. */
export function nodeWithin(
  actor: Pick<Actor, "node" | "reach">,
  tree: Pick<NodeTree, "get" | "isWithin">,
  requested?: NodeAddress,
): NodeAddress | undefined {
  if (requested === undefined) return actor.node;
  return isWithinReach(actor, tree, requested) && tree.get(requested) ? requested : undefined;
}

/**
 * Throws unless a browser says that the request comes from a page of this very server: a cookie is sent along by
 * itself, so without this any page could act for whoever is signed in. `isOriginNeeded` also refuses callers that say
 * nothing, which browsers never do on a write.
 */
export function refuseForeignOrigin(request: Request, isOriginNeeded: boolean): void {
  const origin = request.headers.get("origin");
  if (origin === null && !isOriginNeeded) return;
  // Names and ports are compared, not schemes: TLS often ends at a proxy.
  const host = request.headers.get("host") ?? new URL(request.url).host;
  if (origin === null || !URL.canParse(origin) || new URL(origin).host !== host)
    throw new ProblemError("forbidden", "writes with a session cookie must come from this server's own pages");
}

async function identified(identify: () => Promise<Actor | undefined>, request: Request): Promise<Actor> {
  const actor = await identify();
  if (!actor)
    throw new ProblemError("unauthenticated", "a valid API key (Authorization: Bearer) or a session is required");
  const isWrite = request.method !== "GET" && request.method !== "HEAD";
  if (actor.kind === "user" && isWrite) refuseForeignOrigin(request, true);
  return actor;
}
