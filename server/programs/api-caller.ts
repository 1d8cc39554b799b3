/** Asks a running service in JSON, with the credentials of one caller. */
import { parseJson } from "../json/parse-json.ts";

/** An answer that is no success; the status is 0 when there was no answer. */
export class AnswerError extends Error {
  override name = "AnswerError";
  readonly status: number;
  constructor(status: number, message: string, cause?: unknown) {
    super(message, { cause });
    this.status = status;
  }
}

export class ApiCaller {
  readonly #url: string;
  readonly #credentials: Readonly<Record<string, string>>;
  readonly #signal: AbortSignal | undefined;

  /** `url`: without a slash at its end. `credentials`: the headers that say who calls. */
  constructor(url: string, credentials: Readonly<Record<string, string>>, signal?: AbortSignal) {
    this.#url = url;
    this.#credentials = credentials;
    this.#signal = signal;
  }

  async get<T>(path: string): Promise<T> {
    return await read<T>("GET", path, await this.#send("GET", path));
  }

  async post<T>(path: string, body: unknown = {}): Promise<T> {
    return await read<T>("POST", path, await this.#send("POST", path, body));
  }

  async patch<T>(path: string, body: unknown): Promise<T> {
    return await read<T>("PATCH", path, await this.#send("PATCH", path, body));
  }

  async delete(path: string): Promise<void> {
    await read("DELETE", path, await this.#send("DELETE", path));
  }

  /** Signs in: the caller with the session's cookie, as a page of the service's own. */
  async signIn(email: string, password: string): Promise<ApiCaller> {
    const path = "/v1/session";
    const response = await this.#send("POST", path, { email, password });
    await read("POST", path, response);
    const cookie = response.headers.getSetCookie().map((one) => one.split(";", 1)[0] ?? "");
    return new ApiCaller(this.#url, { cookie: cookie.join("; "), origin: this.#url }, this.#signal);
  }

  async #send(method: "GET" | "POST" | "PATCH" | "DELETE", path: string, body?: unknown): Promise<Response> {
    const headers: Record<string, string> = { ...this.#credentials, accept: "application/json" };
    if (body !== undefined) headers["content-type"] = "application/json";
    try {
      return await fetch(`${this.#url}${path}`, {
        method,
        headers,
        body: body === undefined ? null : JSON.stringify(body),
        signal: this.#signal ?? null,
      });
    } catch (error) {
      if (this.#signal?.aborted) throw error;
      // What fetch throws says no more than that it failed; why is its cause.
      const reason = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
      throw new AnswerError(0, `there is no answer from ${this.#url}${reason}`, error);
    }
  }
}

/** @throws AnswerError for an answer that is no success. */
async function read<T>(method: string, path: string, response: Response): Promise<T> {
  const text = await response.text();
  if (!response.ok)
    throw new AnswerError(response.status, `${method} ${path} was answered ${response.status}: ${text}`);
  return (text === "" ? undefined : parseJson(text)) as T;
}
