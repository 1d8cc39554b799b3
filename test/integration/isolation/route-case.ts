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
   * A request about `askedAbout` or something at or below `inside`, made anew for every caller: what a request uses up
   * (a key to revoke) is made here. `path` takes the place of the route's own where it has parameters or a query.
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
