/**
 * What is wrong with a store, in words that may be shown to everybody: clients' own messages name hosts, ports, users and
 * what was asked. Wrong settings are told apart from an outage, which ends by itself.
 */
import { clickHouseCode, StoreUnavailableError } from "../clickhouse/client.ts";
import { isPostgresUnavailable } from "../postgres/client.ts";

export interface StoreTrouble {
  words: string;
  /** More of it, for the log. */
  why?: string;
  /** Waiting does not help: the settings are wrong. */
  isFinal: boolean;
}

const refusesCredentials: StoreTrouble = { words: "refuses the user or the password", isFinal: true };
const hasNoDatabase: StoreTrouble = { words: "has no database with that name", isFinal: true };
const passing = (words: string): StoreTrouble => ({ words, isFinal: false });
const unreachable = (why: string): StoreTrouble => ({ words: "cannot be reached", why, isFinal: false });
const silent = unreachable("it does not answer");

const byCode: Readonly<Record<string, StoreTrouble>> = {
  "28P01": refusesCredentials,
  "28000": refusesCredentials,
  "3D000": hasNoDatabase,
  "57P03": passing("is starting or stopping"),
  "53300": passing("has no connection to spare"),
  ECONNREFUSED: unreachable("nothing listens there"),
  ENOTFOUND: unreachable("its host name is not known"),
  EAI_AGAIN: unreachable("its host name cannot be looked up"),
  ETIMEDOUT: unreachable("it does not answer"),
  EHOSTUNREACH: unreachable("its host cannot be reached"),
  ENETUNREACH: unreachable("its host cannot be reached"),
};
/** ClickHouse's numbers. */
const byClickHouseCode: Readonly<Record<number, StoreTrouble>> = {
  192: refusesCredentials,
  193: refusesCredentials,
  194: refusesCredentials,
  516: refusesCredentials,
  81: hasNoDatabase,
};
const redisRefusal = /^(?:WRONGPASS|NOAUTH|ERR invalid password|ERR AUTH|ERR Client sent AUTH)/;
const noAnswer = /timeout|timed out|did not answer|no answer/i;

/** Whether a store could not be asked, so that asking again later may help. */
export function isStoreUnavailable(error: unknown): boolean {
  return error instanceof StoreUnavailableError || isPostgresUnavailable(error);
}

/** Looks through errors that wrap others. */
export function storeTrouble(error: unknown): StoreTrouble {
  const refusal = byClickHouseCode[clickHouseCode(error) ?? 0];
  if (refusal) return refusal;
  let isSilent = false;
  for (let current = error, depth = 0; current instanceof Error && depth < 6; current = current.cause, depth++) {
    const code = "code" in current && typeof current.code === "string" ? current.code : "";
    const known = byCode[code];
    if (known) return known;
    if (redisRefusal.test(current.message)) return refusesCredentials;
    if (current instanceof AggregateError && current.errors.length > 0) return storeTrouble(current.errors[0]);
    isSilent ||= noAnswer.test(current.message);
  }
  return isSilent ? silent : passing("cannot be reached");
}
