/** The roles that the signed-in user is offered, and the link that they came by. */
import type { RoleOfferList } from "@contract/users.ts";
import { request, send } from "./client.ts";

/** What stands behind `#` in the link that was opened; accounts whose address nobody has verified need it to accept. */
export const openedLink: { token: string | undefined } = { token: undefined };

export function readOffers(signal?: AbortSignal): Promise<RoleOfferList> {
  return send<RoleOfferList>("GET", "/v1/me/offers", { signal });
}

export async function acceptOffer(id: string): Promise<void> {
  const { token } = openedLink;
  await request("POST", `/v1/me/offers/${encodeURIComponent(id)}/accept`, {
    body: token === undefined ? {} : { token },
  });
}

export async function declineOffer(id: string): Promise<void> {
  await request("DELETE", `/v1/me/offers/${encodeURIComponent(id)}`);
}
