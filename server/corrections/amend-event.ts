/** From an event as it stands and what is to change to the event as it shall stand, by the rules of accepting. Pure. */
import type { EventType } from "../catalog/event-types.ts";
import type { EventRow } from "../clickhouse/event-columns.ts";
import { amountOf } from "../ingest/accept/amount-unit.ts";
import { explainForm, type Fault, type GivenEvent, hasEventForm } from "../ingest/accept/event-gate.ts";
import { identityPrefix } from "../ingest/accept/event-hash.ts";
import { namedThings, propertiesOf } from "../ingest/accept/event-value.ts";
import { readEvent } from "../ingest/accept/read-event.ts";
import { rowOfEvent } from "../ingest/accept/row-of-event.ts";

/**
 * Where each column goes when its event is sent again: `null` for what an emitter does not send. A column that is missing here does
 * not compile, since an amendment would lose it. Those that `namedThings` and `amountOf` read together name these.
 */
const sentAs = {
  id: ({ id }) => ({ id }),
  type: ({ type }) => ({ type }),
  time_ms: ({ time_ms }) => ({ time: new Date(time_ms).toISOString() }),
  organization: ({ organization }) => ({ organization }),
  agent: namedThings,
  user: namedThings,
  session: namedThings,
  room: namedThings,
  interval: namedThings,
  job: namedThings,
  started_ms: ({ started_ms }) => (started_ms === 0 ? {} : { started_at: new Date(started_ms).toISOString() }),
  value: amountOfRow,
  dims: amountOfRow,
  properties: ({ properties }) => (properties === "{}" ? {} : { properties: propertiesOf(properties) }),
  source: null,
  body_hash: null,
  received_ms: null,
  partner: null,
  reseller: null,
  level: null,
  level_action: null,
  alive_within_ms: null,
  key: null,
} satisfies Record<keyof EventRow, ((row: EventRow) => Partial<GivenEvent>) | null>;

type SentColumn = {
  [Column in keyof typeof sentAs]: (typeof sentAs)[Column] extends null ? never : Column;
}[keyof typeof sentAs];

const fieldsOfRow = [...new Set(Object.values(sentAs))].filter((fields) => fields !== null);

/** An event as it would be sent again: its time is known, its amount an exact decimal. */
export type SentEvent = Omit<GivenEvent, "value" | "seconds"> & { time: string; value?: string; seconds?: string };

/** What an emitter would send to have the event stored like this. */
export function eventOfRow(row: Pick<EventRow, SentColumn>): SentEvent {
  return Object.assign({}, ...fieldsOfRow.map((fields) => fields(row as EventRow)));
}

function amountOfRow({ value, dims }: Pick<EventRow, "value" | "dims">) {
  return amountOf(value, dims);
}

export interface AmendContext {
  nowMs: number;
  eventType: (type: string) => EventType | undefined;
  pathAt: (organization: string, timeMs: number) => { partner: string; reseller: string } | undefined;
}

/**
 * `changes` has the fields that change; null takes one away. The id stays, and so does the hash of the body as it was first
 * sent: a late repeat of the first event is still known as that.
 */
export function amendEvent(
  row: EventRow,
  changes: Readonly<Record<string, unknown>>,
  context: AmendContext,
): EventRow | Fault {
  const merged: Record<string, unknown> = { ...eventOfRow(row), ...changes };
  // Either of the two takes the other's place.
  if (changes.seconds != null && changes.value === undefined) delete merged.value;
  if (changes.value != null && changes.seconds === undefined) delete merged.seconds;
  for (const [field, value] of Object.entries(changes)) if (value === null) delete merged[field];
  if (merged.id !== row.id)
    return { code: "invalid_field", field: "id", message: "the ID of an event cannot be changed" };
  if (!hasEventForm(merged)) return explainForm(merged);
  const read = readEvent(0, merged, {
    sources: row.source === undefined ? undefined : [row.source],
    receivedAtMs: context.nowMs,
    firstReceivedMs: row.received_ms,
    isPlain: false,
    eventType: context.eventType,
    prefixOf: identityPrefix,
    warn: () => undefined,
  });
  if ("code" in read) return read;
  const path = context.pathAt(read.organization, read.timeMs) ?? { partner: "", reseller: "" };
  const amended = rowOfEvent(read, { ...path, receivedMs: row.received_ms, key: row.key });
  return { ...amended, id: row.id, source: row.source, body_hash: row.body_hash };
}
