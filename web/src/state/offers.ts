/** The link by which the signed-in person came to the roles that they are offered. */
import { api } from "../api/client.ts";

/** What stands behind `#` in the link that was opened; accounts whose address nobody has verified need it to accept. */
export const openedLink: { token: string | undefined } = { token: undefined };

export function acceptOffer(id: string): Promise<void> {
  const { token } = openedLink;
  return api.acceptOffer({ path: { id }, body: token === undefined ? {} : { token } });
}
