/**
 * The interval of a span that names none and has nobody to be paired for: one by its own identity, which no emitter sent and which
 * changes with what it was made from.
 */
import { eventType } from "../../catalog/catalog.ts";
import { hashText, identityOf } from "./event-hash.ts";
import { nameOfStored, storedId } from "./event-identity.ts";

/** `idHash`: of its identity. */
export function spanName(id: string, source: string | undefined, idHash: bigint): string {
  return source === undefined ? id : idHash.toString(16);
}

export const isNamedByItself = ({
  interval,
  session,
  user,
}: Readonly<Record<"interval" | "session" | "user", string>>) => interval === "" && (session === "" || user === "");

export interface NamedRow {
  organization: string;
  /** With the source, as storage holds it, or without. */
  id: string;
  source?: string | undefined;
  type: string;
  session: string;
  user: string;
  interval: string;
}

/** Whether the column `interval` of an event holds such a name. */
export function isMadeUp({ organization, type, session, user, interval, ...row }: NamedRow): boolean {
  if (interval === "" || !isNamedByItself({ interval: "", session, user })) return false;
  if (eventType(type)?.action !== "span") return false;
  const { id, source } = row.source === undefined ? nameOfStored(row.id) : row;
  return interval === spanName(id, source, hashText(identityOf(organization, storedId({ id, source }))));
}
