/**
 * The only door to ClickHouse. Every setting that decides whether data is stored once, whole and visible is pinned
 * here, because their defaults have changed between releases (async inserts are on by default since 26.3).
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import {
  type ClickHouseClient,
  ClickHouseError,
  ClickHouseLogLevel,
  type ClickHouseSettings,
  createClient,
} from "@clickhouse/client";
import { parseJson } from "../json/parse-json.ts";
import { eventFragments } from "./event-columns.ts";
import { parseColumns } from "./parse-columns.ts";
import { createWatch, type Patience } from "./while-alive.ts";

export interface ClickHouseConnection {
  url: string;
  username?: string;
  password?: string;
  database?: string;
}

const pinnedSettings: ClickHouseSettings = {
  async_insert: 0,
  insert_deduplicate: 0,
  materialized_views_ignore_errors: 0,
  parallel_view_processing: 0,
  max_partitions_per_insert_block: "0",
  join_use_nulls: 0,
  transform_null_in: 0,
  prefer_column_name_to_alias: 0,
  output_format_json_quote_64bit_integers: 0,
  output_format_json_quote_decimals: 1,
  session_timezone: "UTC",
  optimize_move_to_prewhere_if_final: 1,
  compile_expressions: 0,
  compile_aggregate_expressions: 0,
  compile_sort_description: 0,
  date_time_input_format: "basic",
};

/** The threads that would format parts of an answer side by side are a fifth of what a short statement costs ClickHouse. */
const rowsSettings: ClickHouseSettings = { output_format_parallel_formatting: 0 };

/** A block per INSERT: one part per table and partition, which is what makes a batch appear as one. */
const insertSettings: ClickHouseSettings = {
  ...pinnedSettings,
  max_insert_block_size: "1048576",
  min_insert_block_size_rows: "1048576",
  min_insert_block_size_bytes: "1073741824",
  input_format_parallel_parsing: 0,
  max_threads: 2,
};

export type QueryParams = Record<string, unknown>;

export interface StatementSummary {
  writtenRows: number;
}

export interface SentTable {
  name: string;
  /** Columns and their types, as CREATE TABLE has them. */
  structure: string;
  /** Arrays as JSON, one a line. */
  rows: AsyncIterable<Buffer>;
}

export interface ClickHouse {
  /**
   * Rows of a SELECT as objects. Rejects with StoreUnavailableError when the server cannot be reached, and with the reason of
   * `signal` once that is aborted: the server ends the statement then, where `askedFor` gave the settings.
   */
  select(sql: string, params: QueryParams, settings?: ClickHouseSettings, signal?: AbortSignal): Promise<unknown[]>;
  /** The columns of a SELECT, each an array with one value per row: what many rows are read with, at a third of the cost. */
  selectColumns(sql: string, params: QueryParams): Promise<unknown[][]>;
  /** The bytes of a SELECT in the format that it names, as they arrive. */
  selectBytes(sql: string, params: QueryParams): AsyncGenerator<Buffer>;
  /** The same of a table that is sent along with the SELECT, which names it as it is named here. */
  selectFrom(sql: string, table: SentTable): AsyncGenerator<Buffer>;
  /** A statement without a result: DDL, INSERT SELECT. */
  command(sql: string, params?: QueryParams, settings?: ClickHouseSettings): Promise<StatementSummary>;
  /** An INSERT whose rows are `body`, in the format that the statement names. */
  insertBytes(sql: string, body: readonly Buffer[], params: QueryParams): Promise<StatementSummary>;
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** The server did not answer, or answered that it cannot now: the outcome of a write is unknown, repeating may help. */
export class StoreUnavailableError extends Error {
  readonly store = "clickhouse";
  constructor(cause: unknown) {
    const message = cause instanceof Error ? cause.message : String(cause);
    super(
      cause instanceof ClickHouseError
        ? `ClickHouse cannot now: ${message}`
        : `ClickHouse is not reachable: ${message}`,
      {
        cause,
      },
    );
    this.name = "StoreUnavailableError";
  }
}

/** The server read the statement and will refuse it every time. `code` is ClickHouse's own number. */
export class StatementRefusedError extends Error {
  readonly code: number;
  constructor(error: ClickHouseError) {
    super(error.message, { cause: error });
    this.name = "StatementRefusedError";
    this.code = Number(error.code);
  }
}

/** ClickHouse's own number of what it answered; undefined where it did not answer. */
export function clickHouseCode(error: unknown): number | undefined {
  if (error instanceof StatementRefusedError) return error.code;
  const cause = error instanceof StoreUnavailableError ? error.cause : error;
  return cause instanceof ClickHouseError ? Number(cause.code) : undefined;
}

/**
 * ClickHouse's codes for conditions that pass: time-outs, memory, too many parts or queries, a read-only table, a server
 * that is starting or shutting down. Everything else with a code is about the statement itself.
 */
const passingCodes: ReadonlySet<number> = new Set([
  3, 74, 75, 76, 159, 160, 164, 173, 198, 202, 203, 209, 210, 236, 241, 242, 243, 244, 252, 260, 279, 285, 290, 319,
  394, 425, 439, 473, 516, 999, 1000, 1001, 1002,
]);

/** ClickHouse's codes for a statement that took more time, memory, rows or bytes than its settings allow it. */
const heavyCodes: ReadonlySet<number> = new Set([158, 159, 160, 241, 307, 396]);

/** Those of rows and bytes, which are the statement's own whatever else the server does. */
const ownLimitCodes: ReadonlySet<number> = new Set([158, 307, 396]);

/** The statement took more time or memory than it may, or than the server has left now. */
export class StatementTooHeavyError extends StoreUnavailableError {
  /** Whether it is beyond its own bounds for certain: of memory and time the server may just have none left. */
  readonly isBeyondOwnBounds: boolean;
  constructor(cause: ClickHouseError) {
    super(cause);
    this.name = "StatementTooHeavyError";
    this.isBeyondOwnBounds = ownLimitCodes.has(Number(cause.code));
  }
}

function classify(error: unknown): Error {
  if (error instanceof ClickHouseError && heavyCodes.has(Number(error.code))) return new StatementTooHeavyError(error);
  if (error instanceof ClickHouseError && !passingCodes.has(Number(error.code)))
    return new StatementRefusedError(error);
  return new StoreUnavailableError(error);
}

/** A file of a form (RFC 7578), which is how a table is sent along. */
async function* formOf(name: string, rows: AsyncIterable<Buffer>, boundary: string): AsyncGenerator<Buffer> {
  const head = `content-disposition: form-data; name="${name}"; filename="rows"\r\ncontent-type: application/octet-stream`;
  yield Buffer.from(`--${boundary}\r\n${head}\r\n\r\n`);
  yield* rows;
  yield Buffer.from(`\r\n--${boundary}--\r\n`);
}

/** How a statement ended: `unavailable`: no answer or not now; `refused`: an answer that will not change. */
export type OnAnswered = (
  kind: "select" | "insert" | "command",
  outcome: "ok" | "unavailable" | "refused",
  seconds: number,
) => void;

/**
 * `connection.database` must exist. Idle sockets are dropped before the server's own keep-alive ends them. A SELECT may take
 * its time from a server that is alive, and no longer than `patience` from one that is not.
 */
export function connectClickHouse(
  connection: ClickHouseConnection,
  onAnswered?: OnAnswered,
  patience?: Patience,
): ClickHouse {
  const client = createClient({
    url: connection.url,
    username: connection.username,
    password: connection.password,
    database: connection.database ?? "default",
    request_timeout: 120_000,
    max_open_connections: 32,
    keep_alive: { enabled: true, idle_socket_ttl: 1500 },
    use_multipart_params_auto: true,
    json: { parse: <T>(text: string) => parseJson(text) as T },
    log: { level: ClickHouseLogLevel.OFF },
  });
  const observed = observedBy(onAnswered);
  return {
    ...questionsOf(client, observed, createWatch(connection.url, patience)),
    ...streamsOf(client),
    ...writesOf(client, observed),
    async ping() {
      const result = await client.ping({ select: true });
      if (!result.success) throw new StoreUnavailableError(result.error);
    },
    close: () => client.close(),
  };
}

/** What `statement` answers; what it throws is one of this module's errors. */
type Observed = <Result>(kind: Parameters<OnAnswered>[0], statement: () => Promise<Result>) => Promise<Result>;

function observedBy(onAnswered: OnAnswered | undefined): Observed {
  return async (kind, statement) => {
    const startedAtMs = performance.now();
    const answered = (outcome: Parameters<OnAnswered>[1]) =>
      onAnswered?.(kind, outcome, (performance.now() - startedAtMs) / 1000);
    try {
      const result = await statement();
      answered("ok");
      return result;
    } catch (cause) {
      const error = classify(cause);
      answered(error instanceof StatementRefusedError ? "refused" : "unavailable");
      throw error;
    }
  };
}

function questionsOf(
  client: ClickHouseClient,
  observed: Observed,
  whileAlive: ReturnType<typeof createWatch>,
): Pick<ClickHouse, "select" | "selectColumns"> {
  return {
    select: async (sql, params, settings, signal) => {
      signal?.throwIfAborted();
      const select = () =>
        whileAlive(async (given) => {
          const result = await client.query({
            query: sql,
            query_params: params,
            format: "JSONEachRow",
            clickhouse_settings: { ...pinnedSettings, ...rowsSettings, ...settings },
            abort_signal: signal ? AbortSignal.any([given, signal]) : given,
          });
          return await result.json();
        });
      return await observed("select", select).catch((error: unknown) => {
        signal?.throwIfAborted();
        throw error;
      });
    },
    selectColumns: (sql, params) =>
      observed("select", () =>
        whileAlive(async (abort_signal) => {
          const result = await client.exec({
            query: `${sql}\nFORMAT JSONCompactColumns`,
            query_params: params,
            clickhouse_settings: { ...pinnedSettings, wait_end_of_query: 1 },
            abort_signal,
          });
          const chunks: Buffer[] = [];
          for await (const chunk of result.stream) chunks.push(chunk as Buffer);
          return await parseColumns(Buffer.concat(chunks));
        }),
      ),
  };
}

function streamsOf(client: ClickHouseClient): Pick<ClickHouse, "selectBytes" | "selectFrom"> {
  async function* bytesOf(statement: Parameters<ClickHouseClient["exec"]>[0]): AsyncGenerator<Buffer> {
    try {
      const result = await client.exec(statement);
      for await (const chunk of result.stream) yield chunk as Buffer;
    } catch (error) {
      throw classify(error);
    }
  }
  return {
    selectBytes: (sql, params) => bytesOf({ query: sql, query_params: params, clickhouse_settings: pinnedSettings }),
    selectFrom(sql, { name, structure, rows }) {
      const boundary = randomUUID();
      return bytesOf({
        query: sql,
        values: Readable.from(formOf(name, rows, boundary), { objectMode: false }),
        http_headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
        clickhouse_settings: {
          ...pinnedSettings,
          [`${name}_structure`]: structure,
          [`${name}_format`]: "JSONCompactEachRow",
          wait_end_of_query: 1,
        },
      });
    },
  };
}

function writesOf(client: ClickHouseClient, observed: Observed): Pick<ClickHouse, "command" | "insertBytes"> {
  return {
    command: (sql, params, settings) =>
      observed("command", async () => {
        const result = await client.command({
          query: sql,
          query_params: params,
          clickhouse_settings: { ...insertSettings, wait_end_of_query: 1, ...settings },
        });
        return { writtenRows: Number(result.summary?.written_rows ?? 0) };
      }),
    insertBytes: (sql, body, params) =>
      observed("insert", async () => {
        const result = await client.exec({
          query: sql,
          query_params: params,
          values: Readable.from(body, { objectMode: false }),
          clickhouse_settings: { ...insertSettings, wait_end_of_query: 1 },
        });
        result.stream.resume();
        return { writtenRows: Number(result.summary?.written_rows ?? 0) };
      }),
  };
}

/**
 * What a statement of a question may take: others ask the same server. `readonly` is what lets the server end a statement whose
 * reader has gone.
 */
const questionSettings: ClickHouseSettings = {
  readonly: "2",
  cancel_http_readonly_queries_on_client_close: 1,
  max_execution_time: 60,
  timeout_overflow_mode: "throw",
  max_memory_usage: String(4 * 1024 ** 3),
  max_bytes_before_external_group_by: String(1024 ** 3),
  max_bytes_before_external_sort: String(1024 ** 3),
};

/** A question as far as the store is concerned. */
interface Asker {
  signal: AbortSignal;
  ask<Answer>(statement: () => Promise<Answer>): Promise<Answer>;
}

/**
 * The same store for those who ask: their statements take no more than a question may. With a `question` they end with it, and
 * as many of them run at once as it may have; without one an answer belongs to many, and nobody's leaving ends it.
 */
export function askedFor(clickhouse: ClickHouse, question?: Asker): ClickHouse {
  return {
    ...clickhouse,
    select: async (sql, params, settings) => {
      const select = () => clickhouse.select(sql, params, { ...questionSettings, ...settings }, question?.signal);
      return question ? await question.ask(select) : await select();
    },
  };
}

/**
 * The text of a query below clickhouse/, the same place from the sources and from the built server. `{{part}}` in it stands for
 * clickhouse/fragments/`part`.sql, also in fragments, or for the columns of an event (event-columns.ts).
 */
export function readSql(path: string): string {
  const sql = readFileSync(fileURLToPath(new URL(`../../clickhouse/${path}`, import.meta.url)), "utf8");
  return sql.replace(
    /\{\{(\w+)\}\}/g,
    (_, part: string) => eventFragments[part] ?? readSql(`fragments/${part}.sql`).trimEnd(),
  );
}
