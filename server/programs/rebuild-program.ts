/**
 * `npm run rebuild -- --stage STAGE [--organization X] [--from DAY] [--to DAY]`: asks a running service to make a stage anew
 * of the one before, and shows how far it has got.
 */
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { RebuildAnswer } from "../contract/reconciliation.ts";
import { parseJson } from "../json/parse-json.ts";
import { type Connection, readCommandLine, UsageError } from "./connection.ts";
import { runProgram } from "./program.ts";

const usage =
  "npm run rebuild -- --stage counters|node_counters|intervals|sessions|presences|edges|slots|all [--organization X] [--from DAY] [--to DAY] [--url URL] [--key KEY]";
const pollMs = 500;

await runProgram(usage, async (args) => {
  const { connection, request } = readArguments(args);
  let rebuild = await ask(connection, "POST", "/v1/rebuilds", request);
  for (;;) {
    const { pieces, pieces_done, repaired, finished_at } = rebuild;
    const line = `${pieces_done} of ${pieces ?? "?"} days of organizations compared, ${repaired} differences repaired`;
    process.stdout.write(process.stdout.isTTY && finished_at === null ? `\r${line}` : `\r${line}\n`);
    if (finished_at !== null) return true;
    await delay(pollMs);
    rebuild = await ask(connection, "GET", `/v1/rebuilds/${rebuild.id}`);
  }
});

function readArguments(args: string[]): { connection: Connection; request: Record<string, string> } {
  const text = { type: "string" } as const;
  const options = { stage: text, organization: text, from: text, to: text, url: text, key: text };
  let values: Partial<Record<keyof typeof options, string>>;
  try {
    values = parseArgs({ args, options }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const { url, key, ...request } = values;
  if (request.stage === undefined) throw new UsageError("no stage: use --stage");
  const connection = readCommandLine([...(url ? ["--url", url] : []), ...(key ? ["--key", key] : [])], []);
  return { connection, request };
}

async function ask(
  { url, key }: Connection,
  method: "GET" | "POST",
  path: string,
  body?: Record<string, string>,
): Promise<RebuildAnswer> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${text}`);
  return parseJson(text) as RebuildAnswer;
}
