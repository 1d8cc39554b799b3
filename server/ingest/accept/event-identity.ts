/**
 * An event's id as storage holds it. An id is unique within its organization; that of a CloudEvent only within its source,
 * which stands behind it after a character that no text has, so that no two identities are ever written alike.
 */
import { z } from "zod";

const separator = "\0";

export const eventNameSchema = z.object({
  id: z.string(),
  /** The source of a CloudEvent; undefined: the id alone says which event of the organization it is. */
  source: z.string().optional(),
});
export type EventName = z.infer<typeof eventNameSchema>;

export function storedId({ id, source }: EventName): string {
  return source === undefined ? id : id + separator + source;
}

export function nameOfStored(stored: string): EventName {
  const at = stored.indexOf(separator);
  return at < 0 ? { id: stored } : { id: stored.slice(0, at), source: stored.slice(at + 1) };
}
