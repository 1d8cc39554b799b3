/** Bodies and answers whose numbers keep every digit. */

import type { Context } from "hono";
import { parseExactJson, startOfText, stringifyExact } from "../json/exact-json.ts";
import type { HttpEnv } from "./http-env.ts";
import { rawAnswer } from "./raw-answer.ts";
import { readBody } from "./read-body.ts";

/** The body, after its schema was checked, with numbers that a double might bend as `ExactNumber`. */
export async function readExact<Body>(c: Context<HttpEnv>): Promise<Body> {
  const bytes = await readBody(c);
  return parseExactJson(bytes, startOfText(bytes)) as Body;
}

/** Answers `value`, in which numbers may be `ExactNumber`. The route's schema knows those as numbers. */
export function answerExact(c: Context, value: unknown, status: 200 | 202 = 200): never {
  return rawAnswer(c.body(stringifyExact(value), status, { "content-type": "application/json" }));
}
