/** The rights that a route asks of the caller, declared for the API's description by the middleware that checks them. */
import type { Role } from "../contract/accounts.ts";

export interface NeededRights {
  /** Undefined: no key will do. */
  key: readonly string[] | undefined;
  /** Empty: any role. */
  roles: readonly Role[];
}

const rightsOf = new WeakMap<object, NeededRights>();

export function needing<T extends object>(judgement: T, rights: NeededRights): T {
  rightsOf.set(judgement, rights);
  return judgement;
}

/** What the last of a route's judgements that says so asks for; undefined when none does. */
export function neededRights(judgements: readonly object[]): NeededRights | undefined {
  return judgements.map((judgement) => rightsOf.get(judgement)).findLast((rights) => rights !== undefined);
}
