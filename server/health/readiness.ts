/**
 * Whether the process can do what its roles are for. Each check says which roles cannot do without it, and what its absence
 * costs the others. A process that takes events is ready for as long as it can take them: a balancer that dropped it because
 * questions cannot be answered would turn away what works, and gain nothing, since all processes share the stores.
 */
import type { Role } from "../config.ts";

/** Resolves when the thing can be used now, with what there is to say of it; what it throws is shown to everybody. */
export type Probe = () => Promise<string | undefined> | Promise<void>;

export interface Check {
  probe: Probe;
  neededBy: readonly Role[];
  /** While it fails. */
  costs: string;
}

export interface CheckResult {
  ok: boolean;
  detail: string;
}

/** The roles of `roles` that can do their work. */
export function readyRoles(
  roles: Iterable<Role>,
  checks: Readonly<Record<string, Pick<Check, "neededBy">>>,
  results: Readonly<Record<string, CheckResult>>,
): Map<Role, boolean> {
  const isReady = (role: Role) =>
    Object.entries(checks).every(([name, { neededBy }]) => !neededBy.includes(role) || results[name]?.ok === true);
  return new Map([...roles].map((role) => [role, isReady(role)]));
}

/** Whether the process is ready as a whole. */
export function isProcessReady(roles: ReadonlyMap<Role, boolean>): boolean {
  return roles.get("ingest") ?? [...roles.values()].every(Boolean);
}
