/** The zone that days are counted in: UTC, or the browser's own. The choice is in the address as `tz`. */

export const browserZone = new Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** An address shared between people names the zone itself; one that this browser does not know counts as UTC. */
export function zoneOf(text: string | undefined): string {
  if (text === undefined) return "UTC";
  try {
    new Intl.DateTimeFormat("en", { timeZone: text });
    return text;
  } catch {
    return "UTC";
  }
}
