/**
 * The columns of an event, in the order in which the log keeps them and storage takes them (usage_events has them, then `batch`
 * and `sign`). The line of the log, the rows read back, their types and the SQL of storing and reading follow from this table.
 * A new column takes a migration that adds it to usage_events, an entry here at the end, and its text at the end of
 * `renderEventRow` (server/ingest/accept/read-event.ts). Lines that were logged before it end one column earlier and are stored
 * with the default of its type.
 */
import { z } from "zod";
import { numberColumn } from "./number-column.ts";

/**
 * What a column holds: how it is sent, stored, read back, what comes of it, and what the rows have in it that are older than the
 * column. `name` is its name in rows, `column` in the table.
 */
const kinds = {
  text: {
    sent: "String",
    stored: (name: string) => name,
    read: (column: string) => column,
    schema: z.string(),
    before: "",
  },
  /** UInt64 as decimal digits. */
  hash: {
    sent: "UInt64",
    stored: (name: string) => name,
    read: (column: string) => `toString(${column})`,
    schema: z.string(),
    before: "0",
  },
  /** A DateTime64(3) in the table, ms since 1970 (UTC) in rows. */
  instant: {
    sent: "Int64",
    stored: (name: string) => `fromUnixTimestamp64Milli(${name}, 'UTC')`,
    read: (column: string) => `toUnixTimestamp64Milli(${column})`,
    schema: numberColumn,
    before: 0,
  },
  millis: {
    sent: "Int64",
    stored: (name: string) => name,
    read: (column: string) => column,
    schema: numberColumn,
    before: 0,
  },
  amount: {
    sent: "Nullable(Decimal(38, 9))",
    stored: (name: string) => name,
    read: (column: string) => `toString(${column})`,
    schema: z.string().nullable(),
    before: null,
  },
} as const;

interface EventColumn {
  name: string;
  kind: keyof typeof kinds;
  /** In usage_events, where it is another. */
  column?: string;
}

const columns = [
  { name: "organization", kind: "text" },
  { name: "id", kind: "text" },
  { name: "body_hash", kind: "hash" },
  { name: "time_ms", kind: "instant", column: "time" },
  { name: "received_ms", kind: "instant", column: "received_at" },
  { name: "type", kind: "text" },
  { name: "partner", kind: "text" },
  { name: "reseller", kind: "text" },
  { name: "agent", kind: "text" },
  { name: "user", kind: "text" },
  { name: "session", kind: "text" },
  { name: "room", kind: "text" },
  { name: "interval", kind: "text", column: "usage_events.interval" },
  { name: "job", kind: "text" },
  { name: "started_ms", kind: "millis" },
  { name: "value", kind: "amount" },
  { name: "properties", kind: "text" },
  { name: "dims", kind: "text" },
  { name: "level", kind: "text" },
  { name: "level_action", kind: "text" },
  { name: "alive_within_ms", kind: "millis" },
  { name: "key", kind: "text" },
] as const satisfies readonly EventColumn[];

type Column = (typeof columns)[number];
type Shape = { [One in Column as One["name"]]: (typeof kinds)[One["kind"]]["schema"] };

export const eventColumns: readonly Column["name"][] = columns.map(({ name }) => name);

/** A row of usage_events as it is read back. */
export const storedColumnsSchema = z.object(
  Object.fromEntries(columns.map(({ name, kind }) => [name, kinds[kind].schema])) as Shape,
);

/** The columns of usage_events that an event decides; instants in ms since 1970, UTC. */
export const eventRowSchema = storedColumnsSchema.extend({
  /** A CloudEvent's, which it is identified by together with the id. */
  source: z.string().optional(),
});
export type EventRow = z.output<typeof eventRowSchema>;

const beforeAnyColumn = Object.fromEntries(columns.map(({ name, kind }) => [name, kinds[kind].before]));

/** A row that was kept as JSON, perhaps before a column was added: that one has what older events are stored with, the default of its type. */
export const eventRowOf = (kept: object): EventRow => ({ ...beforeAnyColumn, ...kept }) as EventRow;

const list = (one: (column: EventColumn) => string) => columns.map(one).join(", ");

/** What `{{event_…}}` in a query stands for. */
export const eventFragments: Readonly<Record<string, string>> = {
  /** The structure that input() takes. */
  event_structure: list(({ name, kind }) => `${name} ${kinds[kind].sent}`),
  /** From what was sent to what the table takes. */
  event_stored: list(({ name, kind }) => kinds[kind].stored(name)),
  /** From the table to a row. */
  event_row: list(({ name, kind, column = name }) => {
    const read = kinds[kind].read(column);
    return read === name ? name : `${read} AS ${name}`;
  }),
};
