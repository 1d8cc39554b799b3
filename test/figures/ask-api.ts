/** Asks the API what the pages are compared with, as the person who is signed in. */
import type { BrowserContext } from "playwright-core";
import readWorkbook from "read-excel-file/node";
import { parseCsv } from "../support/parse-csv.ts";
import { eventually } from "../support/service.ts";

export const forms = {
  csv: "text/csv",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  ndjson: "application/x-ndjson",
} as const;

export class Api {
  readonly #request: BrowserContext["request"];
  readonly #url: string;

  constructor(context: Pick<BrowserContext, "request">, url: string) {
    this.#request = context.request;
    this.#url = url;
  }

  /** The answer as JSON; throws with what the API says where it is refused. */
  async json<Answer>(path: string): Promise<Answer> {
    return JSON.parse((await this.#bytes(path, "application/json")).toString("utf8")) as Answer;
  }

  async csv(path: string): Promise<string[][]> {
    return parseCsv((await this.#bytes(path, forms.csv)).toString("utf8"));
  }

  /** The first sheet's cells: numbers, texts, dates, null where empty. */
  async sheet(path: string): Promise<unknown[][]> {
    const [first] = await readWorkbook(await this.#bytes(path, forms.xlsx));
    return (first?.data ?? []) as unknown[][];
  }

  async lines(path: string): Promise<Record<string, unknown>[]> {
    const text = (await this.#bytes(path, forms.ndjson)).toString("utf8");
    return text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
  }

  /** A service that has much to do answers 429 or 503 until it can. */
  async #bytes(path: string, accept: string): Promise<Buffer> {
    return await eventually(path, async () => {
      const answer = await this.#request.get(this.#url + path, { headers: { accept } });
      if ([429, 503].includes(answer.status())) return undefined;
      if (!answer.ok()) throw new Error(`${path} as ${accept} answers ${answer.status()}: ${await answer.text()}`);
      return await answer.body();
    });
  }
}
