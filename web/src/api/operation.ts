/**
 * How an operation of the API is described, and what becomes callable by that. What it takes and answers are the schemas of
 * the contract, of which only the types are imported: pages and server cannot disagree about a name or a shape.
 */
import type { z } from "zod";
import { shellTexts as t } from "../texts/en/shell.ts";
import { type QueryValue, withQuery } from "../with-query.ts";
import { ApiError, type RequestOptions, request } from "./request.ts";

/** The names are checked here, the values by the server: many of them come from the address bar as they are. */
export type Query<Schema extends z.ZodType> = { query?: { [Name in keyof z.input<Schema>]?: QueryValue } };

export type Body<Schema extends z.ZodType> = { body: z.input<Schema> };

/** The caller's own node where none is named. */
export type OfNode = { query?: { node?: QueryValue } };

/** A table sent as it is. */
export type Csv<QueryNames extends string> = { csv: string; query?: Partial<Record<QueryNames, QueryValue>> };

type PathNames<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PathNames<Rest>
  : never;
type PathOf<Path extends string> = [PathNames<Path>] extends [never]
  ? unknown
  : { path: Record<PathNames<Path>, string> };

type Options = Pick<RequestOptions, "signal" | "ifMatch" | "idempotencyKey" | "isSignIn" | "isAnonymous">;
type Asked<Path extends string, Takes> = PathOf<Path> & Takes & Options;
/** What need not be said may be left out altogether. */
type Arguments<Full> = Record<never, never> extends Full ? [asked?: Full] : [asked: Full];

/** An answer together with its `ETag`, to be edited on. */
export interface Tagged<Answer> {
  value: Answer;
  tag: string | undefined;
}

/** Throws ApiError, or the DOMException of a signal that was aborted. */
export interface Operation<Full, Answer> {
  (...asked: Arguments<Full>): Promise<Answer>;
  /** With `ifMatch` throws ApiError `precondition_failed` when it is no longer what the tag stands for. */
  tagged(...asked: Arguments<Full>): Promise<Tagged<Answer>>;
  /** The same in another media type, as the server writes it. */
  file(mediaType: string, ...asked: Arguments<Full>): Promise<Blob>;
  /** The address that a program would call. */
  address(...asked: Arguments<Full>): string;
  readonly method: string;
  readonly path: string;
}

/** What may be asked of an operation: `QueryOf<typeof api.listPlans>`. */
export type QueryOf<Asked> =
  Asked extends Operation<infer Full, unknown>
    ? Full extends { query?: infer Query }
      ? NonNullable<Query>
      : never
    : never;

interface Said extends Options {
  path?: Record<string, string>;
  query?: Record<string, QueryValue>;
  body?: object;
}

/** The address with its path and query filled in. */
function addressOf(path: string, said: Said): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(said.path?.[name] ?? ""));
  return withQuery(filled, said.query ?? {});
}

async function readJson(response: Response, signal: AbortSignal | undefined): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    if (signal?.aborted) throw new DOMException("aborted", "AbortError");
    throw new ApiError("unexpected_answer", t.responseWasIncomplete, { status: response.status });
  }
}

function operation<Path extends string>(method: string, path: Path) {
  const ask = (said: Said, accept?: string) => request(method, addressOf(path, said), { ...said, accept });

  function callable(read: (response: Response, said: Said) => Promise<unknown>): Operation<Said, unknown> {
    return Object.assign(async (said: Said = {}) => read(await ask(said), said), {
      tagged: async (said: Said = {}) => {
        const response = await ask(said);
        return { value: await read(response, said), tag: response.headers.get("etag") ?? undefined };
      },
      file: async (mediaType: string, said: Said = {}) => (await ask(said, mediaType)).blob(),
      address: (said: Said = {}) => addressOf(path, said),
      method,
      path: path as string,
    });
  }

  return {
    answers: <Answer extends z.ZodType, Takes = unknown>() =>
      callable((response, { signal }) => readJson(response, signal)) as unknown as Operation<
        Asked<Path, Takes>,
        z.output<Answer>
      >,
    answersNothing: <Takes = unknown>() => callable(async () => {}) as unknown as Operation<Asked<Path, Takes>, void>,
  };
}

export const get = <Path extends string>(path: Path) => operation("GET", path);
export const post = <Path extends string>(path: Path) => operation("POST", path);
export const put = <Path extends string>(path: Path) => operation("PUT", path);
export const patch = <Path extends string>(path: Path) => operation("PATCH", path);
export const del = <Path extends string>(path: Path) => operation("DELETE", path);
