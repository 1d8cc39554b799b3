/** Addresses of people without an account that callers put on lists of mails: whoever adds many of them writes to the world by this service. */
import type { NodeAddress } from "../contract/nodes.ts";
import { mailedAmong } from "../delivery/channels.ts";
import type { Actor } from "../identity/actor.ts";
import { accountOf } from "../identity/users.ts";
import { MailLimits } from "../mail/mail-limits.ts";
import type { Postgres } from "../postgres/client.ts";
import { ProblemError } from "../problem.ts";
import { accountsOf } from "../reports/entitled.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { tenantOf } from "../tree/tenant-of.ts";
import { isWithinReach } from "./authenticate.ts";

export type StrangersCounter = (
  actor: Actor,
  addresses: readonly string[],
  /** The field of the request that the refusal names. */
  field: string,
) => Promise<void>;

/**
 * Makes what throws `too_fast`, naming the field, where the caller put as many addresses on lists as they may for now. Addresses
 * do not count whose account the caller sees, nor those that get mails of a channel of the same tenant already: all others are
 * treated alike, whether they have an account or not.
 */
export function strangersCounter({
  postgres: { db },
  tree,
  mailLimits = new MailLimits(),
}: {
  postgres: Pick<Postgres, "db">;
  tree: NodeTree;
  mailLimits?: Pick<MailLimits, "mayList"> | undefined;
}): StrangersCounter {
  return async (actor, addresses, field) => {
    if (addresses.length === 0) return;
    const tenant: NodeAddress = tenantOf(actor.node, tree);
    const accounts = await accountsOf(db, addresses);
    const mailed = await mailedAmong(db, tree, tenant, addresses.map(accountOf));
    for (const address of addresses.map(accountOf)) {
      if (mailed.has(address)) continue;
      if (accounts.get(address)?.roles.some(({ node }) => isWithinReach(actor, tree, node))) continue;
      if (!(await mailLimits.mayList({ id: actor.id, tenant }, address)))
        throw new ProblemError(
          "too_fast",
          "too many addresses without an account were added within an hour; try again later",
          {
            field,
            retryAfterSeconds: 3_600,
          },
        );
    }
  };
}
