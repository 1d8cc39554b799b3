/** Answers in the format JSONCompactColumns, which has each column on a line of its own. */
import { createPace } from "../fairness/pace.ts";
import { parseJson } from "../json/parse-json.ts";

/** Parsing these takes some ten milliseconds. */
const bytesAtOnce = 1024 * 1024;
const lineEnd = 0x0a;
const tab = 0x09;
const comma = 0x2c;

/** A large answer column by column: between two of them everybody else has a turn. */
export async function parseColumns(body: Buffer): Promise<unknown[][]> {
  if (body.length <= bytesAtOnce) return parseJson(body.toString("utf8")) as unknown[][];
  const pace = createPace();
  const columns: unknown[][] = [];
  for (let start = 0; start < body.length; ) {
    const found = body.indexOf(lineEnd, start);
    const end = found === -1 ? body.length : found;
    // The first line and the last one are the brackets around all columns.
    if (body[start] === tab) {
      const last = body[end - 1] === comma ? end - 1 : end;
      columns.push(parseJson(body.toString("utf8", start, last)) as unknown[]);
      await pace.rest();
    }
    start = end + 1;
  }
  return columns;
}
