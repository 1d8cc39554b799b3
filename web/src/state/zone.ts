/** The zone that days are counted in: UTC, or the browser's own. The choice is in the address as `tz`. */
import { isTimeZone } from "@contract/zone-names.ts";

/** UTC where the browser names a zone that the server would refuse. */
export const browserZone = zoneOf(new Intl.DateTimeFormat().resolvedOptions().timeZone);

/** An address shared between people names the zone itself; one that this browser does not know counts as UTC. */
export function zoneOf(text: string | undefined): string {
  return text !== undefined && isTimeZone(text) ? text : "UTC";
}
