/** The time that is encoded in an event's id. */

/** The milliseconds since 1970 in a version 7 UUID; NaN for any other text. */
export function timeOfUuidV7(id: string): number {
  if (id.length !== 36 || id.charCodeAt(14) !== 55 || !uuidV7.test(id)) return Number.NaN;
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

const uuidV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;
