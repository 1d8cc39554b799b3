import type { Action } from "../../../server/contract/accounts.ts";
import type { Answer, Asked } from "../../support/accounts.ts";
import type { World } from "../../support/isolation-world.ts";

/** What the matrix must know of a route; isolation-matrix.test.ts says how to add one. */
export interface RouteCase {
  /** Method and path as OpenAPI writes them: `GET /v1/nodes/{node}`. */
  route: string;
  /** The action that the route demands; `credentials`: any caller who is known; `a session`: a user;`nothing`: open to everybody. */
  needs: Action | "credentials" | "a session" | "nothing";
  /** Users are refused, whatever their role. */
  isForKeys?: true;
  /**
   * A request about `askedAbout` or something at or below `inside`, made anew for every caller who is not refused by their rights alone:
   * what a request uses up (a key to revoke) is made here. `path` takes the place of the route's own where it has parameters or a query.
   */
  request?: (world: World) => Request | Promise<Request>;
  /** What callers are answered who may. */
  allowed: number;
  /**
   * What callers are answered whose rights lie elsewhere: a status, or `nothing` where they are answered as the others
   * are, without a word about `askedAbout` and what is in it. A function checks the answer itself.
   */
  elsewhere: 403 | 404 | 422 | "nothing" | "the same" | ((answer: Answer) => void);
  /** What who had `inside` before is answered, where it is not `elsewhere`. */
  pastOwner?: (answer: Answer) => void;
}

interface Request extends Pick<Asked, "body" | "headers"> {
  path?: string;
}

type Make = (world: World) => Promise<string>;

/** A request about one thing, which `make` makes inside and gives the id of: whoever has no right there does not find it. */
export const ofOne = (
  route: string,
  needs: RouteCase["needs"],
  allowed: number,
  make: Make,
  body?: object,
): RouteCase => ({
  route,
  needs,
  request: async (world) => ({ path: pathOf(route).replace(/\{\w+\}/, await make(world)), body }),
  allowed,
  elsewhere: 404,
});

/** A list that every caller has of its own, after `make` made something inside. */
export const listWith = (route: string, needs: RouteCase["needs"], make: Make): RouteCase => ({
  route,
  needs,
  request: async (world) => {
    await make(world);
    return {};
  },
  allowed: 200,
  elsewhere: "nothing",
});

/** A question whose query names a node at or below `inside`. */
export const askedOf = (route: string, needs: RouteCase["needs"], query: string): RouteCase => ({
  route,
  needs,
  request: () => ({ path: `${pathOf(route)}?${query}` }),
  allowed: 200,
  elsewhere: 403,
});

const pathOf = (route: string) => route.slice(route.indexOf("/"));
