/** What the API answered to a page, and to nobody else: a figure that moves is compared with what its own page was given. */
import type { Page } from "playwright-core";
import { plain, rounded } from "./decimals.ts";

export interface RecordedAnswer {
  url: URL;
  body: unknown;
}

/** As many decimals as a page shows where all of them are wanted. */
export const shownDecimals = 6;

export class RecordedAnswers {
  #pending: Promise<unknown>[] = [];
  #answers: RecordedAnswer[] = [];
  #frames: string[] = [];

  constructor(page: Page) {
    page.on("response", (response) => {
      const url = new URL(response.url());
      const isJson = (response.headers()["content-type"] ?? "").includes("application/json");
      if (!url.pathname.startsWith("/v1/") || !response.ok() || !isJson) return;
      const answers = this.#answers;
      this.#pending.push(
        // An answer that was given up while it was on its way has no body.
        response.json().then(
          (body) => answers.push({ url, body }),
          () => undefined,
        ),
      );
    });
    page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => this.#frames.push(String(payload))));
  }

  begin(): void {
    [this.#pending, this.#answers, this.#frames] = [[], [], []];
  }

  /** All that have come. */
  async all(): Promise<readonly RecordedAnswer[]> {
    await Promise.all(this.#pending);
    return this.#answers;
  }

  /** Every number in them, plain and as a page writes it with all its digits. */
  async numbers(): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    for (const { body } of await this.all()) collect(body, found);
    for (const frame of this.#frames)
      for (const [text] of frame.matchAll(/-?\d+(?:\.\d+)?/g)) found.add(plain(text) ?? text);
    return found;
  }
}

/** Numbers and texts that are numbers, at any depth; of a list also how many it has. */
export function collect(value: unknown, found: Set<string>): void {
  const number = plain(value);
  if (number !== undefined) found.add(number).add(rounded(number, shownDecimals));
  if (typeof value !== "object" || value === null) return;
  if (Array.isArray(value)) found.add(String(value.length));
  for (const one of Object.values(value)) collect(one, found);
}
