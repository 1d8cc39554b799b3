/** The browser's own zone, which is offered beside UTC to count days in. The choice is in the address as `tz`. */
import { zoneOf } from "@contract/zone-names.ts";

/** UTC where the browser names a zone that the server would refuse. */
export const browserZone = zoneOf(new Intl.DateTimeFormat().resolvedOptions().timeZone);
