/** Where the service is and with which key to speak to it, as programs that send are given them. */
import { parseArgs } from "node:util";

export interface Connection {
  /** Without a slash at its end. */
  url: string;
  key: string;
}

export interface CommandLine extends Connection {
  /** The arguments that are no options. */
  operands: string[];
  seed: number;
}

/** What is wrong with how a program was called; its message is for the person who called it. */
export class UsageError extends Error {
  override name = "UsageError";
}

/**
 * Reads `--url`, `--key` and `--seed` with what may stand for them in the environment: TIDEMARK_URL, TIDEMARK_KEY or
 * TIDEMARK_ROOT_KEY.
 *
 * @throws UsageError when an option is unknown, no key is given, or the number of operands is not `operands.length`.
 */
export function readCommandLine(
  args: readonly string[],
  operands: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = process.env,
): CommandLine {
  let parsed: { values: { url?: string; key?: string; seed?: string }; positionals: string[] };
  try {
    parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { url: { type: "string" }, key: { type: "string" }, seed: { type: "string" } },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const { values, positionals } = parsed;
  if (positionals.length !== operands.length)
    throw new UsageError(`expected ${operands.map((name) => `<${name}>`).join(" ") || "no operands"}`);
  const key = values.key ?? environment.TIDEMARK_KEY ?? environment.TIDEMARK_ROOT_KEY;
  if (!key) throw new UsageError("no API key: use --key, or set TIDEMARK_KEY or TIDEMARK_ROOT_KEY");
  const seed = Number(values.seed ?? 1);
  if (!Number.isSafeInteger(seed)) throw new UsageError(`--seed must be a whole number, not ${values.seed}`);
  const url = (values.url ?? environment.TIDEMARK_URL ?? "http://127.0.0.1:8080").replace(/\/+$/, "");
  return { url, key, seed, operands: positionals };
}
