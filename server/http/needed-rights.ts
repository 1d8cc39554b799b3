/** The rights that a route asks of the caller, declared for the API's description by the middleware that checks them. */
import type { Role } from "../contract/accounts.ts";

export interface NeededRights {
  /** Undefined: no key will do. */
  key: readonly string[] | undefined;
  /** Empty: any role. */
  roles: readonly Role[];
}

const rightsOf = new WeakMap<object, NeededRights>();

export function withRequiredRights<T extends object>(guard: T, rights: NeededRights): T {
  rightsOf.set(guard, rights);
  return guard;
}

/** What the last of a route's guards that says so asks for; undefined when none does. */
export function neededRights(guards: readonly object[]): NeededRights | undefined {
  return guards.map((guard) => rightsOf.get(guard)).findLast((rights) => rights !== undefined);
}
